//! A warm engine allocates nothing: neither for a job nor for a submission. Without jobs it does nothing.

#[path = "../../ds-core/tests/allocations/mod.rs"]
mod allocations;
mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use core::time::Duration;
use std::fs;
use std::sync::{Arc, Condvar, Mutex};

use ds_core::{Done, Location, Transform};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, DeviceRange, Engine, Finished, Place, Sink, StagingPool,
    StartContext,
};
use ds_gdeflate::{CodecId, Level, compress};
use ds_vulkan::{Device, GpuBuffer, HostBuffer, VulkanConfig, VulkanEngine, vk};

use common::bench::{at, host};
use common::{open, options};
use jobs::{Memory, id, text};

/// Counts what ended, and how much of it well.
#[derive(Default)]
struct Tally {
    ended: Mutex<(usize, usize)>,
    news: Condvar,
}

impl Sink for Tally {
    fn complete(&self, batch: &[Finished]) {
        let good = |finished: &&Finished| match finished.result {
            Ok(Done::Decoded(step)) => step.finished,
            other => other.is_ok(),
        };
        let mut ended = self.ended.lock().unwrap();
        ended.0 += batch.len();
        ended.1 += batch.iter().filter(good).count();
        self.news.notify_all();
    }
}

impl Tally {
    fn wait(&self, count: usize) {
        let ended = self.news.wait_while(self.ended.lock().unwrap(), |ended| ended.0 < count).unwrap();
        assert_eq!(ended.0, ended.1, "some went wrong");
    }
}

const LEN: usize = 700;
const JOBS: usize = 12;

#[test]
fn a_warm_engine_allocates_nothing_and_an_idle_one_does_nothing() {
    let Some(device) = open(&options().validation(false)) else { return };
    // With one queue, and with several.
    for as_card in [false, true] {
        warm_up(&device, VulkanConfig::default().as_card(as_card));
    }
}

fn warm_up(device: &Device, config: VulkanConfig) {
    let (engine, tally) = (VulkanEngine::new(device, config), Arc::new(Tally::default()));
    let staging = StagingPool::new(1 << 20).unwrap();
    let context = StartContext::new(tally.clone());
    // SAFETY: the pool outlives the engine, which is stopped below.
    let context = unsafe { context.with_staging(staging.mapping()) };
    engine.start(&context).unwrap();

    let stream = compress(&text(LEN), Level::FASTEST, CodecId::default()).unwrap();
    let (source, target) = (Memory::of(&stream), Memory::new(LEN));
    let buffer = |len: usize| GpuBuffer::new(device, len as u64).unwrap();
    let (packed, again) = (buffer(stream.len()), buffer(stream.len()));
    let (raw, other, copied) = (buffer(LEN), buffer(LEN), buffer(LEN));
    let transfers = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    // SAFETY: the buffer is kept beside it, and all of its families are those of the device.
    let unaddressed = unsafe { GpuBuffer::borrow(device, other.raw(), LEN as u64, transfers) };
    let whole = |buffer: &GpuBuffer| at(buffer, 0, buffer.size());

    let mut pinned = HostBuffer::new(device, stream.len() as u64).unwrap();
    pinned.bytes().unwrap().copy_from_slice(&stream);
    let range = DeviceRange::from(&pinned);
    let Location::Device { device, handle, offset, len } = range.location() else { unreachable!() };
    let seen = Place::Device { device, handle, offset, len };

    let copies = [(seen, whole(&again)), (whole(&raw), host(target.lend())), (whole(&raw), whole(&copied))];
    let steps = [host(source.lend()), whole(&packed), seen]
        .map(|from| [host(target.lend()), whole(&raw), whole(&unaddressed)].map(|into| (from, into)));
    let (mut copy_jobs, mut steps_jobs) = (Vec::with_capacity(16), Vec::with_capacity(16));
    engine.submit_copies(&mut vec![CopyJob { id: id(99), from: host(source.lend()), into: whole(&packed) }]);
    tally.wait(1);
    let mut ended = 1;
    let mut submit = |into: Place, from: Place, step: bool, n: usize| {
        let id = id(n as u64);
        if step {
            let (transform, available) = (Transform::GDeflate, from.len());
            steps_jobs.push(CodecJob { id, transform, from, available, cursor: 0, into });
            engine.submit(&mut steps_jobs);
        } else {
            copy_jobs.push(CopyJob { id, from, into });
            engine.submit_copies(&mut copy_jobs);
        }
    };
    let mut run = |rounds: usize| {
        let before = allocations::by_all_threads();
        for _ in 0..rounds {
            for n in 0..JOBS {
                let (from, into) = if n % 2 == 0 { copies[n / 2 % 3] } else { steps[n % 3][n / 2 % 3] };
                submit(into, from, n % 2 == 1, n);
            }
            ended += JOBS;
            tally.wait(ended);
        }
        allocations::by_all_threads() - before
    };
    // How jobs fall into submissions differs from run to run, so a vector may grow late; none grows for ever.
    let runs: Vec<_> = (0..20).map(|_| run(10)).take_while(|&allocations| allocations > 0).collect();
    println!("allocations in runs of 120 jobs: {runs:?}, and then none");
    assert!(runs.len() < 20, "{runs:?} allocations");
    assert_idle();
    engine.stop();
}

/// Fails unless the engine's threads go to sleep, and sleep on. A thread that wakes now and then has been on a core more often each
/// time that one looks.
fn assert_idle() {
    let look = || {
        std::thread::sleep(Duration::from_millis(100));
        engine_threads()
    };
    let mut last = engine_threads();
    assert!(last.len() >= 2, "threads that submit and answer");
    for _ in 0..50 {
        let now = look();
        if now == last && now.iter().all(|thread| thread.contains("State:\tS")) {
            return;
        }
        last = now;
    }
    panic!("there is nothing to do: {last:#?}");
}

/// Of each thread of an engine's what the kernel says of it: whether it sleeps, and how often it has been off its core.
fn engine_threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let status = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let ours = status.filter(|status| status.starts_with("Name:\tds-vulkan-"));
    let told = |line: &&str| {
        ["Name:", "State:", "Pid:"].iter().any(|key| line.starts_with(key)) || line.contains("ctxt_switches")
    };
    ours.map(|status| status.lines().filter(told).collect::<Vec<_>>().join(" ")).collect()
}
