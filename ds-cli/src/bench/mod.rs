//! `ds bench gpu`: what a Vulkan device makes of our work, figure by figure, beside whom it is to be compared with.
//!
//! 1. `content`: tiles by class, out of a pack; `layout`: the same in device memory, many times;
//! 2. `gpu`: a device, what runs on it, and how its memory is written, read back and compared;
//! 3. `flow`: many requests in flight; `places`: those that decode, each to a place of its own;
//! 4. the figures: `resident`, `overhead`, `upload`, `file`, `crossover`; `beside`: which further ways of ours are part of them;
//! 5. `samples`: of many times the one that counts; `threads`: who had the processor; `report`: figures as a table.
//!
//! Every figure's output is overwritten before it is taken, and compared byte by byte when it has been. A byte that is wrong is an
//! error, and there are no figures.

mod beside;
mod content;
mod crossover;
mod file;
mod flow;
mod gpu;
mod layout;
mod overhead;
mod places;
mod report;
mod resident;
mod samples;
mod threads;
mod upload;

use core::num::NonZeroUsize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ds_bench::classes::{self, evenly};
use ds_bench::gpu::{Results, Rival, SCHEMA};
use ds_bench::machine;
use ds_bench::progress::Progress;
use ds_gdeflate::Level;
use ds_nvcomp::Nvcomp;
use ds_runtime::vulkan::{DecoderPath, DeviceChoice, VulkanConfig};

use self::beside::Beside;
use self::content::{Class, check_wanted, is_wanted};
use self::gpu::Gpu;
use crate::assets::{self, Scale};
use crate::commands::{open_pack, pack};
use crate::error::{Error, Kind, Result};
use crate::files::scratch::Scratch;
use crate::pack::Geometry;
use crate::stream::cores;

pub use beside::Further;
pub use report::write as write_table;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Decoding in device memory.
    Resident,
    /// What a submission costs.
    Overhead,
    /// From host memory to device memory.
    Upload,
    /// From a file to device memory.
    File,
    /// Who is sooner done with which size.
    Crossover,
}

impl Figure {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Resident, Self::Overhead, Self::Upload, Self::File, Self::Crossover];
}

/// What to measure, and on what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The device.
    pub device: DeviceChoice,
    /// Which way through the decoder's shader.
    pub path: DecoderPath,
    /// Which figures.
    pub figures: BTreeSet<Figure>,
    /// Further ways that are not measured beside it.
    pub without: BTreeSet<Further>,
    /// A pack with the content.
    pub pack: Option<PathBuf>,
    /// A folder with the content: each file and each folder in it is a class.
    pub corpus: Option<PathBuf>,
    /// Classes that are measured; all if there are none.
    pub classes: Vec<String>,
    /// Tiles of each class.
    pub tiles: usize,
    /// How hard to compress what is not in a pack.
    pub level: Level,
    /// Bytes of output of a measurement. Unless told: 1 GiB, on a device of software 1 MiB.
    pub size: Option<u64>,
    /// How often each thing is measured. Unless told: 15 times, on a device of software twice.
    pub rounds: Option<usize>,
    /// Requests in flight. Unless told: as many as keep a large device busy.
    pub depth: Option<usize>,
    /// Packed data in memory at once, where a file is read.
    pub staging: Option<usize>,
    /// Most queues of the device to compute on at once. Unless told: as many as it is opened with.
    pub queues: Option<NonZeroUsize>,
    /// nvCOMP's library, if it is not where the system's loader looks.
    pub nvcomp: Option<PathBuf>,
    /// No progress bar.
    pub quiet: bool,
}

/// Where packs go that are made to be measured.
const PLACE: &str = "TMPDIR names the place for packs that are measured";

/// How much to measure, on this device.
#[derive(Clone, Copy, Debug)]
struct Scope {
    size: u64,
    rounds: usize,
    /// Requests of which each one's time is taken.
    samples: usize,
    /// How often output is filled for one time that is taken, where it is taken of many requests.
    passes: usize,
    depth: Option<usize>,
    staging: Option<usize>,
    path: DecoderPath,
}

/// Measures.
///
/// # Errors
///
/// No such device, content or library; what the driver says; and output that is not the content.
pub fn run(options: &Options, command: String) -> Result<Results> {
    let config = VulkanConfig::default().decoder_path(options.path);
    let wants_driver = beside::wants_driver(&options.figures, &options.without);
    let gpu = Gpu::open(&options.device, options.queues, config, wants_driver)?;
    let mut beside = Beside::new(&gpu, options);
    // Software decodes about 1 MB/s, and is measured only to see that measuring works.
    let (size, rounds, samples, passes) =
        if gpu.is_software() { (1 << 20, 2, 2, 1) } else { (1 << 30, 15, 1000, 4) };
    let scope = Scope {
        size: options.size.unwrap_or(size),
        rounds: options.rounds.unwrap_or(rounds),
        samples,
        passes,
        depth: options.depth,
        staging: options.staging,
        path: options.path,
    };
    let wants = |figure| options.figures.contains(&figure);
    let folder = Scratch::new("ds-bench-")
        .map_err(|error| Error::system("create a directory in", &std::env::temp_dir(), error).hint(PLACE))?;
    let (path, content) = source(options, folder.path()).map_err(|error| error.elsewhere(PLACE))?;
    let pack = open_pack(&path)?;
    // What a pack is made of here only for the time being, is called by its own name.
    let known_as = options.corpus.as_deref().unwrap_or(&path);
    let classes = content::load(&pack, known_as, &options.classes, options.tiles)?;

    let steps = options.figures.len() * classes.len();
    let progress = if options.quiet { Progress::hidden() } else { Progress::new("bench gpu", steps) };
    let mut results = Results {
        schema: SCHEMA.to_owned(),
        date: machine::today(),
        command,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: machine::describe(None),
        device: gpu.describe(options.path),
        rival: Rival::NotMeasured { why: "figure 1 was not asked for".to_owned() },
        driver: None,
        direct: None,
        content,
        size: scope.size,
        rounds: scope.rounds,
        resident: Vec::new(),
        overhead: Vec::new(),
        upload: Vec::new(),
        file: None,
        crossover: Vec::new(),
    };
    // Before the rival is there: nobody else in the process has the device.
    if wants(Figure::Overhead) {
        progress.begin("submissions");
        results.overhead = overhead::measure(&gpu, &classes, &scope)?;
        // It has shown by now.
        results.device = gpu.describe(options.path);
        progress.done();
    }
    let mut theirs = None;
    if wants(Figure::Resident) {
        (results.rival, theirs) = rival(options.nvcomp.as_deref(), &gpu)?;
    }
    // Bounds of the third and the fourth are what the first measures.
    if wants(Figure::Resident) || wants(Figure::Upload) || wants(Figure::File) {
        results.resident = resident::measure(&gpu, &classes, &scope, theirs.as_ref(), beside.any, &progress)?;
    }
    // Nor is it there any more for what follows.
    drop(theirs);
    let bus = match wants(Figure::Upload) || wants(Figure::File) {
        true => upload::bus(&gpu, &scope)?,
        false => f64::NAN,
    };
    if wants(Figure::Upload) {
        let bounds = (bus, &*results.resident);
        results.upload = upload::measure(&gpu, &classes, &scope, bounds, &mut beside, &progress)?;
    }
    let long = folder.path().join("long.dspak");
    if wants(Figure::File) {
        progress.begin("files");
        let decode = resident::rate_of_all(&results.resident);
        file::lengthen((&pack, &path), &long, &options.classes, scope.size * scope.passes as u64)
            .map_err(|error| error.elsewhere(PLACE))?;
        let setup = file::Setup::new(&gpu, &long, &scope)?;
        results.file = Some(setup.measure((bus, decode), &mut beside)?);
        progress.done();
    }
    if wants(Figure::Crossover) {
        results.crossover = crossover::measure(&gpu, &classes, &scope, &progress)?;
    }
    if !wants(Figure::Resident) {
        results.resident.clear();
    }
    results.direct = Some(Beside::part(&beside.direct));
    results.driver = Some(Beside::part(&beside.driver));
    // Last of all: what the driver makes of it, be it a lost device, spoils no other figure.
    if beside.driver.is_ok()
        && let Err(error) = by_driver(&gpu, &classes, &scope, &long, &mut results, &progress)
    {
        results.without_driver(error.to_string());
    }
    Ok(results)
}

/// Has the driver decode what the figures before have had decoded.
fn by_driver(
    gpu: &Gpu,
    classes: &[Class],
    scope: &Scope,
    pack: &Path,
    results: &mut Results,
    progress: &Progress,
) -> Result<()> {
    for (class, row) in classes.iter().zip(&mut results.resident) {
        progress.begin(format!("{}, by the driver", class.name));
        row.driver = Some(resident::by_driver(gpu, class, scope)?);
    }
    for (class, row) in classes.iter().zip(&mut results.upload) {
        progress.begin(format!("{} from host memory, by the driver", class.name));
        row.driver = Some(upload::by_driver(gpu, class, scope)?);
    }
    if let Some(file) = &mut results.file {
        progress.begin("files, by the driver");
        file.ways.extend(file::Setup::new(gpu, pack, scope)?.by_driver()?);
    }
    Ok(())
}

/// Opens nvCOMP on the same device. Where its file was named, it has to be there.
fn rival(file: Option<&Path>, gpu: &Gpu) -> Result<(Rival, Option<ds_nvcomp::Device>)> {
    let opened = Nvcomp::open(file).and_then(|nvcomp| {
        let info = gpu.info();
        let (device, matched_by) = match nvcomp.device(|device| device.uuid == info.uuid) {
            Ok(device) => (device, "uuid"),
            Err(_) => (nvcomp.device(|device| device.name == info.name)?, "name"),
        };
        Ok((nvcomp, device, matched_by))
    });
    match opened {
        Ok((nvcomp, device, matched_by)) => {
            let measured = Rival::Measured {
                nvcomp: nvcomp.version(),
                cuda: nvcomp.driver_version(),
                device: device.info().name.clone(),
                matched_by: matched_by.to_owned(),
            };
            Ok((measured, Some(device)))
        }
        Err(error) if file.is_none() => Ok((Rival::NotMeasured { why: error.to_string() }, None)),
        Err(error) => Err(Error::new(Kind::System, format!("nvCOMP cannot be measured: {error}")).hint(
            "without --nvcomp and NVCOMP_LIBRARY it is left out where it is missing, and the results say so",
        )),
    }
}

/// The pack with the content, made in `folder` if need be, and where that comes from.
fn source(options: &Options, folder: &Path) -> Result<(PathBuf, String)> {
    if let Some(pack) = &options.pack {
        return Ok((pack.clone(), "a pack".to_owned()));
    }
    let (assets, packed) = (folder.join("assets"), folder.join("assets.dspak"));
    let system = |error| Error::system("write to", &assets, error);
    fs::create_dir(&assets).map_err(system)?;
    let level = options.level.number();
    let content = match &options.corpus {
        Some(corpus) => {
            sample(corpus, &assets, options)?;
            format!("a corpus, level {level}")
        }
        None => {
            assets::write(&assets, Scale::Quick, 1, |_| {}).map_err(system)?;
            format!("GENERATED: says little about real content; level {level}")
        }
    };
    let how = pack::Options {
        level: options.level,
        threads: cores().get(),
        geometry: Geometry::DEFAULT,
        skip_special: true,
        force: true,
        quiet: true,
    };
    pack::run(&assets, &packed, &how)?;
    Ok((packed, content))
}

/// Some of each class's tiles, in a file of its name.
fn sample(corpus: &Path, assets: &Path, options: &Options) -> Result<()> {
    let classes = classes::read(corpus).map_err(|error| Error::system("read", corpus, error))?;
    check_wanted("content", &options.classes, classes.iter().map(|class| class.name.as_str()))?;
    for class in classes {
        if !is_wanted(&class.name, &options.classes) {
            continue;
        }
        let tiles: Vec<_> = class.content.chunks(ds_gdeflate::TILE_SIZE).collect();
        let chosen: Vec<u8> =
            evenly(tiles.len(), options.tiles).flat_map(|tile| tiles[tile]).copied().collect();
        let path = assets.join(&class.name);
        fs::write(&path, chosen).map_err(|error| Error::system("write to", &path, error))?;
    }
    Ok(())
}

/// Names the class in what went wrong.
fn of_class<T>(class: &Class, result: Result<T>) -> Result<T> {
    result.map_err(|error| Error::new(error.kind(), format!("{}: {error}", class.name)))
}
