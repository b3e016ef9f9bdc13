//! Jobs that the kernel has, and the tokens they go by.

use ds_core::Path;
use ds_engine::{IoOp, JobId};

use crate::direct::Detour;

/// What a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The job in this seat. The generation tells it from those that had the seat before: a cancellation may come late.
    Job { seat: u32, generation: u16 },
    /// The request to cancel something: it says only whether there was anything to cancel.
    Cancel,
    /// The bell.
    Bell,
}

impl Token {
    const CANCEL: u64 = 1 << 63;
    const BELL: u64 = 1 << 62;

    pub(crate) const fn pack(self) -> u64 {
        match self {
            Self::Job { seat, generation } => (generation as u64) << 32 | seat as u64,
            Self::Cancel => Self::CANCEL,
            Self::Bell => Self::BELL,
        }
    }

    pub(crate) const fn unpack(token: u64) -> Self {
        match token {
            Self::CANCEL => Self::Cancel,
            Self::BELL => Self::Bell,
            _ => Self::Job { seat: token as u32, generation: (token >> 32) as u16 },
        }
    }
}

/// A job that the kernel has.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) id: JobId,
    pub(crate) op: IoOp,
    /// Where its bytes go on the way, unless they go straight.
    pub(crate) detour: Option<Detour>,
    /// What to say about how it went.
    pub(crate) path: Path,
}

#[derive(Debug)]
struct Seat {
    generation: u16,
    flight: Option<Flight>,
}

/// The jobs the kernel has: a fixed number of seats.
#[derive(Debug)]
pub(crate) struct Flights {
    seats: Vec<Seat>,
    free: Vec<u32>,
}

impl Flights {
    pub(crate) fn new(seats: usize) -> Self {
        Self {
            seats: (0..seats).map(|_| Seat { generation: 0, flight: None }).collect(),
            // The lowest seats first: those are warm in the cache.
            free: (0..seats as u32).rev().collect(),
        }
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.free.len() == self.seats.len()
    }

    /// Gives a job a seat, and its token.
    ///
    /// # Panics
    /// If there is none: see [`is_full`](Self::is_full).
    pub(crate) fn board(&mut self, flight: Flight) -> Token {
        let seat = self.free.pop().expect("the caller has seen that there is a seat");
        let taken = &mut self.seats[seat as usize];
        taken.flight = Some(flight);
        Token::Job { seat, generation: taken.generation }
    }

    /// Adds to what is to be said about how a job went.
    pub(crate) fn note(&mut self, seat: u32, path: Path) {
        if let Some(flight) = &mut self.seats[seat as usize].flight {
            flight.path |= path;
        }
    }

    /// Takes the job that has this seat in this generation.
    pub(crate) fn leave(&mut self, seat: u32, generation: u16) -> Option<Flight> {
        let taken = self.seats.get_mut(seat as usize).filter(|taken| taken.generation == generation)?;
        let flight = taken.flight.take()?;
        taken.generation = generation.wrapping_add(1);
        self.free.push(seat);
        Some(flight)
    }

    /// The token of a job, if the kernel has it. Looks at every seat: cancelling is rare, and naming jobs would cost each.
    pub(crate) fn find(&self, id: JobId) -> Option<Token> {
        let seated = |seat: &Seat| seat.flight.as_ref().is_some_and(|flight| flight.id == id);
        let seat = self.seats.iter().position(seated)?;
        Some(Token::Job { seat: seat as u32, generation: self.seats[seat].generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ds_core::OpId;
    use ds_engine::FileRef;
    use std::os::fd::AsFd;

    fn flight(n: u64) -> Flight {
        // SAFETY: no job is made of it.
        let file = unsafe { FileRef::new(std::io::stdin().as_fd()) };
        let id = JobId { queue: 7, op: OpId::from_u64(n) };
        Flight { id, op: IoOp::Sync { file, data_only: true }, detour: None, path: Path::NONE }
    }

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [
            Token::Cancel,
            Token::Bell,
            Token::Job { seat: 0, generation: 0 },
            Token::Job { seat: u32::MAX, generation: u16::MAX },
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }

    #[test]
    fn a_seat_knows_who_sits_in_it_now() {
        let mut flights = Flights::new(2);
        let first = flights.board(flight(1));
        flights.board(flight(2));
        assert!(flights.is_full() && !flights.is_empty());
        assert_eq!(flights.find(flight(1).id), Some(first));
        let Token::Job { seat, generation } = first else { panic!("it is a job") };
        assert_eq!(flights.leave(seat, generation).unwrap().id, flight(1).id);
        assert!(flights.leave(seat, generation).is_none(), "it has left");
        assert_eq!(flights.find(flight(1).id), None);
        let next = flights.board(flight(3));
        assert!(next != first && next == flights.find(flight(3).id).unwrap());
        assert!(flights.leave(seat, generation).is_none(), "somebody else sits there");
        assert!(flights.leave(99, 0).is_none());
    }
}
