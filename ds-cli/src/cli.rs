//! Arguments, help and exit codes.

mod bench;

use core::num::NonZeroUsize;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ds_gdeflate::Level;
use ds_runtime::vulkan::{DeviceChoice, VulkanConfig};

use self::bench::Bench;
use crate::commands::{compress, decompress, demo, doctor, inspect, list, pack, stream, unpack};
use crate::error::{Error, Kind, Result};
use crate::pack::{Geometry, layout};
use crate::signals;
use crate::stream::{CodecKind, IoKind, Target};
use crate::units::{self, Log2};

const EXIT_CODES: &str = "\
Exit codes:
  0      done
  1      the system refused something: missing file or device, full disk, no permission
  2      the arguments make no sense
  3      the input is damaged, or is not what it should be
  128+n  ended by signal n: 129 hang-up, 130 interrupt, 143 termination
  141    the reader of standard output went away";

/// Pack, unpack, inspect and stream game assets.
///
/// A *tile stream* (.gds) is one file compressed with GDeflate, the format that DirectStorage and GPUs decode.
/// A *pack* (.dspak) is a directory of assets in one file, every chunk of which is a tile stream of its own.
///
/// Results go to standard output; progress bars, summaries and warnings to standard error. Outputs appear under
/// their names when they are complete, never before.
#[derive(Debug, Parser)]
#[command(name = "ds", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// No progress bars, summaries or warnings
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compress(Compress),
    Decompress(Decompress),
    Pack(Pack),
    Unpack(Unpack),
    List(List),
    Inspect(Inspect),
    Stream(Stream),
    Demo(Demo),
    Doctor(Doctor),
    Bench(Bench),
    Completions(Completions),
}

/// Compress a file into a GDeflate tile stream
///
/// The same input and level give the same bytes, whatever the number of threads. Memory stays within a few MiB per
/// thread. Tile streams hold 4 294 901 760 bytes at most; `ds pack` takes files of any size.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds compress hero.bc7 -o hero.gds
  ds compress level.bin -o level.gds --level 1 --threads 4
  tar c assets | ds compress - -o assets.tar.gds
  ds compress music.pcm -o - | ssh host 'cat > music.gds'")]
struct Compress {
    /// The file to compress; - is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The stream to write; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    level: LevelArg,
    /// Which codec identifier to write
    #[arg(long, value_enum, default_value_t = CodecId::Reference)]
    codec_id: CodecId,
    #[command(flatten)]
    threads: Threads,
    /// Replace OUT if it exists
    #[arg(short, long)]
    force: bool,
}

/// Decompress a GDeflate tile stream
///
/// Both codec identifiers are read. Input and output are passed over once, so both may be pipes. Bytes after the end
/// of the stream are ignored, with a warning.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds decompress hero.gds -o hero.bc7
  ds decompress assets.tar.gds -o - | tar x
  ds decompress level.gds -o /dev/null --threads 1     check a stream")]
struct Decompress {
    /// The stream to decompress; - is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to write; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    threads: Threads,
    /// Replace OUT if it exists
    #[arg(short, long)]
    force: bool,
}

/// Pack a directory into one file
///
/// Entries are sorted by name and carry neither times nor permissions, so the same content gives the same bytes.
/// Files are cut into chunks that are compressed independently, and stored as they are where that is not smaller.
/// Empty directories are kept. Symbolic links and special files are refused unless --skip-special is given.
/// Memory stays within some 20 MiB per thread.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds pack assets -o game.dspak
  ds pack assets -o game.dspak --align 4096            for readers that bypass the page cache
  ds pack assets -o game.dspak --chunk 256K --force    finer pieces: less memory in flight
  ds pack assets -o - | ssh host 'cat > game.dspak'")]
struct Pack {
    /// The directory to pack
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The pack to write; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    level: LevelArg,
    /// Begin every chunk at a multiple of this many bytes: a power of two, 16 to 64K
    #[arg(long, value_name = "BYTES", default_value = "16", value_parser = align)]
    align: Log2,
    /// Content of a chunk in bytes: a power of two, 64K to 4M
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = chunk_size)]
    chunk: Log2,
    /// Leave out symbolic links and special files, with a warning
    #[arg(long)]
    skip_special: bool,
    #[command(flatten)]
    threads: Threads,
    /// Replace FILE if it exists
    #[arg(short, long)]
    force: bool,
}

/// Unpack a pack into a directory
///
/// Every chunk's checksum is verified before its file appears. Nothing is written outside DIR, whatever the pack says
/// and whatever symbolic links lie there. On failure, or when a signal ends it, what was made is removed again. --force
/// replaces files when everything else is done, and never before.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds unpack game.dspak -o assets
  ds unpack game.dspak -o assets --force               replace files that exist")]
struct Unpack {
    /// The pack to unpack
    #[arg(value_name = "FILE")]
    pack: PathBuf,
    /// The directory to unpack into; made if missing
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    threads: Threads,
    /// Replace files that exist
    #[arg(short, long)]
    force: bool,
}

/// List what a pack holds
///
/// Reads the index alone, which is verified whole. Totals go to standard error. --json has them as well, and every
/// chunk with its offset and checksum.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds list game.dspak
  ds list game.dspak | sort -n | tail                  the largest entries
  ds list game.dspak --json | jq '.entries[].name'")]
struct List {
    /// The pack to list
    #[arg(value_name = "FILE")]
    pack: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show how a tile stream or a pack is made up
///
/// Decodes every tile without writing it anywhere, counts blocks by kind, literals and matches, and prints a histogram of
/// how well tiles compress.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds inspect hero.gds
  ds inspect game.dspak --json")]
struct Inspect {
    /// The tile stream or pack to inspect
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    threads: Threads,
}

/// Pack real assets, stream them back, verify every byte
///
/// Without --assets it generates textures, meshes, audio and text of its own (some 32 MiB, the same on every machine)
/// in a temporary directory, which is removed afterwards.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds demo
  ds demo --quick
  ds demo --assets ~/game/assets")]
struct Demo {
    /// Use the files of this directory
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
    /// Generate some 2 MiB only
    #[arg(long, conflicts_with = "assets")]
    quick: bool,
    /// Which engine reads
    #[arg(long, value_name = "ENGINE", value_enum, default_value = "auto")]
    engine: IoArg,
    #[command(flatten)]
    level: LevelArg,
    #[command(flatten)]
    threads: Threads,
}

/// Stream a pack through the runtime's queue, verify it, and tell how fast that was
///
/// Every chunk of every entry is read, decoded and checked against its checksum: compressed chunks by one request each,
/// stored ones in pieces of the request size. A thousand damaged chunks end it. Memory in use is bounded by the depth times
/// the request size, 64 KiB for each worker, the length of the pack's index (24 bytes a chunk, and 16 and its name an entry),
/// --staging and 32 MiB, however big the content is; a Vulkan device's driver and memory come on top. A named engine never
/// falls back to another; `auto` takes the best there is. The pack may come from the page cache: drop that first to measure
/// the disk.
///
/// With --to vram content goes to a device's memory, whoever decodes it, and is read back and checked when the time has been taken.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds stream game.dspak
  ds stream game.dspak --depth 64 --workers 4
  ds pack assets -o fine.dspak --chunk 64K && ds stream fine.dspak --depth 128 --request-size 64K
  ds stream game.dspak --engine uring --direct --depth 64
  ds stream game.dspak --engine cpu --codec cpu --json
  ds stream game.dspak --engine uring --codec vulkan --to vram
  ds stream game.dspak --codec vulkan --to vram --device radeon --vram 256M
  ds stream game.dspak --codec cpu --to vram    decoded by the processor, copied to the device")]
struct Stream {
    /// The pack to stream
    #[arg(value_name = "FILE")]
    pack: PathBuf,
    /// Which engine reads
    #[arg(long, value_name = "ENGINE", value_enum, default_value = "auto")]
    engine: IoArg,
    /// Which engine decodes
    #[arg(long, value_name = "ENGINE", value_enum, default_value = "auto")]
    codec: CodecArg,
    /// Where content goes
    #[arg(long, value_name = "MEMORY", value_enum, default_value = "host")]
    to: ToArg,
    /// Which Vulkan device: its number, its UUID, or part of its name; `ds doctor` lists them [default: the best]
    #[arg(long, value_name = "DEVICE", value_parser = device)]
    device: Option<DeviceChoice>,
    /// Device memory that content goes to, a power of two, 4K to 1T: when it is full, its content is verified and the next comes
    /// [default: 1G]
    #[arg(long, value_name = "BYTES", value_parser = |text: &str| Log2::between(text, 12, 40))]
    vram: Option<Log2>,
    /// Requests in flight, 1 to 1048576 [default: 256 if a device takes part, else two for each worker, at least 4; past the page cache at least 32]
    #[arg(short, long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::stream::Options::MAX_DEPTH)))]
    depth: Option<u32>,
    /// Most content one request asks for: a power of two, 4K to 4M. Not less than the chunks that are compressed hold
    #[arg(long, value_name = "BYTES", default_value = "4M", value_parser = |text: &str| Log2::between(text, 12, 22))]
    request_size: Log2,
    /// Largest single read asked of the engine, a power of two, 4K to 1G: longer ones are cut, so that none blocks others
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = |text: &str| Log2::between(text, 12, 30))]
    read_size: Log2,
    /// Packed data in memory at once, a power of two, 1M to 4G [default: 32M; 256M if a device takes part]
    #[arg(long, value_name = "BYTES", value_parser = |text: &str| Log2::between(text, 20, 32))]
    staging: Option<Log2>,
    /// Read past the page cache: from the disk, whatever is cached
    #[arg(long)]
    direct: bool,
    /// Threads for reading, and as many for decoding beside the one that waits, 1 to 1024 [default: all cores busy]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Stream {
    fn options(&self) -> Result<crate::stream::Options> {
        let options = crate::stream::Options {
            io: self.engine.into(),
            codec: match self.codec {
                CodecArg::Auto => CodecKind::Auto,
                CodecArg::Cpu => CodecKind::Cpu,
                CodecArg::Vulkan => CodecKind::Vulkan,
            },
            target: match self.to {
                ToArg::Host => Target::Host,
                ToArg::Vram => Target::Vram(1 << self.vram.map_or(30, |size| size.0)),
            },
            device: self.device.clone().unwrap_or_default(),
            vulkan: VulkanConfig::default(),
            stage_times: false,
            depth: self.depth.and_then(|depth| NonZeroUsize::new(depth as usize)),
            request_size: 1 << self.request_size.0,
            read_size: 1 << self.read_size.0,
            staging: self.staging.map(|staging| 1 << staging.0),
            direct: self.direct,
            workers: self.workers.and_then(|workers| NonZeroUsize::new(workers.into())),
        };
        if self.device.is_some() && !options.needs_device() {
            return Err(Error::usage("--device names a device that nothing would use")
                .hint("add --codec vulkan, --to vram or both"));
        }
        if self.vram.is_some() && options.target == Target::Host {
            return Err(
                Error::usage("--vram limits device memory that nothing would use").hint("add --to vram")
            );
        }
        Ok(options)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ToArg {
    /// Host memory
    Host,
    /// A Vulkan device's memory
    Vram,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IoArg {
    /// The best there is
    Auto,
    /// Reads on a thread pool
    Cpu,
    /// Reads by io_uring
    Uring,
}

impl From<IoArg> for IoKind {
    fn from(engine: IoArg) -> Self {
        match engine {
            IoArg::Auto => Self::Auto,
            IoArg::Cpu => Self::Cpu,
            IoArg::Uring => Self::Uring,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CodecArg {
    /// The best there is
    Auto,
    /// Decoding on a thread pool
    Cpu,
    /// Decoding by a Vulkan device
    Vulkan,
}

/// Tell what this machine offers each engine, and what it does not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds doctor
  ds doctor /mnt/games                                 asks about the file system there
  ds doctor --json")]
struct Doctor {
    /// A file or directory whose file system is of interest
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds completions bash > ~/.local/share/bash-completion/completions/ds
  ds completions fish > ~/.config/fish/completions/ds.fish
  ds completions zsh  > ~/.zfunc/_ds")]
struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
struct LevelArg {
    /// 0 stores, 1 is fastest, 12 is smallest and slow: for what is packed once and read often
    #[arg(short, long, value_name = "N", default_value_t = Level::DEFAULT.number(),
          value_parser = clap::value_parser!(u8).range(0..=i64::from(Level::BEST_RATIO.number())))]
    level: u8,
}

impl LevelArg {
    fn get(&self) -> Level {
        Level::new(self.level).unwrap_or_default()
    }
}

/// Which Vulkan device.
fn device(text: &str) -> core::result::Result<DeviceChoice, String> {
    if text.trim().is_empty() {
        return Err("this is no device's number, UUID or name".to_owned());
    }
    let Ok(choice) = text.parse();
    Ok(choice)
}

#[derive(Debug, Args)]
struct Threads {
    /// Worker threads, 1 to 1024 [default: one per core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Threads {
    fn get(&self) -> usize {
        self.threads.map_or_else(|| crate::stream::cores().get(), usize::from)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CodecId {
    /// 04 FB: what the public reference writes and reads
    Reference,
    /// FE 01: what the DirectStorage runtime writes
    Directstorage,
}

impl From<CodecId> for ds_gdeflate::CodecId {
    fn from(id: CodecId) -> Self {
        match id {
            CodecId::Reference => Self::Reference,
            CodecId::Directstorage => Self::DirectStorage,
        }
    }
}

fn align(text: &str) -> core::result::Result<Log2, String> {
    Log2::between(text, layout::MIN_ALIGN_LOG2, layout::MAX_ALIGN_LOG2)
}

fn chunk_size(text: &str) -> core::result::Result<Log2, String> {
    Log2::between(text, layout::MIN_CHUNK_LOG2, layout::MAX_CHUNK_LOG2)
}

/// Runs the command, reports its error, and says what the program should exit with.
pub fn main(arguments: Result<Cli, clap::Error>) -> ExitCode {
    signals::watch();
    let done = match arguments {
        Ok(cli) => cli.run(),
        // Help that was asked for is a result like any other.
        Err(answer) => match answer.print() {
            Err(error) if !answer.use_stderr() => Err(Error::stdout(error)),
            _ => return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(u8::MAX)),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What failed because a signal is removing it is no news: then this does not return.
            let _hold = signals::hold();
            if error.kind() != Kind::ReaderGone {
                // With standard error closed as well, the exit code has to do.
                let _ = writeln!(io::stderr(), "ds: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

impl Cli {
    fn run(self) -> Result<()> {
        let quiet = self.quiet;
        let say = |text: String| {
            if !quiet {
                eprintln!("{text}");
            }
        };
        match self.command {
            Command::Compress(args) => {
                let totals = compress::run(
                    &args.input,
                    &args.output,
                    &compress::Options {
                        level: args.level.get(),
                        codec_id: args.codec_id.into(),
                        threads: args.threads.get(),
                        force: args.force,
                        quiet,
                    },
                )?;
                say(summary("compressed", totals.raw, totals.packed, &totals.ratio()));
            }
            Command::Decompress(args) => {
                let options = decompress::Options { threads: args.threads.get(), force: args.force, quiet };
                let totals = decompress::run(&args.input, &args.output, &options)?;
                say(summary("decompressed", totals.packed, totals.raw, &totals.ratio()));
            }
            Command::Pack(args) => {
                let geometry = Geometry::from_log2(args.align.0, args.chunk.0)
                    .map_err(|e| Error::usage(e.to_string()))?;
                let options = pack::Options {
                    level: args.level.get(),
                    threads: args.threads.get(),
                    geometry,
                    skip_special: args.skip_special,
                    force: args.force,
                    quiet,
                };
                let done = pack::run(&args.dir, &args.output, &options)?;
                let what = format!("packed {}", units::count(done.files, "file"));
                say(summary(&what, done.raw, done.packed, &units::ratio(done.raw, done.packed)));
            }
            Command::Unpack(args) => {
                let options = unpack::Options { threads: args.threads.get(), force: args.force, quiet };
                let size = unpack::run(&args.pack, &args.output, &options)?;
                say(format!("unpacked {}, every checksum right", units::bytes(size)));
            }
            Command::List(args) => {
                if let Some(totals) = list::run(&args.pack, args.json)? {
                    say(totals);
                }
            }
            Command::Stream(args) => stream::run(&args.pack, &args.options()?, args.json)?,
            Command::Inspect(args) => inspect::run(&args.file, args.json, args.threads.get(), quiet)?,
            Command::Demo(args) => demo::run(&demo::Options {
                assets: args.assets,
                quick: args.quick,
                io: args.engine.into(),
                level: args.level.get(),
                threads: args.threads.get(),
                quiet,
            })?,
            Command::Doctor(args) => doctor::run(&args.path, args.json)?,
            Command::Bench(args) => args.run(quiet)?,
            Command::Completions(args) => {
                // Not straight to standard output: the generator panics where that is closed.
                let mut script = Vec::new();
                clap_complete::generate(args.shell, &mut Self::command(), "ds", &mut script);
                let mut out = io::stdout();
                out.write_all(&script).and_then(|()| out.flush()).map_err(Error::stdout)?;
            }
        }
        Ok(())
    }
}

fn summary(what: &str, from: u64, to: u64, ratio: &str) -> String {
    format!("{what}: {} to {}, ratio {ratio}", units::bytes(from), units::bytes(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Examples:\n  ds "), "{}", command.get_name());
            assert!(command.get_about().is_some());
        }
    }
}
