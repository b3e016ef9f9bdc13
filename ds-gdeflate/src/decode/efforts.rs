//! What costs a decoder much however little comes of it is done only where there is much to decode: counted, for the worst tiles.
//!
//! Time is no matter for a test; `cargo bench -p ds-gdeflate --bench worst` measures it on the same tiles.

#[allow(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/worst.rs"]
mod worst;
#[allow(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../../tests/support/writer.rs"]
mod writer;

use super::table::Tables;
use super::tile::TileDecoder;
use super::watch::Watch;
use crate::simd::SimdLevel;

/// Counts efforts.
#[derive(Debug, Default)]
struct Efforts {
    tables: usize,
    rounds: usize,
}

impl Watch for &mut Efforts {
    const SYMBOLS: bool = false;

    fn built_tables(&mut self) {
        self.tables += 1;
    }

    fn started_rounds(&mut self) {
        self.rounds += 1;
    }
}

/// Building tables takes about as long as 3000 bytes of a normal tile: behind so many bytes it is no 20 times slower.
const BYTES_FOR_TABLES: usize = 400;

/// The fast path's start takes about as long as 200.
const BYTES_FOR_ROUNDS: usize = 60;

#[test]
fn efforts_are_made_only_for_many_bytes() {
    let mut most = Efforts::default();
    for level in SimdLevel::available() {
        let mut tables = Tables::new();
        for tile in worst::SIZES.into_iter().flat_map(worst::worst) {
            let (words, _) = tile.payload.as_chunks();
            let mut out = vec![0; tile.len];
            let mut efforts = Efforts::default();
            TileDecoder::new(&mut tables, words, &mut out, &mut efforts, level).run().expect(tile.name);
            let Efforts { tables, rounds } = efforts;
            let bytes = tile.payload.len() + tile.len;
            let found =
                format!("{level}: {tables} tables, {rounds} starts for {bytes} bytes of {}", tile.name);
            assert!(tables * BYTES_FOR_TABLES <= bytes, "{found}");
            assert!(rounds * BYTES_FOR_ROUNDS <= bytes, "{found}");
            most = Efforts { tables: most.tables.max(tables), rounds: most.rounds.max(rounds) };
        }
    }
    assert!(most.tables > 100 && most.rounds > 1000, "{most:?}: these tiles are not hard on anybody");
}
