//! Packs some tiles of each class of a corpus as the reference encoder compresses them, for `ds bench gpu` to decode what others
//! wrote; without arguments, a small set into a folder that goes with the program.
//!
//! `cargo run --release -p ds-reference --example reference_pack -- CORPUS PACK [LEVEL [TILES]]`
//!
//! Level 12 and 32 tiles a class unless told.

use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use ds_bench::classes::{self, Class, evenly};
use ds_cli::assets::{self, Scale};
use ds_cli::pack::{EntryKind, Geometry, Method, PackWriter};
use ds_gdeflate::{CodecId, StreamWriter};
use ds_reference::{Encoder, TILE_SIZE};
use twox_hash::XxHash3_64;

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let mut arguments = std::env::args_os().skip(1);
    let (corpus, pack) = match (arguments.next(), arguments.next()) {
        (Some(corpus), Some(pack)) => (PathBuf::from(corpus), PathBuf::from(pack)),
        (None, _) => {
            assets::write(scratch.path(), Scale::Quick, 1, |_| {})?;
            (scratch.path().to_owned(), scratch.path().join("reference.dspak"))
        }
        (Some(_), None) => return Err("a pack's name is missing behind the corpus".into()),
    };
    let mut number = |default| match arguments.next() {
        Some(given) => {
            given.to_string_lossy().parse::<usize>().map_err(|error| format!("{given:?}: {error}"))
        }
        None => Ok(default),
    };
    let (level, tiles) = (number(12)?, number(32)?);
    let mut encoder =
        u8::try_from(level).ok().and_then(Encoder::new).ok_or("the reference has levels 0 to 12")?;
    let classes: Vec<_> = classes::read(&corpus)?.into_iter().map(|class| choose(class, tiles)).collect();
    write(&pack, &classes, &mut encoder)?;
    println!("{}: {} classes, {} bytes", pack.display(), classes.len(), fs::metadata(&pack)?.len());
    Ok(())
}

/// The class with some of its tiles, evenly spaced.
fn choose(class: Class, most: usize) -> Class {
    let tiles: Vec<_> = class.content.chunks(TILE_SIZE).collect();
    let content = evenly(tiles.len(), most).flat_map(|tile| tiles[tile]).copied().collect();
    Class { name: class.name, content }
}

/// Writes an entry for each class.
fn write(path: &Path, classes: &[Class], encoder: &mut Encoder) -> Result<(), Box<dyn Error>> {
    let geometry = Geometry::default();
    let mut pack = PackWriter::new(BufWriter::new(File::create(path)?), geometry)?;
    for class in classes {
        pack.begin(&class.name, EntryKind::File, class.content.len() as u64)?;
        for chunk in class.content.chunks(geometry.chunk_size() as usize) {
            let checksum = XxHash3_64::oneshot(chunk);
            match stream(chunk, encoder)? {
                Some(stream) => pack.chunk(Method::GDeflate, &stream, checksum)?,
                None => pack.chunk(Method::Stored, chunk, checksum)?,
            }
        }
    }
    pack.finish()?;
    Ok(())
}

/// The chunk as a tile stream; `None` if the reference refuses one of its tiles.
fn stream(chunk: &[u8], encoder: &mut Encoder) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    let mut payloads = Vec::new();
    for tile in chunk.chunks(TILE_SIZE) {
        let Ok(payload) = encoder.encode_tile(tile) else { return Ok(None) };
        payloads.push(payload);
    }
    let mut stream = vec![0; 8 + payloads.iter().map(|payload| 4 + payload.len()).sum::<usize>()];
    let mut writer = StreamWriter::new(&mut stream, CodecId::Reference, chunk.len() as u64)?;
    for payload in &payloads {
        writer.room()[..payload.len()].copy_from_slice(payload);
        writer.commit(payload.len())?;
    }
    let len = writer.finish()?;
    stream.truncate(len);
    Ok(Some(stream))
}
