//! A whole stream decoded on all cores: tiles need nothing of each other, so any thread pool will do; here it is rayon's.
//!
//! `cargo run --release -p ds-gdeflate --example parallel -- FILE.gds`; without an argument the example makes a stream.

use std::error::Error;
use std::time::Instant;

use ds_gdeflate::{CodecId, Decoder, Level, TILE_SIZE, TileStream, compress};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let bytes = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => {
            let text =
                b"so much depends upon a red wheel barrow glazed with rain water beside the white chickens. ";
            compress(&text.repeat(50_000), Level::FASTEST, CodecId::default())?
        }
    };
    let stream = TileStream::parse(&bytes)?;
    let mut content = vec![0; usize::try_from(stream.uncompressed_size())?];

    let start = Instant::now();
    let tiles: Vec<_> = stream.tiles().zip(content.chunks_mut(TILE_SIZE)).collect();
    // A workspace for each piece of the work that rayon makes, not for each tile.
    tiles.into_par_iter().try_for_each_init(Decoder::new, |decoder, (tile, content)| {
        decoder.decode(tile, content).map(drop)
    })?;
    let seconds = start.elapsed().as_secs_f64();

    let megabytes = content.len() as f64 / 1e6;
    println!("{megabytes:.1} MB in {seconds:.3} s on {} threads", rayon::current_num_threads());
    Ok(())
}
