//! Arguments of `ds bench`.

use core::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ds_runtime::vulkan::{DecoderPath, DeviceChoice};

use super::{LevelArg, device};
use crate::bench;
use crate::commands::bench as commands;
use crate::error::Result;
use crate::units::Log2;

/// Measure what this machine does, beside whom that is to be compared with
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds bench gpu
  ds bench gpu --corpus ~/game/assets --json > gpu.json
  ds bench gpu --help")]
pub(super) struct Bench {
    #[command(subcommand)]
    what: BenchWhat,
}

#[derive(Debug, Subcommand)]
enum BenchWhat {
    Gpu(BenchGpu),
}

/// Measure a Vulkan device, beside NVIDIA's nvCOMP where that is installed
///
/// 1: tiles in device memory, decoded there by us and by nvCOMP, in turns, on the same tiles and the same device.
///
/// 2: from submit until completion was seen, one request at a time.
///
/// 3: packed data from host memory to device memory, beside what the bus and the decoder can do by themselves.
///
/// 4: a pack in the page cache to device memory, decoded by the device, and by the processor; which stage limits it, and CPU time.
///
/// crossover: from which size of requests on the device is sooner done than the processor.
///
/// Beside these stand further ways of ours, where the device has them: the shader for any size of subgroups (1), packed bytes that the
/// processor writes into the device's memory (3, 4), and the driver's own decompression (1, 3, 4; last of all). What is not measured
/// is told, and why.
///
/// All output is overwritten before and compared after; a wrong byte is an error. nvCOMP 6 is opened at run time: where it is not
/// found, the results say that it was not measured. Figures of a device of software say so wherever they stand.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ds bench gpu
  ds bench gpu --corpus ~/game/assets --level 12 --output gpu.json
  ds bench gpu game.dspak --figure 1 --figure 3 --class textures
  ds bench gpu game.dspak --device 1 --figure 1 --subgroup any --nvcomp /opt/nvcomp/lib64/libnvcomp.so.6
  ds bench gpu --device llvmpipe --size 64K --rounds 1     see that it works, without a GPU")]
struct BenchGpu {
    /// A pack with the content, measured as it was packed; entries go by their name's first part
    #[arg(value_name = "PACK", conflicts_with_all = ["corpus", "level"])]
    pack: Option<PathBuf>,
    /// A folder with the content: each .bin file in it is a class, and so is each folder [default: generated assets]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Which Vulkan device: its number, its UUID, or part of its name; `ds doctor` lists them [default: the best]
    #[arg(long, value_name = "DEVICE", value_parser = device)]
    device: Option<DeviceChoice>,
    /// Which figure; may be given several times [default: all]
    #[arg(long, value_name = "FIGURE", value_enum)]
    figure: Vec<FigureArg>,
    /// Which class; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    class: Vec<String>,
    /// Different tiles of each class, 1 to 4096
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u16).range(1..=4096))]
    tiles: u16,
    #[command(flatten)]
    level: LevelArg,
    /// Output of each measurement, a power of two, 4K to 16G; four times as much in figure 4, on disk and on the device [default: 1G; 1M on
    /// a device of software]
    #[arg(long, value_name = "BYTES", value_parser = |text: &str| Log2::between(text, 12, 34))]
    size: Option<Log2>,
    /// How often each thing is measured, 1 to 1000 [default: 15; 2 on a device of software]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Requests in flight, 1 to 1024, in figures 3 and 4 [default: all of --size, up to 1024; 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    depth: Option<u16>,
    /// Packed data in memory at once, in figure 4: a power of two, 1M to 4G [default: 256M]
    #[arg(long, value_name = "BYTES", value_parser = |text: &str| Log2::between(text, 20, 32))]
    staging: Option<Log2>,
    /// Queues of the device to compute on at once, 1 to 4, if it has so many [default: 2; 1 on a device
    /// without a queue for transfers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    queues: Option<u8>,
    /// Which way through the decoder's shader
    #[arg(long, value_name = "LANES", value_enum, default_value = "32")]
    subgroup: SubgroupArg,
    /// A further way not to measure; may be given several times
    #[arg(long, value_name = "WAY", value_enum)]
    without: Vec<FurtherArg>,
    /// nvCOMP's library, for figure 1; it must be there then
    #[arg(long, value_name = "FILE", env = "NVCOMP_LIBRARY")]
    nvcomp: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write JSON to a file, whatever is printed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(short, long)]
    force: bool,
}

impl Bench {
    pub(super) fn run(self, quiet: bool) -> Result<()> {
        let BenchWhat::Gpu(args) = self.what;
        let results = commands::Results { json: args.json, file: args.output.clone(), force: args.force };
        commands::run(&args.options(quiet), &results)
    }
}

impl BenchGpu {
    fn options(self, quiet: bool) -> bench::Options {
        let figures = match self.figure.is_empty() {
            true => bench::Figure::ALL.into(),
            false => self.figure.into_iter().map(bench::Figure::from).collect(),
        };
        bench::Options {
            device: self.device.unwrap_or_default(),
            path: match self.subgroup {
                SubgroupArg::ThirtyTwo => DecoderPath::Auto,
                SubgroupArg::Any => DecoderPath::AnySize,
            },
            without: self.without.into_iter().map(bench::Further::from).collect(),
            figures,
            pack: self.pack,
            corpus: self.corpus,
            classes: self.class,
            tiles: self.tiles.into(),
            level: self.level.get(),
            size: self.size.map(|size| 1 << size.0),
            rounds: self.rounds.map(usize::from),
            depth: self.depth.map(usize::from),
            staging: self.staging.map(|staging| 1 << staging.0),
            queues: self.queues.and_then(|queues| NonZeroUsize::new(queues.into())),
            nvcomp: self.nvcomp,
            quiet,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FigureArg {
    /// Decoding in device memory
    #[value(name = "1")]
    Resident,
    /// What a submission costs
    #[value(name = "2")]
    Overhead,
    /// From host memory to device memory
    #[value(name = "3")]
    Upload,
    /// From a file to device memory
    #[value(name = "4")]
    File,
    /// Who is sooner done with which size
    #[value(name = "crossover")]
    Crossover,
}

impl From<FigureArg> for bench::Figure {
    fn from(figure: FigureArg) -> Self {
        match figure {
            FigureArg::Resident => Self::Resident,
            FigureArg::Overhead => Self::Overhead,
            FigureArg::Upload => Self::Upload,
            FigureArg::File => Self::File,
            FigureArg::Crossover => Self::Crossover,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SubgroupArg {
    /// The one for subgroups of 32, where the device has them
    #[value(name = "32")]
    ThirtyTwo,
    /// The one for any size
    Any,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FurtherArg {
    /// The shader for any size of subgroups
    Any,
    /// Packed bytes written into the device's memory by the processor
    Direct,
    /// The driver's own decompression
    Driver,
}

impl From<FurtherArg> for bench::Further {
    fn from(way: FurtherArg) -> Self {
        match way {
            FurtherArg::Any => Self::Any,
            FurtherArg::Direct => Self::Direct,
            FurtherArg::Driver => Self::Driver,
        }
    }
}
