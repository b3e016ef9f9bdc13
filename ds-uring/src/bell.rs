//! What wakes a ring's thread: a message to the ring, where the kernel has such, or else an eventfd that the ring always has a read of
//! under way.

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::doorbell::Doorbell;
#[cfg(not(all(test, loom)))]
use crate::event::Event;
use crate::flights::Token;
#[cfg(all(test, loom))]
use crate::model::Event;
use crate::ring::{Op, message};
use crate::wire::Wire;

/// Both ends of the wire.
#[derive(Debug)]
pub(crate) struct Bell {
    pub(crate) door: Doorbell,
    pub(crate) event: Event,
    /// A descriptor of the ring's for messages: it keeps the ring, lest its number become another file's; and with the ring what the
    /// kernel was told of, so it goes when the ring's thread ends.
    ring: Wire<OwnedFd>,
}

impl Bell {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { door: Doorbell::new(), event: Event::new()?, ring: Wire::new() })
    }

    /// Wakes the thread if it sleeps. For whoever has left it a message.
    pub(crate) fn ring(&self) {
        if self.door.must_ring() {
            self.strike();
        }
    }

    /// Takes messages to this ring from now on.
    pub(crate) fn connect(&self, ring: OwnedFd) {
        self.ring.connect(ring);
    }

    /// Takes no messages any more: the ring goes.
    pub(crate) fn disconnect(&self) {
        self.ring.disconnect();
    }

    /// Wakes the thread, or keeps it from its next sleep.
    pub(crate) fn strike(&self) {
        let told = self.ring.with(|ring| message::send(ring, Token::Message.pack()).is_ok());
        if told != Some(true) {
            self.strike_event();
        }
    }

    /// Wakes the thread by the event it listens to.
    pub(crate) fn strike_event(&self) {
        self.event.set();
    }
}

/// Where the kernel writes how often it rang.
#[derive(Debug)]
pub(crate) struct Count(Box<UnsafeCell<u64>>);

impl Count {
    pub(crate) fn new() -> Self {
        Self(Box::new(UnsafeCell::new(0)))
    }

    /// The read to have under way.
    pub(crate) fn listen(&self, bell: &Bell) -> Op {
        // `UnsafeCell` inside a box has an address, and it is not null.
        let into = NonNull::new(self.0.get()).expect("a box is somewhere");
        Op::Bell { fd: bell.event.as_raw_fd(), into }
    }
}

// SAFETY: nobody reads or writes the number but the kernel.
unsafe impl Send for Count {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn heard(bell: &Bell) -> u64 {
        let mut count = [0; 8];
        rustix::io::read(&bell.event, &mut count).unwrap();
        u64::from_ne_bytes(count)
    }

    #[test]
    fn where_a_message_cannot_be_sent_the_event_is_set() {
        let bell = Bell::new().unwrap();
        bell.strike();
        bell.strike();
        assert_eq!(heard(&bell), 2);
        // Not a ring.
        bell.connect(std::fs::File::open("/dev/null").unwrap().into());
        bell.strike();
        assert_eq!(heard(&bell), 1);
    }
}
