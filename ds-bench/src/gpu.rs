//! What `ds bench gpu` found.
//!
//! All times are seconds, all sizes bytes, all rates bytes per second. Of a class's compressed data the tiles' payloads count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::results::{Machine, geometric_mean};

/// The name of the format, with its version: raised when a reader of old files would misread new ones.
pub const SCHEMA: &str = "ds-runtime/bench-gpu/2";

/// Most rounds of a measurement that has many requests in flight.
pub const FEWER_ROUNDS: usize = 5;

/// Everything that one run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// The day, in UTC, as `YYYY-MM-DD`.
    pub date: String,
    /// The command, as it was given.
    pub command: String,
    /// The version of `ds`.
    pub version: String,
    /// The host.
    pub machine: Machine,
    /// What decoded.
    pub device: Device,
    /// Whom we were measured against.
    pub rival: Rival,
    /// The driver's own decompression, beside our shader; none in results from before it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Part>,
    /// Packed bytes written into the device's memory by the processor; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<Part>,
    /// Where the content came from.
    pub content: String,
    /// Bytes of output of a measurement.
    pub size: u64,
    /// How often each thing was measured.
    pub rounds: usize,
    /// Figure 1: tiles in device memory, decoded there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resident: Vec<Resident>,
    /// Figure 2: what a submission costs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overhead: Vec<Overhead>,
    /// Figure 3: from host memory, packed, to device memory, decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upload: Vec<Upload>,
    /// Figure 4: from a file to device memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    /// Who is sooner done with requests of which size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crossover: Vec<Crossover>,
}

impl Results {
    /// Takes out what the driver decompressed, and says why: it is not to be had, or no more to be trusted.
    pub fn without_driver(&mut self, why: String) {
        self.resident.iter_mut().for_each(|row| row.driver = None);
        self.upload.iter_mut().for_each(|row| row.driver = None);
        if let Some(file) = &mut self.file {
            file.ways.retain(|way| way.how != Some(How::Driver));
        }
        self.driver = Some(Part::NotMeasured { why });
    }
}

/// A Vulkan device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What kind it is.
    pub kind: String,
    /// Whether the processor plays the device: then no figure here is a GPU's.
    pub software: bool,
    /// Its driver, with the version.
    pub driver: String,
    /// The version of Vulkan.
    pub api: String,
    /// Its UUID.
    pub uuid: String,
    /// Fewest and most lanes of a subgroup.
    pub subgroup_sizes: [u32; 2],
    /// Which way through the decoder's shader: `32 lanes`, or `any size`.
    pub decoder: String,
    /// Whether uploads have a queue of their own.
    pub transfer_queue: bool,
    /// Whether it reads the runtime's staging memory where it lies.
    pub host_import: bool,
    /// Processors that it interrupts, those first that it does most often; none if that is not known.
    #[serde(default)]
    pub interrupted_processors: Vec<usize>,
}

/// The vendor's library, or why it was not measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// It took part.
    Measured {
        /// nvCOMP's version.
        nvcomp: String,
        /// The version of CUDA that the driver offers.
        cuda: String,
        /// The device, as CUDA calls it.
        device: String,
        /// By what that was found to be the Vulkan device: `uuid`, or `name`.
        matched_by: String,
    },
    /// It did not.
    NotMeasured {
        /// Why not.
        why: String,
    },
}

/// Whether a further way of ours took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It did.
    Measured,
    /// It did not.
    NotMeasured {
        /// Why not.
        why: String,
    },
}

/// Times of one contestant: medians of all rounds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Times {
    /// By the device's clock: Vulkan's timestamps, CUDA's events. None where it has no clock.
    pub device: Option<f64>,
    /// The shortest of these.
    pub device_best: Option<f64>,
    /// By the host's clock.
    pub wall: f64,
}

impl Times {
    /// The time that counts: the device's, if there is one.
    pub fn seconds(&self) -> f64 {
        self.device.unwrap_or(self.wall)
    }
}

/// Decoding one class in device memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resident {
    /// The class.
    pub class: String,
    /// Different tiles.
    pub tiles: usize,
    /// How often they are there, each time at addresses of their own.
    pub copies: usize,
    /// Bytes of all copies' content.
    pub bytes: u64,
    /// Bytes that they were packed into.
    pub packed: u64,
    /// Ours.
    pub ours: Times,
    /// The rival's.
    pub rival: Option<Times>,
    /// The way through the shader for any size of subgroups, where `ours` is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Times>,
    /// The driver's own decompression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Times>,
}

impl Resident {
    /// Times as fast as the rival.
    pub fn faster(&self) -> Option<f64> {
        self.rival.map(|rival| rival.seconds() / self.ours.seconds())
    }

    /// Bytes of content per second, in this time.
    pub fn rate(&self, times: &Times) -> f64 {
        self.bytes as f64 / times.seconds()
    }
}

/// From submit until completion was seen, one at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overhead {
    /// What.
    pub what: String,
    /// How many.
    pub samples: usize,
    /// The median.
    pub p50: f64,
    /// What 99 of 100 do not exceed.
    pub p99: f64,
    /// Of which the device computes, by its own clock and by itself: the median. None where it has no clock, or nothing to compute.
    pub device: Option<f64>,
}

impl Overhead {
    /// What of the median is not the device's computing.
    pub fn rest(&self) -> f64 {
        self.p50 - self.device.unwrap_or_default()
    }
}

/// From host memory to device memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upload {
    /// The class.
    pub class: String,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes that they were packed into, streams with their tables.
    pub packed: u64,
    /// Content of a request.
    pub request: u64,
    /// Requests in flight.
    pub depth: usize,
    /// From host memory that the device sees: the median of all rounds.
    pub pinned: f64,
    /// From any host memory, which the processor copies first: the median of all rounds.
    pub plain: f64,
    /// Like `pinned`, with packed bytes written into the device's memory by the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_pinned: Option<f64>,
    /// Like `plain`, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_plain: Option<f64>,
    /// Like `pinned`, decoded by the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<f64>,
    /// What the bus copies, per second.
    pub bus: f64,
    /// What is decoded in device memory, per second.
    pub decode: f64,
}

impl Upload {
    /// Bytes of content per second, in so many.
    pub fn rate(&self, seconds: f64) -> f64 {
        self.bytes as f64 / seconds
    }

    /// What there would be if the slower of bus and decoder were never kept waiting.
    pub fn bound(&self) -> f64 {
        (self.bus * self.bytes as f64 / self.packed as f64).min(self.decode)
    }

    /// What of that is reached from memory that the device sees.
    pub fn share(&self) -> f64 {
        self.rate(self.pinned) / self.bound()
    }
}

/// From a file in the page cache to memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes of the file that were read.
    pub packed: u64,
    /// Which engine reads.
    pub io: String,
    /// Requests in flight.
    pub depth: usize,
    /// Each way.
    pub ways: Vec<Way>,
    /// What each stage can do by itself, in bytes of content per second.
    pub bounds: Bounds,
}

/// One way from a file to memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Way {
    /// Who decodes.
    pub codec: String,
    /// Into which memory: `vram`, `host`.
    pub target: String,
    /// In what it differs from the way that is taken unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<How>,
    /// The median of all rounds.
    pub seconds: f64,
    /// CPU time of the median round, all threads. Into `host` it includes verifying, else not.
    pub cpu: f64,
    /// Requests that each path took part in.
    pub paths: BTreeMap<String, u64>,
    /// How long a request spent in each stage, on average.
    pub stages: Stages,
    /// Cores that the threads of each name had in the median round; none in results that do not say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub threads: BTreeMap<String, f64>,
}

impl Way {
    /// What tables call it.
    pub fn name(&self) -> String {
        let name = format!("{} to {}", self.codec, self.target);
        match self.how {
            None => name,
            Some(How::Direct) => name + ", direct",
            Some(How::Driver) => name + ", driver",
            Some(How::AutoRead) => name + ", read by auto",
        }
    }

    /// The name of the threads that had most of the cores, and how much. Near 1, where one thread has that name, it bounds the way.
    pub fn busiest(&self) -> Option<(&str, f64)> {
        let most = self.threads.iter().max_by(|a, b| a.1.total_cmp(b.1));
        most.map(|(name, &cores)| (name.as_str(), cores))
    }
}

/// In what a way differs from the one that is taken unless told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The processor writes packed bytes into the device's memory.
    Direct,
    /// The driver decompresses.
    Driver,
    /// Read by whom `auto` chooses.
    AutoRead,
}

/// Where a request spends its time.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Stages {
    /// From submit to the first operation.
    pub waiting: f64,
    /// From there to the last byte read.
    pub reading: f64,
    /// From there to the last byte decoded.
    pub decoding: f64,
    /// From there to the end.
    pub placing: f64,
}

/// What each stage can do by itself, in bytes of content per second.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Bounds {
    /// Reading from the page cache by the same engine.
    pub read: f64,
    /// The bus.
    pub bus: f64,
    /// The decoder, in device memory.
    pub decode: f64,
}

impl Bounds {
    /// The slowest stage, and what it can do.
    pub fn slowest(&self) -> (&'static str, f64) {
        let stages = [("read", self.read), ("bus", self.bus), ("decode", self.decode)];
        stages.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(("read", self.read))
    }
}

/// From host memory to device memory, packed on the way: by the processor and a copy, and by the device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Crossover {
    /// Content of a request.
    pub size: u64,
    /// Requests at a time, where there are many; 32 in results that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// One request at a time, decoded by the processor: the median.
    pub cpu_alone: f64,
    /// By the device.
    pub gpu_alone: f64,
    /// By whom `auto` has it decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_alone: Option<Auto>,
    /// Many at a time, by the processor: time over requests.
    pub cpu_busy: f64,
    /// By the device.
    pub gpu_busy: f64,
    /// By whom `auto` has them decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_busy: Option<Auto>,
}

impl Crossover {
    /// Times as long as the sooner of both sides `auto` took, alone and where there are many.
    pub fn slower(&self) -> [Option<f64>; 2] {
        let slower = |auto: &Option<Auto>, a: f64, b: f64| auto.as_ref().map(|auto| auto.seconds / a.min(b));
        [
            slower(&self.auto_alone, self.cpu_alone, self.gpu_alone),
            slower(&self.auto_busy, self.cpu_busy, self.gpu_busy),
        ]
    }
}

/// What `auto` chose, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Auto {
    /// What a request took.
    pub seconds: f64,
    /// Requests.
    pub requests: u64,
    /// Those of them that the device decoded.
    pub device: u64,
    /// How often it was decided how, and why.
    pub choices: BTreeMap<String, u64>,
}

impl Auto {
    /// Who decoded, such as `processor`, `device` or `device 75 %`.
    pub fn who(&self) -> String {
        match self.device {
            0 => "processor".to_owned(),
            all if all == self.requests => "device".to_owned(),
            some => format!("device {:.0} %", some as f64 * 100.0 / self.requests as f64),
        }
    }
}

/// By how much `auto` missed the sooner side at worst, and at which size: alone, and where there are many. None where it was not
/// measured.
pub fn worst(rows: &[Crossover]) -> [Option<(f64, u64)>; 2] {
    [0, 1].map(|which| {
        let of_row = |row: &Crossover| row.slower()[which].map(|slower| (slower, row.size));
        rows.iter().filter_map(of_row).max_by(|a, b| a.0.total_cmp(&b.0))
    })
}

/// The size from which on the device is sooner done, at all sizes measured.
pub fn crossover(rows: &[Crossover], times: impl Fn(&Crossover) -> (f64, f64)) -> Option<u64> {
    let is_won = |row: &&Crossover| {
        let (cpu, gpu) = times(row);
        gpu <= cpu
    };
    rows.iter().rev().take_while(is_won).last().map(|row| row.size)
}

/// The geometric mean of what is there for every row; `None` if it is missing in one, or there are none.
pub fn mean_of_all(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
    (!values.is_empty()).then(|| geometric_mean(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossover_is_where_the_device_begins_to_win_for_good() {
        let row = |(n, gpu)| Crossover {
            size: 4096_u64 << n,
            depth: None,
            cpu_alone: 1.0,
            gpu_alone: gpu,
            auto_alone: None,
            cpu_busy: 1.0,
            gpu_busy: 1.0,
            auto_busy: None,
        };
        let at = |gpu: &[f64]| {
            let rows: Vec<_> = gpu.iter().copied().enumerate().map(row).collect();
            crossover(&rows, |row| (row.cpu_alone, row.gpu_alone))
        };
        assert_eq!(at(&[2.0, 0.5, 2.0, 0.5, 0.4]), Some(4096 << 3), "one lucky size is no crossover");
        assert_eq!(at(&[0.5, 0.5]), Some(4096));
        assert_eq!(at(&[0.5, 2.0]), None);
        assert_eq!(at(&[]), None);
    }

    #[test]
    fn a_bound_is_that_of_the_slower_of_bus_and_decoder() {
        let upload = |packed, decode| Upload {
            class: String::new(),
            bytes: 1000,
            packed,
            request: 1,
            depth: 1,
            pinned: 2.0,
            plain: 4.0,
            direct_pinned: None,
            direct_plain: None,
            driver: None,
            bus: 50.0,
            decode,
        };
        assert_eq!((upload(500, 300.0).bound(), upload(100, 300.0).bound()), (100.0, 300.0));
        let some = upload(1, 1.0);
        assert_eq!((some.rate(some.pinned), some.rate(some.plain)), (500.0, 250.0));
        assert_eq!(upload(500, 1000.0).share(), 5.0);
        assert_eq!(Bounds { read: 3.0, bus: 2.0, decode: 4.0 }.slowest(), ("bus", 2.0));
    }

    #[test]
    fn the_clock_of_the_device_counts_where_there_is_one() {
        let times = |device, wall| Times { device, device_best: device, wall };
        let (ours, slower) = (times(Some(2.0), 9.0), times(None, 3.0));
        assert_eq!((ours.seconds(), slower.seconds()), (2.0, 3.0));
        let (class, rival) = ("mesh".into(), Some(slower));
        let row = Resident {
            class,
            tiles: 1,
            copies: 1,
            bytes: 600,
            packed: 100,
            ours,
            rival,
            any: None,
            driver: None,
        };
        assert_eq!((row.faster(), row.rate(&ours), row.rate(&slower)), (Some(1.5), 300.0, 200.0));
        assert_eq!(Resident { rival: None, ..row }.faster(), None);
    }

    #[test]
    fn auto_is_held_against_the_sooner_side() {
        let auto = |seconds, device| {
            Some(Auto {
                seconds,
                requests: 4,
                device,
                choices: BTreeMap::from([("device: named".into(), 4)]),
            })
        };
        let row = |size, alone, busy| Crossover {
            size,
            depth: Some(32),
            cpu_alone: 1.0,
            gpu_alone: 4.0,
            auto_alone: alone,
            cpu_busy: 8.0,
            gpu_busy: 2.0,
            auto_busy: busy,
        };
        let rows =
            [row(1, auto(1.5, 0), auto(3.0, 3)), row(2, auto(4.0, 4), None), row(4, auto(1.0, 0), None)];
        assert_eq!(rows[0].slower(), [Some(1.5), Some(1.5)]);
        assert_eq!(worst(&rows), [Some((4.0, 2)), Some((1.5, 1))]);
        assert_eq!(worst(&[row(1, None, None)]), [None, None]);
        let who = |row: &Crossover| row.auto_alone.as_ref().map(Auto::who);
        assert_eq!((who(&rows[0]), who(&rows[1])), (Some("processor".into()), Some("device".into())));
        assert_eq!(rows[0].auto_busy.as_ref().unwrap().who(), "device 75 %");
    }

    #[test]
    fn what_the_driver_did_is_taken_out_everywhere() {
        let times = Times { device: None, device_best: None, wall: 1.0 };
        let way = |how| Way {
            codec: "vulkan".into(),
            target: "vram".into(),
            how,
            seconds: 1.0,
            cpu: 1.0,
            paths: BTreeMap::new(),
            stages: Stages::default(),
            threads: [("a".into(), 0.5), ("b".into(), 0.9), ("c".into(), 0.1)].into(),
        };
        assert_eq!(way(None).busiest(), Some(("b", 0.9)));
        let names =
            [None, Some(How::Direct), Some(How::Driver), Some(How::AutoRead)].map(|how| way(how).name());
        assert_eq!(
            names,
            ["", ", direct", ", driver", ", read by auto"].map(|how| format!("vulkan to vram{how}"))
        );
        let mut results = Results {
            schema: SCHEMA.into(),
            date: String::new(),
            command: String::new(),
            version: String::new(),
            machine: crate::machine::describe(None),
            device: Device {
                name: String::new(),
                kind: String::new(),
                software: false,
                driver: String::new(),
                api: String::new(),
                uuid: String::new(),
                subgroup_sizes: [32, 32],
                decoder: String::new(),
                transfer_queue: true,
                host_import: true,
                interrupted_processors: vec![14],
            },
            rival: Rival::NotMeasured { why: String::new() },
            driver: Some(Part::Measured),
            direct: Some(Part::Measured),
            content: String::new(),
            size: 1,
            rounds: 1,
            resident: vec![Resident {
                class: String::new(),
                tiles: 1,
                copies: 1,
                bytes: 1,
                packed: 1,
                ours: times,
                rival: None,
                any: Some(times),
                driver: Some(times),
            }],
            overhead: Vec::new(),
            upload: vec![Upload {
                class: String::new(),
                bytes: 1,
                packed: 1,
                request: 1,
                depth: 1,
                pinned: 1.0,
                plain: 1.0,
                direct_pinned: Some(1.0),
                direct_plain: Some(1.0),
                driver: Some(1.0),
                bus: 1.0,
                decode: 1.0,
            }],
            file: Some(File {
                bytes: 1,
                packed: 1,
                io: String::new(),
                depth: 1,
                ways: [None, Some(How::Direct), Some(How::Driver)].map(way).into(),
                bounds: Bounds { read: 1.0, bus: 1.0, decode: 1.0 },
            }),
            crossover: Vec::new(),
        };
        results.without_driver("it was wrong".into());
        let json = serde_json::to_value(&results).unwrap();
        assert_eq!(json["driver"]["not_measured"]["why"], "it was wrong");
        assert_eq!(json["direct"], "measured");
        assert!(json["resident"][0].get("driver").is_none() && json["resident"][0].get("any").is_some());
        assert!(json["upload"][0].get("driver").is_none() && json["upload"][0].get("direct_plain").is_some());
        assert_eq!(json["file"]["ways"].as_array().unwrap().len(), 2);
        assert_eq!(json["file"]["ways"][1]["how"], "direct");
    }

    #[test]
    fn a_mean_with_a_gap_is_none() {
        assert_eq!(mean_of_all([Some(4.0), None]), None);
        assert_eq!(mean_of_all([]), None);
        assert!((mean_of_all([Some(4.0), Some(1.0)]).unwrap() - 2.0).abs() < 1e-12);
    }
}
