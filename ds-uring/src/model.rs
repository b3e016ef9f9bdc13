//! A model of the way to a ring's thread, for loom to try every interleaving of:
//!
//! `cargo xtask test --only loom`

use core::fmt;
use std::collections::VecDeque;

use ds_core::OpId;
use ds_engine::JobId;
use loom::sync::{Arc, Mutex, Notify};
use loom::thread;

use crate::doorbell::Doorbell;
use crate::inbox::{Inbox, Message};

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

/// A lane with an event that remembers being set, as an eventfd does.
struct World {
    inbox: Inbox,
    door: Doorbell,
    event: Notify,
}

impl World {
    fn new(capacity: usize) -> Arc<Self> {
        let (inbox, door) = (Inbox::new(capacity), Doorbell::new());
        Arc::new(Self { inbox, door, event: Notify::new() })
    }

    fn send(&self, sender: u64, number: u64) {
        self.inbox.push(Message::Cancel(JobId { queue: sender, op: OpId::from_u64(number) }));
        if self.door.must_ring() {
            self.event.notify();
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
