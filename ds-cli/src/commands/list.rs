//! `ds list`: what a pack holds, from its index alone.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::json;

use super::open_pack;
use crate::error::{Error, Result, printable};
use crate::pack::{Entry, EntryKind, Method, Pack};
use crate::units;

/// Prints the entries of `pack`, one a line, and returns their totals; or prints everything the index says as JSON.
///
/// # Errors
///
/// What the system reports; a pack that is damaged.
pub fn run(pack: &Path, json: bool) -> Result<Option<String>> {
    let open = open_pack(pack)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if json { write_json(&open, &mut out) } else { write_table(&open, &mut out) };
    written.and_then(|()| out.flush()).map_err(Error::stdout)?;
    Ok((!json).then(|| totals(&open)))
}

fn write_table(pack: &Pack, out: &mut impl Write) -> io::Result<()> {
    let index = pack.index();
    writeln!(out, "{:>14} {:>14} {:>7} {:>7}  name", "size", "packed", "ratio", "chunks")?;
    for entry in index.entries() {
        let (size, packed) = (entry.size(), entry.packed_size());
        let slash = if entry.kind() == EntryKind::Directory { "/" } else { "" };
        let (ratio, chunks) = (units::ratio(size, packed), entry.chunks().len());
        let name = printable(entry.name());
        writeln!(out, "{size:>14} {packed:>14} {ratio:>7} {chunks:>7}  {name}{slash}")?;
    }
    Ok(())
}

fn totals(pack: &Pack) -> String {
    let index = pack.index();
    let (size, packed, chunks) = (index.raw_size(), index.packed_size(), index.chunk_count());
    let ratio = units::ratio(size, packed);
    let entries = match index.len() {
        1 => "1 entry".to_owned(),
        n => format!("{n} entries"),
    };
    format!(
        "{size:>14} {packed:>14} {ratio:>7} {chunks:>7}  {entries} in a file of {} bytes",
        pack.file_len()
    )
}

/// One entry at a time, so that a pack of a million entries needs no tree of them in memory.
fn write_json(pack: &Pack, out: &mut impl Write) -> io::Result<()> {
    let index = pack.index();
    let head = json!({
        "file_size": pack.file_len(),
        "alignment": index.geometry().align(),
        "chunk_size": index.geometry().chunk_size(),
        "size": index.raw_size(),
        "packed_size": index.packed_size(),
    });
    let head = head.to_string();
    write!(out, "{},\"entries\":[", head.trim_end_matches('}'))?;
    for entry in index.entries() {
        let comma = if entry.number() == 0 { "" } else { "," };
        write!(out, "{comma}\n{}", entry_json(entry))?;
    }
    writeln!(out, "\n]}}")
}

fn entry_json(entry: Entry<'_>) -> serde_json::Value {
    let chunks = entry.chunks().map(|chunk| {
        json!({
            "offset": chunk.offset,
            "size": chunk.raw_size,
            "packed_size": chunk.packed_size,
            "method": match chunk.method {
                Method::Stored => "stored",
                Method::GDeflate => "gdeflate",
            },
            "xxh3_64": format!("{:016x}", chunk.checksum),
        })
    });
    json!({
        "name": entry.name(),
        "kind": match entry.kind() {
            EntryKind::File => "file",
            EntryKind::Directory => "directory",
        },
        "size": entry.size(),
        "packed_size": entry.packed_size(),
        "chunks": chunks.collect::<Vec<_>>(),
    })
}
