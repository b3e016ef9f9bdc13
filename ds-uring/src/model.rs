//! Models of the way to a ring's thread, and of that thread's life, for loom to try every interleaving of:
//!
//! `cargo xtask test --only loom`

use core::fmt;
use std::collections::VecDeque;

use std::os::fd::{AsFd, RawFd};

use ds_core::{OpId, Path};
use ds_engine::{FileRef, Finished, IoJob, IoOp, JobId};
use loom::sync::{Arc, Mutex, Notify};
use loom::thread;
use rustix::io::Errno;

use crate::direct::Hangar;
use crate::doorbell::Doorbell;
use crate::driver::{Driver, Turn};
use crate::features::Features;
use crate::inbox::{Inbox, Message};
use crate::lane::Lane;
use crate::ring::{Cqe, Full, Op, Ring, Sqe};

/// Stands in for the bounded queue, which is modelled where it is written: as that one, each call takes effect at one moment.
pub(crate) struct ArrayQueue<T> {
    items: Mutex<VecDeque<T>>,
    capacity: usize,
}

impl<T> ArrayQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { items: Mutex::new(VecDeque::new()), capacity }
    }

    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items.lock().unwrap();
        if items.len() == self.capacity {
            return Err(item);
        }
        items.push_back(item);
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.items.lock().unwrap().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.lock().unwrap().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.lock().unwrap().is_empty()
    }
}

impl<T> fmt::Debug for ArrayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrayQueue").finish_non_exhaustive()
    }
}

/// Stands in for the kernel's event: it remembers being set.
pub(crate) struct Event(Notify);

impl Event {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self(Notify::new()))
    }

    pub(crate) fn set(&self) {
        self.0.notify();
    }

    /// There is none: the ring here knows whose event it is.
    pub(crate) fn as_raw_fd(&self) -> RawFd {
        -1
    }

    fn wait(&self) {
        self.0.wait();
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}

/// A lane's messages and its bell.
struct World {
    inbox: Inbox,
    door: Doorbell,
    event: Event,
}

impl World {
    fn new(capacity: usize) -> Arc<Self> {
        let (inbox, door) = (Inbox::new(capacity), Doorbell::new());
        Arc::new(Self { inbox, door, event: Event::new().unwrap() })
    }

    fn send(&self, sender: u64, number: u64) {
        self.inbox.push(Message::Cancel(JobId { queue: sender, op: OpId::from_u64(number) }));
        if self.door.must_ring() {
            self.event.set();
        }
    }

    /// Takes so many messages of each sender, sleeping when there are none; hangs if a wake-up is lost, and panics if a
    /// message is overtaken by a later one of its sender's.
    fn take(&self, wanted: &[u64]) {
        let mut next = vec![0; wanted.len()];
        while next != wanted {
            if let Some(Message::Cancel(id)) = self.inbox.pop() {
                assert_eq!(id.op, OpId::from_u64(next[id.queue as usize]));
                next[id.queue as usize] += 1;
                continue;
            }
            self.door.lie_down();
            if self.inbox.is_empty() {
                self.event.wait();
            }
            self.door.get_up();
        }
        assert!(self.inbox.is_empty());
    }
}

fn explore(capacity: usize, wanted: &'static [u64]) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let world = World::new(capacity);
        let senders: Vec<_> = (0..wanted.len())
            .map(|sender| {
                let world = Arc::clone(&world);
                thread::spawn(move || (0..wanted[sender]).for_each(|n| world.send(sender as u64, n)))
            })
            .collect();
        world.take(wanted);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn nothing_is_slept_through() {
    explore(4, &[2]);
}

#[test]
fn what_does_not_fit_is_neither_lost_nor_overtaken() {
    explore(1, &[3]);
}

#[test]
fn one_of_two_messengers_rings() {
    explore(1, &[1, 2]);
}

/// A ring on which all is over at once but listening to the bell, for which the thread sleeps.
struct QuickRing {
    lane: std::sync::Arc<Lane>,
    listening: Option<u64>,
    over: VecDeque<Cqe>,
}

impl Ring for QuickRing {
    unsafe fn push(&mut self, sqe: Sqe) -> Result<Path, Full> {
        match sqe.op {
            Op::Bell { .. } => assert_eq!(self.listening.replace(sqe.token), None),
            Op::Cancel { .. } => self.over.push_back(Cqe { token: sqe.token, result: Err(Errno::NOENT) }),
            _ => self.over.push_back(Cqe { token: sqe.token, result: Ok(0) }),
        }
        Ok(Path::NONE)
    }

    fn go_without(&mut self, _: Features) {}

    fn enter(&mut self, want: u32) -> Result<(), Errno> {
        if want > 0 && self.over.is_empty() {
            let token = self.listening.expect("nothing would ever wake the thread");
            self.lane.bell.event.wait();
            self.listening = None;
            self.over.push_back(Cqe { token, result: Ok(8) });
        }
        Ok(())
    }

    fn ready(&mut self) -> usize {
        self.over.len()
    }

    fn reap(&mut self, into: &mut Vec<Cqe>, most: usize) {
        into.extend(self.over.drain(..most.min(self.over.len())));
    }
}

fn name(number: u64) -> JobId {
    JobId { queue: 0, op: OpId::from_u64(number) }
}

fn job(number: u64) -> IoJob {
    // SAFETY: standard error stays open, and the ring here does nothing with it.
    let file = unsafe { FileRef::new(std::io::stderr().as_fd()) };
    IoJob { id: name(number), op: IoOp::Sync { file, data_only: true } }
}

/// Runs a lane's thread, by the driver that it really has, beside others that use the lane and stop it in the end. Hangs if a wake-up
/// is lost; checks that each job is answered once.
fn explore_lane(jobs: u64, run: impl Fn(&Arc<std::sync::Arc<Lane>>) + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let lane = Arc::new(std::sync::Arc::new(Lane::new(2).unwrap()));
        let own = std::sync::Arc::clone(&lane);
        let worker = thread::spawn(move || {
            let ring = QuickRing { lane: own.clone(), listening: None, over: VecDeque::new() };
            let mut driver = Driver::new(ring, own.clone(), 2, Hangar::new().unwrap(), true);
            let (mut finished, mut answered) = (Vec::new(), Vec::new());
            let mut more = true;
            while more {
                more = driver.turn(&mut finished, true);
                own.answered(finished.len());
                answered.extend(finished.drain(..).map(|finished: Finished| finished.id));
            }
            // Waits for the kernel, which has the bell's count.
            drop(driver);
            own.bell.disconnect();
            answered
        });
        run(&lane);
        let mut answered = worker.join().unwrap();
        answered.sort_unstable_by_key(|id| id.op.to_u64());
        assert_eq!(answered, (0..jobs).map(name).collect::<Vec<_>>());
        assert!(!lane.is_busy());
        // A cancellation that comes too late is left, and is nobody's.
        let left = core::iter::from_fn(|| lane.inbox.pop());
        assert!(left.into_iter().all(|message| matches!(message, Message::Cancel(_))));
    });
}

#[test]
fn a_stop_wakes_whoever_sleeps_and_all_is_answered() {
    explore_lane(2, |lane| {
        for number in 0..2 {
            lane.give(job(number));
            lane.bell.ring();
        }
        lane.stop();
    });
}

#[test]
fn a_thread_with_nothing_to_do_hears_of_the_end() {
    explore_lane(0, |lane| lane.stop());
}

#[test]
fn a_cancellation_may_come_with_the_end() {
    explore_lane(1, |lane| {
        lane.give(job(0));
        lane.bell.ring();
        let other = Arc::clone(lane);
        let other = thread::spawn(move || super::lane::cancel(&[std::sync::Arc::clone(&other)], name(0)));
        lane.stop();
        other.join().unwrap();
    });
}
