//! The queue behind a spin lock, and a queue driven by the fault engine.

use ds_core::fault::{FaultEngine, FaultPlan};
use ds_core::{Action, Done, LeaseId, OpId, Outcome, Path, Queue, Request, Room, SharedQueue, Slot, Time};

use crate::desk::{device, file, host, plain, read};

#[test]
fn threads_can_share_a_queue() {
    let shared = SharedQueue::new(Queue::new(vec![Slot::new(); 16], plain()).unwrap());
    const EACH: usize = 500;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut left = EACH;
                while left > 0 {
                    match shared.try_enqueue(&read(5000), Time::ZERO) {
                        Ok(_) => left -= 1,
                        Err(_) => std::thread::yield_now(),
                    }
                    shared.submit(Time::ZERO);
                }
            });
        }
        let mut done = 0;
        while done < 2 * EACH {
            let actions = shared.poll_actions::<8>(Time::ZERO, Room::Any);
            for action in &actions {
                let Action::Read { op, into, .. } = *action else { continue };
                let outcome = Outcome { op, result: Ok(Done::Moved(into.len)), path: Path::IO_CPU };
                shared.handle_outcome(outcome, Time::ZERO).unwrap();
            }
            done += shared.take_completions::<4>().len();
            if actions.is_empty() {
                std::thread::yield_now();
            }
        }
    });
    let stats = shared.with(|queue| *queue.stats());
    assert_eq!(stats.succeeded, 2 * EACH as u64);
    assert_eq!(stats.bytes.delivered, 2 * EACH as u64 * 5000);
}

#[test]
fn batches_end_when_they_are_full() {
    let shared = SharedQueue::new(Queue::new(vec![Slot::new(); 8], plain()).unwrap());
    for _ in 0..5 {
        shared.try_enqueue(&read(1), Time::ZERO).unwrap();
    }
    assert_eq!(shared.submit(Time::ZERO), 5);
    assert_eq!(shared.poll_actions::<2>(Time::ZERO, Room::Any).len(), 2);
    assert_eq!(shared.poll_actions::<9>(Time::ZERO, Room::Any).len(), 3);
    for _ in 0..2 {
        shared.with(|queue| queue.cancel_all());
    }
    assert_eq!(shared.take_completions::<2>().len(), 0);
}

/// An operation on its own, for an engine without a queue.
fn lease(number: u64, len: u64) -> Action {
    Action::Lease { op: OpId::from_u64(number), len }
}

#[test]
fn the_fault_engine_keeps_count_of_staging_memory() {
    let plan = FaultPlan { staging: 100, ..FaultPlan::default() };
    let mut engine = FaultEngine::<4>::new(plan, 1);
    let now = Time::ZERO;
    engine.accept(lease(1, 60), now).unwrap();
    let granted = engine.next_outcome(now).unwrap();
    assert_eq!(granted.result, Ok(Done::Leased(LeaseId(1))));
    assert!(engine.is_leased(LeaseId(1)));
    engine.accept(lease(2, 41), now).unwrap();
    assert_eq!(engine.next_outcome(now).unwrap().result, Err(ds_core::Fault::Busy));
    let release = Action::Release { lease: LeaseId(1) };
    engine.accept(release, now).unwrap();
    assert_eq!(engine.accept(release, now), Err(release));
    assert_eq!(engine.leased(), 0);
}

#[test]
fn the_fault_engine_takes_what_it_has_room_for() {
    let plan = FaultPlan { delay: 10..=10, ..FaultPlan::default() };
    let mut engine = FaultEngine::<2>::new(plan, 1);
    let now = Time::ZERO;
    engine.accept(lease(1, 1), now).unwrap();
    engine.accept(lease(2, 1), now).unwrap();
    assert!(!engine.has_room());
    assert_eq!(engine.accept(lease(3, 1), now), Err(lease(3, 1)));
    assert_eq!(engine.accept(Action::Wake { at: None }, now), Err(Action::Wake { at: None }));
    assert_eq!((engine.pending(), engine.next_time()), (2, Some(Time::from_nanos(10))));
    assert_eq!(engine.next_outcome(now), None);
    // Hurried, it answers at once.
    engine.accept(Action::Cancel { op: OpId::from_u64(2) }, now).unwrap();
    let outcome = engine.next_outcome(now).unwrap();
    assert_eq!((outcome.op.to_u64(), outcome.result), (2, Err(ds_core::Fault::Cancelled)));
}

#[test]
fn the_same_seed_is_the_same_story() {
    let story = |seed| {
        let plan = FaultPlan {
            short: 20_000,
            interrupted: 10_000,
            pause: 20_000,
            reorder: 30_000,
            delay: 0..=900,
            ..FaultPlan::default()
        };
        let mut engine = FaultEngine::<64>::new(plan, seed);
        let mut queue = Queue::new(vec![Slot::new(); 8], plain()).unwrap();
        let mut now = Time::ZERO;
        for request in [
            read(30_000),
            Request::read(file(9000), device(9000)),
            Request::decode(file(9000), host(90), ds_core::Transform::GDeflate, 90),
        ] {
            queue.try_enqueue(&request, now).unwrap();
        }
        queue.submit(now);
        let mut outcomes = Vec::new();
        while !queue.is_idle() {
            while let Some(action) = queue.poll_action(now, Room::Any) {
                if !matches!(action, Action::Wake { .. }) {
                    engine.accept(action, now).unwrap();
                }
            }
            now = engine.next_time().unwrap_or(now).max(now);
            while let Some(outcome) = engine.next_outcome(now) {
                queue.handle_outcome(outcome, now).unwrap();
                outcomes.push((now, outcome));
            }
        }
        assert_eq!(queue.stats().succeeded, 3);
        outcomes
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}

#[test]
fn an_interrupt_handler_need_not_wait_for_the_lock() {
    let shared = SharedQueue::new(Queue::new(vec![Slot::new(); 8], plain()).unwrap());
    assert_eq!(shared.try_with(|queue| queue.capacity()), Some(8));
    let within = shared.with(|_| shared.try_with(|queue| queue.capacity()));
    assert_eq!(within, None, "the lock was taken twice");
    assert_eq!(shared.try_with(|queue| queue.capacity()), Some(8));
}
