//! Ways of ours that are measured beside the one that is taken unless told: where the device has them, and nobody left them out.

use std::collections::BTreeSet;

use ds_bench::gpu::Part;
use ds_runtime::vulkan::{DecoderPath, Upload, VulkanConfig};

use super::gpu::Gpu;
use super::{Figure, Options};
use crate::error::{Kind, Result};

/// A further way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Further {
    /// The way through the shader for any size of subgroups.
    Any,
    /// Packed bytes written into the device's memory by the processor.
    Direct,
    /// The driver's own decompression.
    Driver,
}

/// Which of them take part. The others: why not.
pub(super) struct Beside {
    pub(super) any: bool,
    pub(super) direct: core::result::Result<(), String>,
    pub(super) driver: core::result::Result<(), String>,
}

impl Beside {
    pub(super) fn new(gpu: &Gpu, options: &Options) -> Self {
        let wanted = |way, name: &str, figures: &[Figure]| {
            if options.without.contains(&way) {
                return Err(format!("left out: --without {name}"));
            }
            match figures.iter().any(|figure| options.figures.contains(figure)) {
                true => Ok(()),
                false => Err("no figure was asked for that it is part of".to_owned()),
            }
        };
        let (resident, upload, file) = (Figure::Resident, Figure::Upload, Figure::File);
        Self {
            any: options.path != DecoderPath::AnySize
                && gpu.info().features.has_lanes()
                && !options.without.contains(&Further::Any),
            direct: wanted(Further::Direct, "direct", &[upload, file]).and_then(|()| direct(gpu)),
            driver: wanted(Further::Driver, "driver", &[resident, upload, file]).and_then(|()| driver(gpu)),
        }
    }

    /// What the results say of one.
    pub(super) fn part(part: &core::result::Result<(), String>) -> Part {
        match part {
            Ok(()) => Part::Measured,
            Err(why) => Part::NotMeasured { why: why.clone() },
        }
    }

    /// What came of writing into the device's memory. Where there is too little of it, or a driver refuses, that way is not measured;
    /// a wrong byte is an error.
    pub(super) fn of_direct<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(result) => Ok(Some(result)),
            Err(error) if error.kind() == Kind::Data => Err(error),
            Err(error) => {
                self.direct = Err(error.to_string());
                Ok(None)
            }
        }
    }
}

/// Whether anybody wants the driver's decompression: the device has to be opened for it.
pub(super) fn wants_driver(figures: &BTreeSet<Figure>, without: &BTreeSet<Further>) -> bool {
    let part_of = [Figure::Resident, Figure::Upload, Figure::File];
    !without.contains(&Further::Driver) && part_of.iter().any(|figure| figures.contains(figure))
}

/// The configuration for packed bytes written by the processor.
pub(super) fn directly(config: &VulkanConfig) -> VulkanConfig {
    config.clone().upload(Upload::Direct)
}

/// The configuration for the driver's decompression.
pub(super) fn by_driver(config: &VulkanConfig) -> VulkanConfig {
    config.clone().decoder_path(DecoderPath::Trusted)
}

fn direct(gpu: &Gpu) -> core::result::Result<(), String> {
    let info = gpu.info();
    if directly(&gpu.config).uploads_directly(&gpu.device) {
        return Ok(());
    }
    Err(match info.kind.shares_memory() {
        true => format!("{} has no memory of its own: it reads the host's where it lies", info.name),
        false => format!("{} has no window on its memory for the processor to write through", info.name),
    })
}

fn driver(gpu: &Gpu) -> core::result::Result<(), String> {
    match gpu.info().features.nv_memory_decompression {
        true => Ok(()),
        false => Err(format!("{} has no VK_NV_memory_decompression of GDeflate", gpu.info().name)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ds_bench::gpu::Resident;
    use ds_bench::progress::Progress;
    use ds_gdeflate::{CodecId, Level, TileStream, compress};
    use ds_runtime::vulkan::DeviceChoice;

    use super::*;
    use crate::bench::content::{Class, Tile};
    use crate::bench::{Scope, file, resident, upload};
    use crate::commands::pack;
    use crate::error::Error;
    use crate::pack::Geometry;

    /// A device, used as if it were a card with memory of its own.
    fn card() -> Option<Gpu> {
        let config = VulkanConfig::default().as_card(true);
        match Gpu::open(&DeviceChoice::Auto, None, config, true) {
            Ok(gpu) => Some(gpu),
            Err(error) => {
                assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "Vulkan is required here: {error}");
                eprintln!("SKIPPED: {error}");
                None
            }
        }
    }

    const SCOPE: Scope = Scope {
        size: 8192,
        rounds: 1,
        samples: 2,
        passes: 2,
        depth: None,
        staging: None,
        path: DecoderPath::Auto,
    };

    fn beside() -> Beside {
        Beside { any: true, direct: Ok(()), driver: Ok(()) }
    }

    fn class() -> Class {
        let tile = |seed: u32| {
            let content: Vec<u8> = (0..3000_u32).map(|n| (((n ^ seed) * n) >> 7) as u8).collect();
            let stream = compress(&content, Level::FASTEST, CodecId::Reference).unwrap();
            let payload = TileStream::parse(&stream).unwrap().tiles().next().unwrap().payload().to_vec();
            Tile { payload, content }
        };
        Class { name: "c".into(), tiles: vec![tile(1), tile(77)] }
    }

    #[test]
    fn packed_bytes_that_the_processor_writes_arrive_and_are_compared() {
        let Some(gpu) = card() else { return };
        assert_eq!(direct(&gpu), Ok(()), "a card of this kind has a window");
        let (mut beside, progress) = (beside(), Progress::hidden());
        let classes = [class()];
        let rows = resident::measure(&gpu, &classes, &SCOPE, None, true, &progress).unwrap();
        assert!(rows[0].any.is_some() && rows[0].driver.is_none());
        let measure = |classes: &[Class], rows: &[Resident], beside: &mut Beside| {
            upload::measure(&gpu, classes, &SCOPE, (1.0, rows), beside, &progress)
        };
        let uploads = measure(&classes, &rows, &mut beside).unwrap();
        assert_eq!(beside.direct, Ok(()));
        let row = &uploads[0];
        let times = [Some(row.pinned), Some(row.plain), row.direct_pinned, row.direct_plain];
        assert!(times.iter().all(|time| time.is_some_and(|time| time > 0.0)), "{row:?}");
        // What was left out is not measured.
        beside.direct = Err("left out".into());
        assert!(measure(&classes, &rows, &mut beside).unwrap()[0].direct_plain.is_none());
        let mut wrong = classes;
        wrong[0].tiles[1].content[2999] ^= 1;
        let error = measure(&wrong, &rows, &mut super::tests::beside()).unwrap_err();
        assert!(error.to_string().contains("WRONG OUTPUT"), "{error}");
    }

    #[test]
    fn a_file_goes_the_direct_way_as_well() {
        let Some(gpu) = card() else { return };
        let place = tempfile::tempdir().unwrap();
        let (input, packed) = (place.path().join("in"), place.path().join("p"));
        fs::create_dir(&input).unwrap();
        fs::write(input.join("a"), b"a file of some bytes ".repeat(200)).unwrap();
        let how = pack::Options {
            level: Level::DEFAULT,
            threads: 1,
            geometry: Geometry::DEFAULT,
            skip_special: true,
            force: false,
            quiet: true,
        };
        pack::run(&input, &packed, &how).unwrap();
        let setup = file::Setup::new(&gpu, &packed, &SCOPE).unwrap();
        let mut beside = beside();
        let figure = setup.measure((1.0, 1.0), &mut beside).unwrap();
        let names: Vec<_> = figure.ways.iter().map(ds_bench::gpu::Way::name).collect();
        assert_eq!(
            names,
            [
                "vulkan to vram",
                "cpu to vram",
                "cpu to host",
                "vulkan to vram, read by auto",
                "vulkan to vram, direct"
            ]
        );
        beside.direct = Err("left out".into());
        assert_eq!(setup.measure((1.0, 1.0), &mut beside).unwrap().ways.len(), 4);
    }

    #[test]
    fn the_driver_is_never_anybody_else() {
        let Some(gpu) = card() else { return };
        if driver(&gpu).is_ok() {
            eprintln!("SKIPPED: this device's driver decompresses");
            return;
        }
        // Where it cannot, that is an error, and no figure of the shader's.
        for error in [
            resident::by_driver(&gpu, &class(), &SCOPE).unwrap_err(),
            upload::by_driver(&gpu, &class(), &SCOPE).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with("c: "), "{error}");
        }
    }

    #[test]
    fn only_what_is_wrong_spoils_the_run() {
        let mut beside = beside();
        assert!(beside.of_direct::<()>(Err(Error::new(Kind::Data, "WRONG OUTPUT"))).is_err());
        assert_eq!(beside.of_direct(Ok(7)).unwrap(), Some(7));
        assert_eq!(beside.direct, Ok(()));
        assert_eq!(beside.of_direct::<()>(Err(Error::new(Kind::System, "no room"))).unwrap(), None);
        assert_eq!(Beside::part(&beside.direct), Part::NotMeasured { why: "no room".into() });
        assert_eq!(Beside::part(&beside.driver), Part::Measured);
    }
}
