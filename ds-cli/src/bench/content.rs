//! Tiles by class, out of a pack.

use std::collections::BTreeMap;
use std::path::Path;

use ds_bench::classes::evenly;
use ds_gdeflate::{CodecId, Decoder, StreamWriter, TILE_SIZE, TileStream};

use crate::commands::{chunk_error, read_error};
use crate::error::{Error, Result};
use crate::pack::{Method, Pack};

/// One tile.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    /// As it is compressed.
    pub(super) payload: Vec<u8>,
    /// As it is.
    pub(super) content: Vec<u8>,
}

/// Content of one kind.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) tiles: Vec<Tile>,
}

impl Class {
    /// Tile streams of so many bytes of content each, with that content; the last may have less. Of tiles that are cut short (a file's
    /// last ones) no stream can be made with others behind.
    pub(super) fn streams(&self, size: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let whole: Vec<_> = self.tiles.iter().filter(|tile| tile.content.len() == TILE_SIZE).collect();
        if whole.is_empty() {
            return self.tiles.iter().map(|tile| stream_of(&[tile])).collect();
        }
        whole.chunks((size / TILE_SIZE).max(1)).map(stream_of).collect()
    }
}

/// A stream of these tiles, which are whole but for the last, with its content.
pub(super) fn stream_of(tiles: &[&Tile]) -> Result<(Vec<u8>, Vec<u8>)> {
    let content: Vec<u8> = tiles.iter().flat_map(|tile| &tile.content).copied().collect();
    let payloads: usize = tiles.iter().map(|tile| tile.payload.len()).sum();
    let mut stream = vec![0; 8 + 4 * tiles.len() + payloads];
    let refused = |error: ds_gdeflate::WriteError| Error::usage(error.to_string());
    let mut writer =
        StreamWriter::new(&mut stream, CodecId::Reference, content.len() as u64).map_err(refused)?;
    for tile in tiles {
        writer.room()[..tile.payload.len()].copy_from_slice(&tile.payload);
        writer.commit(tile.payload.len()).map_err(refused)?;
    }
    let len = writer.finish().map_err(refused)?;
    stream.truncate(len);
    Ok((stream, content))
}

/// The class that an entry belongs to.
pub(super) fn class_of(entry: &str) -> &str {
    let first = entry.split('/').next().unwrap_or_default();
    first.split('.').next().unwrap_or(first)
}

/// Whether a class is one of these, or all are wanted.
pub(super) fn is_wanted(class: &str, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == class)
}

/// Fails, and says which classes there are, if one that is wanted is not among them. `what` there is of each.
pub(super) fn check_wanted<'a>(
    what: &str,
    wanted: &[String],
    there: impl Iterator<Item = &'a str> + Clone,
) -> Result<()> {
    let Some(missing) = wanted.iter().find(|&wanted| there.clone().all(|name| name != wanted)) else {
        return Ok(());
    };
    let error = Error::usage(format!("there is no {what} of class {missing:?}"));
    let there: Vec<_> = there.collect();
    Err(match there.is_empty() {
        true => error,
        false => error.hint(format!("there are: {}", there.join(", "))),
    })
}

/// The classes of a pack: entries go by their name's first part, without what follows a dot. Only compressed chunks have tiles.
/// Of each class some tiles are taken, and checked.
pub(super) fn load(pack: &Pack, path: &Path, wanted: &[String], most: usize) -> Result<Vec<Class>> {
    let mut classes = BTreeMap::<&str, Vec<_>>::new();
    for entry in pack.index().entries() {
        let chunks = entry.chunks().enumerate().map(|(number, chunk)| (entry.name(), number, chunk));
        let tiled = chunks.filter(|(.., chunk)| chunk.method == Method::GDeflate);
        classes.entry(class_of(entry.name())).or_default().extend(tiled);
    }
    classes.retain(|_, chunks| !chunks.is_empty());
    check_wanted("compressed content", wanted, classes.keys().copied())?;
    classes.retain(|name, _| is_wanted(name, wanted));
    let (mut decoder, mut packed, mut content) = (Decoder::boxed(), Vec::new(), Vec::new());
    let mut loaded = Vec::new();
    for (name, chunks) in classes {
        let mut tiles = Vec::new();
        // Of many chunks some are enough.
        for index in evenly(chunks.len(), most) {
            let (entry, number, chunk) = &chunks[index];
            pack.read_chunk(chunk, &mut packed).map_err(|error| read_error(path, error))?;
            content.resize(chunk.raw_size as usize, 0);
            let unpacked = chunk.unpack(&mut decoder, &packed, &mut content);
            unpacked.map_err(|error| chunk_error(path, entry, *number, error))?;
            let Ok(stream) = TileStream::parse(&packed) else { continue };
            tiles.extend(
                stream.tiles().zip(content.chunks(TILE_SIZE)).map(|(tile, content)| Tile {
                    payload: tile.payload().to_vec(),
                    content: content.to_vec(),
                }),
            );
        }
        let chosen: Vec<_> = evenly(tiles.len(), most).map(|index| tiles[index].clone()).collect();
        if !chosen.is_empty() {
            loaded.push(Class { name: name.to_owned(), tiles: chosen });
        }
    }
    if loaded.is_empty() {
        return Err(Error::data(path, "nothing in it is compressed").hint("there is nothing to decode"));
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_made_of_whole_tiles() {
        let tile = |len: usize| {
            let content: Vec<u8> = (0..len).map(|at| (at / 3) as u8).collect();
            let stream =
                ds_gdeflate::compress(&content, ds_gdeflate::Level::FASTEST, CodecId::Reference).unwrap();
            let payload = TileStream::parse(&stream).unwrap().tile(0).unwrap().payload().to_vec();
            Tile { payload, content }
        };
        let class = Class {
            name: "c".into(),
            tiles: vec![tile(TILE_SIZE), tile(100), tile(TILE_SIZE), tile(TILE_SIZE)],
        };
        let streams = class.streams(2 * TILE_SIZE).unwrap();
        let sizes: Vec<_> = streams.iter().map(|(_, content)| content.len()).collect();
        assert_eq!(sizes, [2 * TILE_SIZE, TILE_SIZE]);
        for (stream, content) in &streams {
            let out = ds_gdeflate::decompress(stream).unwrap();
            assert!(out == *content);
        }
        let short = Class { name: "c".into(), tiles: vec![tile(100)] };
        assert_eq!(short.streams(1 << 20).unwrap()[0].1.len(), 100);
    }
}
