//! The queue allocates nothing: not when it is made over an array, and not in thousands of requests.

mod allocations;

use allocations::by_this_thread;
use ds_core::fault::{FaultEngine, FaultPlan};
use ds_core::{
    Action, BufferId, Config, EventToken, FileId, Location, Queue, Request, Room, Slot, StatusToken, Time,
    Transform,
};

fn allocations(work: impl FnOnce()) -> u64 {
    let before = by_this_thread();
    work();
    by_this_thread() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(core::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn a_queue_over_an_array_allocates_nothing() {
    let count = allocations(|| {
        let queue = Queue::new([const { Slot::new() }; 64], Config::default());
        assert!(core::hint::black_box(queue).is_ok());
    });
    assert_eq!(count, 0);
}

#[test]
fn thousands_of_requests_allocate_nothing() {
    let count = allocations(|| {
        let mut queue = Queue::new([const { Slot::new() }; 32], Config::default()).unwrap();
        let plan = FaultPlan {
            short: 10_000,
            interrupted: 3000,
            try_again: 3000,
            error: 1000,
            pause: 5000,
            staging: 100_000,
            reorder: 30_000,
            delay: 0..=10_000,
            ..FaultPlan::default()
        };
        let mut engine = FaultEngine::<160>::new(plan, 9);
        let mut now = Time::ZERO;
        let mut wake = None;
        let mut ended = 0;
        let mut number = 0;
        while ended < 5000 {
            while queue.vacancies() > 1 {
                let mut request = request(number);
                request.deadline = (number % 5 == 0).then(|| now.after_nanos(100_000));
                let id = queue.try_enqueue(&request, now).unwrap();
                if number % 31 == 0 {
                    queue.cancel(id);
                }
                number += 1;
                if number % 7 == 0 {
                    let token = StatusToken { array: 0, index: number as u32 };
                    queue.enqueue_status(token, now).unwrap();
                } else if number % 11 == 0 {
                    queue.enqueue_event(EventToken(number), now).unwrap();
                }
            }
            queue.submit(now);
            while let Some(action) = queue.poll_action(now, Room::Any) {
                match action {
                    Action::Wake { at } => wake = at,
                    Action::Notify(_) => {}
                    action => {
                        engine.accept(action, now).unwrap();
                        if matches!(action, Action::Release { .. }) {
                            queue.staging_released();
                        }
                    }
                }
            }
            while queue.next_completion().is_some() {
                ended += 1;
            }
            now = engine.next_time().into_iter().chain(wake).min().unwrap_or(now).max(now);
            while let Some(outcome) = engine.next_outcome(now) {
                queue.handle_outcome(outcome, now).unwrap();
            }
        }
        let stats = queue.stats();
        assert!(stats.succeeded > 1000 && stats.failed > 10 && stats.cancelled > 10 && stats.retries > 100);
    });
    assert_eq!(count, 0);
}

fn request(number: u64) -> Request {
    let len = number * 997 % 10_000;
    let file = Location::File { file: FileId(1), offset: number, len };
    let host = Location::Host { buffer: BufferId(number), offset: 0, len };
    match number % 4 {
        0 => Request::write(host, file),
        1 => Request::decode(file, host, Transform::GDeflate, len),
        2 => Request::sync(FileId(1), true),
        _ => Request::read(file, host),
    }
}
