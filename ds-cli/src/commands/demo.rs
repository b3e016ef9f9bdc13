//! `ds demo`: assets are packed, streamed back through the runtime's queue, and verified, every byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ds_gdeflate::Level;

use super::{open_pack, pack, stream};
use crate::assets::{self, Scale};
use crate::error::{Error, Result, printable, quoted};
use crate::files::scratch::Scratch;
use crate::pack::{Entry, EntryKind, Geometry, Pack};
use crate::progress::Progress;
use crate::stream::{IoKind, Options as StreamOptions, Report, Streamer};
use crate::units;

/// What to show.
#[derive(Clone, Debug)]
pub struct Options {
    /// Real assets instead of generated ones.
    pub assets: Option<PathBuf>,
    /// Generate little.
    pub quick: bool,
    /// Which engine reads.
    pub io: IoKind,
    /// How hard to compress.
    pub level: Level,
    /// Threads for packing.
    pub threads: usize,
    /// No progress bars, no warnings.
    pub quiet: bool,
}

/// Where assets and pack go.
const PLACE: &str = "TMPDIR names the place for the demo's files";

/// Every demo makes the same assets.
const SEED: u64 = 0x6473_2d64_656d_6f00;

/// Runs the demo and prints its table. Leaves nothing behind, interrupted or not.
///
/// # Errors
///
/// What the system reports; a byte that came back wrong.
pub fn run(options: &Options) -> Result<()> {
    let temp_dir = std::env::temp_dir();
    let scratch = Scratch::new("ds-demo-")
        .map_err(|e| Error::system("create a directory in", &temp_dir, e).hint(PLACE))?;
    let result = show(options, &scratch);
    let path = scratch.path().to_owned();
    let removed = scratch.close().map_err(|e| Error::system("remove", &path, e));
    result.and(removed)
}

fn show(options: &Options, scratch: &Scratch) -> Result<()> {
    let assets = match &options.assets {
        Some(dir) => dir.clone(),
        None => generate(options, &scratch.path().join("assets"))?,
    };
    let packed_path = scratch.path().join("demo.dspak");
    let packing = pack::Options {
        level: options.level,
        threads: options.threads,
        geometry: Geometry::DEFAULT,
        skip_special: true,
        force: false,
        quiet: options.quiet,
    };
    let summary = pack::run(&assets, &packed_path, &packing).map_err(|e| e.elsewhere(PLACE))?;
    let pack = open_pack(&packed_path)?;
    if pack.index().raw_size() == 0 {
        return Err(Error::usage(format!("there is not a byte in the files of {}", quoted(&assets)))
            .hint("name a directory with assets, or leave --assets out"));
    }
    let mut classes = classify(&pack);
    let mut streamer = stream::start(&StreamOptions { io: options.io, ..StreamOptions::default() })?;
    let progress = Progress::bytes("streaming", Some(pack.index().raw_size()), options.quiet);
    for class in classes.values_mut() {
        let entries = class.entries.iter().filter_map(|number| pack.index().entry(*number));
        let report = streamer.run(&pack, entries, |bytes| {
            progress.advance(bytes);
            true
        });
        class.report = report.map_err(|error| stream::run_error(&packed_path, error))?;
        stream::verdict(&packed_path, &pack, &class.report)?;
    }
    drop(progress);
    compare(&pack, &assets)?;
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out, &pack, &summary, &classes, &streamer).and_then(|()| out.flush()).map_err(Error::stdout)
}

fn generate(options: &Options, dir: &Path) -> Result<PathBuf> {
    let (scale, about) = if options.quick { (Scale::Quick, 2 << 20) } else { (Scale::Full, 32 << 20) };
    fs::create_dir(dir).map_err(|e| Error::system("create", dir, e))?;
    let progress = Progress::bytes("generating", Some(about), options.quiet);
    assets::write(dir, scale, SEED, |bytes| progress.advance(bytes))
        .map_err(|e| Error::system("write assets into", dir, e).elsewhere(PLACE))?;
    Ok(dir.to_owned())
}

/// Assets of one kind, and how they streamed.
#[derive(Default)]
struct Class {
    files: u64,
    size: u64,
    packed: u64,
    /// Their numbers in the pack.
    entries: Vec<usize>,
    report: Report,
}

fn classify(pack: &Pack) -> BTreeMap<String, Class> {
    let mut classes = BTreeMap::<String, Class>::new();
    for entry in pack.index().entries().filter(|entry| entry.kind() == EntryKind::File) {
        let class = classes.entry(printable(class_of(entry)).into_owned()).or_default();
        class.files += 1;
        class.size += entry.size();
        class.packed += entry.packed_size();
        class.entries.push(entry.number());
    }
    classes
}

/// The top directory; for files without one the extension; where that says nothing (`.bin`), the name.
fn class_of(entry: Entry<'_>) -> &str {
    let name = entry.name();
    match (name.split_once('/'), name.rsplit_once('.')) {
        (Some((directory, _)), _) => directory,
        (None, Some((stem, "bin"))) => stem,
        (None, Some((stem, extension))) if !stem.is_empty() && !extension.is_empty() => extension,
        _ => name,
    }
}

/// What was streamed had the checksums in the index; here the assets must have them, too.
fn compare(pack: &Pack, assets: &Path) -> Result<()> {
    let mut content = Vec::new();
    for entry in pack.index().entries().filter(|entry| entry.size() > 0) {
        let path = assets.join(entry.name());
        let mut file = File::open(&path).map_err(|e| Error::system("open", &path, e))?;
        for chunk in entry.chunks() {
            content.clear();
            let read = (&mut file).take(chunk.raw_size.into()).read_to_end(&mut content);
            read.map_err(|e| Error::system("read", &path, e))?;
            chunk
                .verify(&content)
                .map_err(|e| Error::data(&path, format_args!("not what was streamed: {e}")))?;
        }
    }
    Ok(())
}

fn write(
    out: &mut impl Write,
    pack: &Pack,
    summary: &pack::Summary,
    classes: &BTreeMap<String, Class>,
    streamer: &Streamer,
) -> io::Result<()> {
    let width = classes.keys().map(|name| name.chars().count()).fold("class".len(), usize::max);
    writeln!(
        out,
        "{:<width$} {:>6} {:>10} {:>10} {:>7} {:>7}",
        "class", "files", "size", "packed", "ratio", "MB/s"
    )?;
    let mut total = Class::default();
    for (name, class) in classes {
        class.write_row(out, name, width)?;
        total.add(class);
    }
    total.write_row(out, "total", width)?;
    let selection = streamer.selection();
    writeln!(
        out,
        "\n{} of pack with its index; {} of {} did not compress and {} stored as they are",
        units::bytes(summary.packed),
        summary.stored,
        units::count(summary.chunks, "chunk"),
        if summary.stored == 1 { "is" } else { "are" },
    )?;
    writeln!(
        out,
        "streamed by {} (I/O) and {} (codec) from a file just written, so from memory rather than disk",
        selection.io, selection.codec,
    )?;
    writeln!(
        out,
        "verified: all {} bytes in {} are what they were",
        pack.index().raw_size(),
        units::count(total.files, "file"),
    )
}

impl Class {
    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.size += other.size;
        self.packed += other.packed;
        self.report.content += other.report.content;
        self.report.wall += other.report.wall;
    }

    fn write_row(&self, out: &mut impl Write, name: &str, width: usize) -> io::Result<()> {
        let (size, packed) = (units::bytes(self.size), units::bytes(self.packed));
        let ratio = units::ratio(self.size, self.packed);
        let rate = match self.report.content {
            0 => "-".to_owned(),
            content => units::figure(units::rate(content, self.report.wall)),
        };
        writeln!(out, "{name:<width$} {:>6} {size:>10} {packed:>10} {ratio:>7} {rate:>7}", self.files)
    }
}
