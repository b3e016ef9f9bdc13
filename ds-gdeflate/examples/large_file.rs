//! A large stream read tile by tile: memory for the table, one payload and one tile, however long the stream is.
//!
//! `cargo run -p ds-gdeflate --example large_file -- FILE.gds` decodes a file and prints its size and a checksum of its content;
//! without an argument the example makes a stream of its own first.

use std::error::Error;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;

use ds_gdeflate::{CodecId, Decoder, Header, Level, MAX_TILE_PAYLOAD, TILE_SIZE, TileTable, compress};

fn main() -> Result<(), Box<dyn Error>> {
    let mut file = match std::env::args_os().nth(1) {
        Some(path) => File::open(path)?,
        None => example()?,
    };
    let mut prefix = vec![0; Header::SIZE];
    file.read_exact(&mut prefix)?;
    // The header says how long the table is; at most 256 KiB.
    prefix.resize(Header::parse(&prefix)?.table_end(), 0);
    file.read_exact(&mut prefix[Header::SIZE..])?;
    let table = TileTable::parse(&prefix, file.metadata()?.len())?;

    let mut sum = 0_u64;
    // readme:tiles
    let mut decoder = Decoder::new();
    let mut payload = vec![0; MAX_TILE_PAYLOAD];
    let mut content = vec![0; TILE_SIZE];
    for tile in 0..table.len() {
        // Checked by `parse`: in the file, in order, and no larger than the buffers.
        let (packed, raw) = (table.compressed_range(tile), table.uncompressed_range(tile));
        let payload = &mut payload[..(packed.end - packed.start) as usize];
        let content = &mut content[..(raw.end - raw.start) as usize];
        file.read_exact_at(payload, packed.start)?;
        decoder.decode_tile(payload, content)?;
        sum = content.iter().fold(sum, |sum, &byte| sum.rotate_left(5) ^ u64::from(byte));
    }
    // /readme:tiles
    println!(
        "{} bytes in {} tiles from {} packed, by {}, sum {sum:016x}",
        table.header().uncompressed_size(),
        table.len(),
        table.stream_end(),
        decoder.simd()
    );
    Ok(())
}

/// A stream of a few megabytes, in a file that goes with the program.
fn example() -> Result<File, Box<dyn Error>> {
    let lines = (0..200_000).map(|n: u32| format!("line {n}, {:x}\n", n.wrapping_mul(0x9E37_79B9)));
    let content: String = lines.collect();
    let mut file = tempfile::tempfile()?;
    file.write_all(&compress(content.as_bytes(), Level::FASTEST, CodecId::default())?)?;
    file.rewind()?;
    Ok(file)
}
