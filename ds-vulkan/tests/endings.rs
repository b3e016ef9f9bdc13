//! Ends before the end: cancelled jobs, lost devices. Every job is answered once, and the engine goes on or says why not.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use core::num::NonZeroUsize;

use ds_core::{Done, Fault, Transform};
use ds_engine::{CodecEngine, CopyEngine, CopyJob, Engine, JobId};
use ds_gdeflate::{CodecId, Level, compress};
use ds_vulkan::{GpuBuffer, VulkanConfig};

use common::bench::{Bench, at, host, with_both_kinds};
use common::{assert_silent, device};
use jobs::{Memory, id, text};

/// One block of the least size, so that a copy goes in many parts.
fn small() -> VulkanConfig {
    let one = NonZeroUsize::MIN;
    VulkanConfig::default().staging(0, one).device_memory(0, one).import(false)
}

const LEN: usize = 8 << 20;

fn whole(buffer: &GpuBuffer) -> ds_engine::Place {
    at(buffer, 0, buffer.size())
}

#[test]
fn a_job_that_waits_is_cancelled_before_it_is_submitted() {
    with_both_kinds(&small(), |bench| {
        const COUNT: usize = 10;
        let (source, buffer) = (Memory::of(&text(LEN)), bench.buffer((COUNT * LEN) as u64));
        // All memory is taken by the first, so that the others wait.
        let place = |n: u64| at(&buffer, (n - 100) * LEN as u64, LEN as u64);
        let job = |n| CopyJob { id: id(n), from: host(source.lend()), into: place(n) };
        bench.engine.submit_copies(&mut (100..110).map(job).collect());
        (101..110).for_each(|n| bench.engine.cancel(id(n)));
        assert_eq!(bench.log.wait(id(100)).result, Ok(Done::Moved(LEN as u64)));
        let ends: Vec<_> = (101..110).map(|n| bench.log.wait(id(n)).result).collect();
        assert!(ends.contains(&Err(Fault::Cancelled)), "{ends:?}");
        assert!(ends.iter().all(|end| end.is_ok() || *end == Err(Fault::Cancelled)), "{ends:?}");
        assert!(bench.get(&buffer, 0, LEN) == source.bytes(), "what was not cancelled is whole");
    });
}

#[test]
fn a_copy_is_cancelled_between_its_parts() {
    with_both_kinds(&small(), |bench| {
        let (source, buffer) = (Memory::of(&text(LEN)), bench.buffer(LEN as u64));
        let mut cancelled = 0;
        // A fast device may be through each time before it is told; then once more.
        for n in 100..1000 {
            if n >= 120 && cancelled > 0 {
                break;
            }
            bench.put(&buffer, 0, &[0; 4]);
            bench.put(&buffer, LEN as u64 - 4, &[0; 4]);
            let job = CopyJob { id: id(n), from: host(source.lend()), into: whole(&buffer) };
            bench.engine.submit_copies(&mut vec![job]);
            // Parts have been submitted by now; as many as there is room for.
            std::thread::sleep(core::time::Duration::from_micros(200 * (n % 20)));
            bench.engine.cancel(id(n));
            let result = bench.log.wait(id(n)).result;
            // Nothing of it moves once it has been answered.
            let last = bench.get(&buffer, LEN as u64 - 4, 4);
            match result {
                Ok(done) => {
                    assert_eq!((done, &last[..]), (Done::Moved(LEN as u64), &source.bytes()[LEN - 4..]))
                }
                Err(Fault::Cancelled) => {
                    cancelled += 1;
                    assert_eq!(last, [0; 4], "it was not cancelled then");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        println!("{cancelled} were cancelled");
        assert!(cancelled > 0);
    });
}

#[test]
fn to_cancel_what_is_over_or_was_never_there_changes_nothing() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        let (source, buffer) = (Memory::of(&text(1000)), bench.buffer(1000));
        let job = CopyJob { id: id(100), from: host(source.lend()), into: whole(&buffer) };
        bench.engine.submit_copies(&mut vec![job]);
        assert_eq!(bench.log.wait(job.id).result, Ok(Done::Moved(1000)));
        bench.engine.cancel(job.id);
        bench.engine.cancel(id(12_345));
        bench.engine.cancel(JobId { queue: 7, ..job.id });
        // The same name again is another job.
        bench.engine.submit_copies(&mut vec![job]);
        assert_eq!(bench.log.wait(job.id).result, Ok(Done::Moved(1000)));
    });
}

/// Copies up and down, and steps, so many of each, and none where another is; all are answered.
fn load(bench: &Bench, count: u64, lose: bool) -> Vec<Result<Done, Fault>> {
    const EACH: u64 = 3000;
    let stream = compress(&text(EACH as usize), Level::FASTEST, CodecId::default()).unwrap();
    let all = (count * EACH) as usize;
    let (packed, source, target) = (Memory::of(&stream), Memory::of(&text(all)), Memory::new(all));
    let [upper, lower, decoded] = [(); 3].map(|()| bench.buffer(all as u64));
    let copies: Vec<_> = (0..count)
        .flat_map(|n| {
            let on_host = |memory: &Memory| host(memory.part((n * EACH) as usize, EACH as usize));
            let on_device = |buffer| at(buffer, n * EACH, EACH);
            [
                CopyJob { id: id(1000 + n), from: on_host(&source), into: on_device(&upper) },
                CopyJob { id: id(2000 + n), from: on_device(&lower), into: on_host(&target) },
            ]
        })
        .collect();
    let steps: Vec<_> = (0..count)
        .map(|n| bench.job(Transform::GDeflate, host(packed.lend()), at(&decoded, n * EACH, EACH)))
        .collect();
    bench.engine.submit_copies(&mut copies.clone());
    bench.engine.submit(&mut steps.clone());
    if lose {
        bench.device.lose();
    }
    let ids = copies.iter().map(|job| job.id).chain(steps.iter().map(|job| job.id));
    ids.map(|id| bench.log.wait(id).result).collect()
}

#[test]
fn a_lost_device_answers_everything_once_and_does_nothing_any_more() {
    for as_card in [false, true] {
        let Some(device) = device() else { return };
        let bench = Bench::new(&device, VulkanConfig::default().as_card(as_card));
        assert!(load(&bench, 20, false).iter().all(Result::is_ok), "all was well before");
        let ends = load(&bench, 100, true);
        assert_eq!(ends.len(), 300);
        assert!(ends.iter().all(|end| end.is_ok() || *end == Err(Fault::DeviceLost)), "{ends:?}");
        assert!(ends.contains(&Err(Fault::DeviceLost)), "it had nothing in flight");
        let later = load(&bench, 5, false);
        assert!(later.iter().all(|end| *end == Err(Fault::DeviceLost)), "{later:?}");
        assert!(ds_engine::DeviceEngine::is_lost(&bench.engine));
        assert_eq!(ds_engine::DeviceEngine::backlog(&bench.engine), 0, "nothing is left to do");
        bench.end();
        // What was its own is put away all the same.
        assert_silent(device);
    }
}

#[test]
fn the_backlog_is_what_has_not_been_answered() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        let backlog = || ds_engine::DeviceEngine::backlog(&bench.engine);
        assert_eq!(backlog(), 0);
        let stream = compress(&text(60_000), Level::FASTEST, CodecId::default()).unwrap();
        let (packed, buffer) = (Memory::of(&stream), bench.buffer(180_000));
        let place = |n: u64| at(&buffer, n * 60_000, 60_000);
        let job = |n| bench.job(Transform::GDeflate, host(packed.lend()), place(n));
        let jobs = [0, 1, 2].map(job);
        bench.engine.submit(&mut jobs.to_vec());
        let most = backlog();
        for job in jobs {
            bench.answer(job).unwrap();
        }
        assert_eq!(backlog(), 0);
        assert!(most <= 180_000 && most.is_multiple_of(60_000), "{most}");
        let damaged = Memory::of(&[1; 50]);
        let job = bench.job(Transform::GDeflate, host(damaged.lend()), whole(&buffer));
        assert_eq!(backlog(), 0, "a job that nobody has counts for nothing");
        bench.step(job).unwrap_err();
        assert_eq!(backlog(), 0);
    });
}
