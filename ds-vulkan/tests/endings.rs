//! Ends before the end: cancelled jobs, lost devices. Every job is answered once, and the engine goes on or says why not.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use core::num::NonZeroUsize;
use std::sync::Arc;

use ds_core::{Done, Fault, Transform};
use ds_engine::{CodecEngine, CopyEngine, CopyJob, Engine, JobId, StartContext, StartError};
use ds_gdeflate::{CodecId, Level, compress};
use ds_vulkan::device::faults::{Call, Faults};
use ds_vulkan::device::testing::open_faulty;
use ds_vulkan::{GpuBuffer, VulkanConfig, VulkanEngine, vk};

use common::bench::{Bench, at, host, with_both_kinds};
use common::{assert_silent, device, options};
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
        // This thread may lose its core for as long as all of them take, but not always.
        let cancelled = (0..20).any(|round| {
            let base = 1000 * round;
            let job = |n| CopyJob { id: id(base + n), from: host(source.lend()), into: place(n) };
            bench.engine.submit_copies(&mut (100..110).map(job).collect());
            (101..110).for_each(|n| bench.engine.cancel(id(base + n)));
            assert_eq!(bench.log.wait(id(base + 100)).result, Ok(Done::Moved(LEN as u64)));
            let ends: Vec<_> = (101..110).map(|n| bench.log.wait(id(base + n)).result).collect();
            assert!(ends.iter().all(|end| end.is_ok() || *end == Err(Fault::Cancelled)), "{ends:?}");
            assert!(bench.get(&buffer, 0, LEN) == source.bytes(), "what was not cancelled is whole");
            ends.contains(&Err(Fault::Cancelled))
        });
        assert!(cancelled);
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
    let lose = || {
        if lose {
            bench.device.lose()
        }
    };
    load_with(bench, count, || {}, lose)
}

/// The same; `before` is called when all memory of the test's own is there, `after` when all has been submitted.
fn load_with(
    bench: &Bench,
    count: u64,
    before: impl FnOnce(),
    after: impl FnOnce(),
) -> Vec<Result<Done, Fault>> {
    const EACH: u64 = 3000;
    let stream = compress(&text(EACH as usize), Level::FASTEST, CodecId::default()).unwrap();
    let all = (count * EACH) as usize;
    let (packed, source, target) = (Memory::of(&stream), Memory::of(&text(all)), Memory::new(all));
    let [upper, lower, decoded, other] = [(); 4].map(|()| bench.buffer(all as u64));
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
    before();
    bench.engine.submit_copies(&mut copies.clone());
    bench.engine.submit(&mut steps.clone());
    after();
    let ids = copies.iter().map(|job| job.id).chain(steps.iter().map(|job| job.id));
    let mut ends: Vec<_> = ids.map(|id| bench.log.wait(id).result).collect();
    // What was answered is left alone: the device's buffers may go now, as the validation layer sees, and what arrives later is seen.
    drop([upper, lower, decoded]);
    target.put(0, &vec![0xDD; all]);
    ends.push(bench.copy(at(&other, 0, EACH), host(Memory::new(EACH as usize).lend())));
    assert!(target.bytes().iter().all(|byte| *byte == 0xDD), "memory was written after the answer");
    ends
}

#[test]
fn a_lost_device_answers_everything_once_and_does_nothing_any_more() {
    for as_card in [false, true] {
        let Some(device) = device() else { return };
        let bench = Bench::new(&device, VulkanConfig::default().as_card(as_card));
        assert!(load(&bench, 20, false).iter().all(Result::is_ok), "all was well before");
        let ends = load(&bench, 100, true);
        assert_eq!(ends.len(), 301);
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

/// Every way of failing, with every number of calls that go well before, on one queue and on several.
fn with_faults(calls: &[(Call, vk::Result)], test: impl Fn(&Bench, &Faults, Call, vk::Result, u64)) {
    for &(call, result) in calls {
        for (well, as_card) in [0, 1, 2, 5].into_iter().flat_map(|well| [(well, false), (well, true)]) {
            println!("{call:?} says {result:?} after {well} calls, several queues: {as_card}");
            let Some((device, faults)) = open_faulty(&options()) else { return };
            let bench = Bench::new(&device, VulkanConfig::default().as_card(as_card));
            assert!(load(&bench, 3, false).iter().all(Result::is_ok), "all is well before");
            test(&bench, &faults, call, result, well);
            assert_eq!(ds_engine::DeviceEngine::backlog(&bench.engine), 0, "nothing is left to do");
            bench.end();
            assert_silent(device);
        }
    }
}

#[test]
fn a_driver_that_gives_up_on_the_device_is_believed() {
    const LOST: vk::Result = vk::Result::ERROR_DEVICE_LOST;
    // A wait that fails for whatever reason says that nothing can be known of the device any more.
    let calls = [
        (Call::Submit, LOST),
        (Call::SubmitTaken, LOST),
        (Call::Wait, LOST),
        (Call::Wait, vk::Result::ERROR_UNKNOWN),
    ];
    with_faults(&calls, |bench, faults, call, result, well| {
        let mut ends = load_with(bench, 20, || faults.fail(call, well, result), || {});
        for _ in 0..100 {
            if bench.device.is_lost() {
                break;
            }
            assert!(ends.iter().all(Result::is_ok), "nothing has failed yet: {ends:?}");
            ends = load(bench, 20, false);
        }
        assert!(bench.device.is_lost() && faults.failed() > 0);
        assert!(ends.iter().all(|end| end.is_ok() || *end == Err(Fault::DeviceLost)), "{ends:?}");
        let later = load(bench, 5, false);
        assert!(later.iter().all(|end| *end == Err(Fault::DeviceLost)), "{later:?}");
    });
}

#[test]
fn where_there_is_no_memory_what_wants_it_fails_and_the_next_goes_well() {
    const NONE: vk::Result = vk::Result::ERROR_OUT_OF_DEVICE_MEMORY;
    with_faults(&[(Call::Submit, NONE), (Call::Wait, NONE)], |bench, faults, call, result, well| {
        let mut ends = load_with(bench, 20, || faults.fail(call, well, result), || {});
        for _ in 0..100 {
            if faults.failed() > 0 {
                break;
            }
            assert!(ends.iter().all(Result::is_ok), "nothing has failed yet: {ends:?}");
            ends = load(bench, 20, false);
        }
        assert_eq!(faults.failed(), 1);
        assert!(ends.iter().all(|end| end.is_ok() || *end == Err(Fault::OutOfMemory)), "{ends:?}");
        // A wait without memory is no end: it is tried again.
        assert!(call == Call::Wait || ends.contains(&Err(Fault::OutOfMemory)), "nobody was told");
        assert!(!bench.device.is_lost());
        let later = load(bench, 20, false);
        assert!(later.iter().all(Result::is_ok), "{later:?}");
    });
}

#[test]
fn a_job_whose_memory_cannot_be_allocated_fails_and_the_next_goes_well() {
    for (as_card, well) in [(false, 0), (true, 0), (true, 1), (true, 2), (true, 3)] {
        let Some((device, faults)) = open_faulty(&options()) else { return };
        let bench = Bench::new(&device, VulkanConfig::default().as_card(as_card));
        let fail = || faults.fail(Call::Allocate, well, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY);
        // What is wanted first is allocated with the first jobs.
        let ends = load_with(&bench, 20, fail, || {});
        assert!(ends.iter().all(|end| end.is_ok() || *end == Err(Fault::OutOfMemory)), "{ends:?}");
        assert!(well > 0 || ends.contains(&Err(Fault::OutOfMemory)), "nobody was told");
        println!("{} of {} found none", ends.iter().filter(|end| end.is_err()).count(), ends.len());
        assert!(!device.is_lost());
        let later = load(&bench, 20, false);
        assert!(later.iter().all(Result::is_ok), "{later:?}");
        bench.end();
        assert_silent(device);
    }
}

#[test]
fn an_engine_that_finds_no_memory_is_not_started() {
    let Some((device, faults)) = open_faulty(&options()) else { return };
    for well in 0..100 {
        faults.fail(Call::Allocate, well, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY);
        let engine = VulkanEngine::new(&device, VulkanConfig::default());
        let context = StartContext::new(Arc::new(jobs::Log::default()));
        let started = engine.start(&context);
        // A timeline, too, and whatever else it had got, is put away.
        engine.stop();
        if faults.failed() <= well {
            assert!(started.is_ok() && well > 0, "{started:?}");
            drop(engine);
            return assert_silent(device);
        }
        assert!(matches!(started, Err(StartError::Device(_))), "{started:?}");
    }
    panic!("it takes memory without end");
}
