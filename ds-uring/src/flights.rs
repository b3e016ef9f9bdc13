//! Jobs that the kernel has, and the tokens they go by.

use ds_core::Path;
use ds_engine::{IoJob, IoOp, JobId};

use crate::direct::Detour;
use crate::joined::Pieces;

/// What a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The job in this seat. The generation tells it from those that had the seat before: a cancellation may come late.
    Job { seat: u32, generation: u16 },
    /// The request to cancel something: it says only whether there was anything to cancel.
    Cancel,
    /// The bell.
    Bell,
    /// A message: there is something to look for. Nothing was submitted for it.
    Message,
}

impl Token {
    const CANCEL: u64 = 1 << 63;
    const BELL: u64 = 1 << 62;
    const MESSAGE: u64 = 1 << 61;

    pub(crate) const fn pack(self) -> u64 {
        match self {
            Self::Job { seat, generation } => (generation as u64) << 32 | seat as u64,
            Self::Cancel => Self::CANCEL,
            Self::Bell => Self::BELL,
            Self::Message => Self::MESSAGE,
        }
    }

    pub(crate) const fn unpack(token: u64) -> Self {
        match token {
            Self::CANCEL => Self::Cancel,
            Self::BELL => Self::Bell,
            Self::MESSAGE => Self::Message,
            _ => Self::Job { seat: token as u32, generation: (token >> 32) as u16 },
        }
    }
}

/// What is to be done about a job that nobody wants any more, and that the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// To cancel this operation.
    Cancel(Token),
    /// Nothing: that has been asked for.
    Already,
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
    /// Whether somebody has asked for it to end soon.
    pub(crate) unwanted: bool,
}

impl Flight {
    pub(crate) const fn new(job: IoJob, detour: Option<Detour>) -> Self {
        Self { id: job.id, op: job.op, detour, path: Path::IO_URING, unwanted: false }
    }

    /// What it was made of.
    pub(crate) const fn job(&self) -> IoJob {
        IoJob { id: self.id, op: self.op }
    }
}

#[derive(Debug)]
struct Seat {
    generation: u16,
    flight: Option<Flight>,
    /// The seat whose token the operation bears: this one, or that of the first of several jobs which one operation does.
    first: u32,
    /// The seat of the next of them.
    next: Option<u32>,
    /// Where their bytes go. Made when it is needed first, and kept: the kernel reads it until the operation has ended.
    pieces: Option<Box<Pieces>>,
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
            seats: (0..seats as u32)
                .map(|first| Seat { generation: 0, flight: None, first, next: None, pieces: None })
                .collect(),
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
        let seat = self.take_seat(flight);
        let taken = &mut self.seats[seat as usize];
        (taken.first, taken.next) = (seat, None);
        Token::Job { seat, generation: taken.generation }
    }

    /// Gives a job a seat behind `last`, which is `first`'s or behind it: one operation does all of them. Returns the seat.
    ///
    /// # Panics
    /// As [`board`](Self::board).
    pub(crate) fn board_behind(&mut self, first: u32, last: u32, flight: Flight) -> u32 {
        let seat = self.take_seat(flight);
        let taken = &mut self.seats[seat as usize];
        (taken.first, taken.next) = (first, None);
        self.seats[last as usize].next = Some(seat);
        seat
    }

    fn take_seat(&mut self, flight: Flight) -> u32 {
        let seat = self.free.pop().expect("the caller has seen that there is a seat");
        self.seats[seat as usize].flight = Some(flight);
        seat
    }

    /// A list of pieces of memory, to fill and to give back.
    pub(crate) fn take_pieces(&mut self, seat: u32) -> Box<Pieces> {
        let mut pieces = self.seats[seat as usize].pieces.take().unwrap_or_else(|| Box::new(Pieces::new()));
        pieces.clear();
        pieces
    }

    /// Keeps a list of pieces where it is, until the operation of this seat has ended.
    pub(crate) fn keep_pieces(&mut self, seat: u32, pieces: Box<Pieces>) -> &Pieces {
        self.seats[seat as usize].pieces.insert(pieces)
    }

    /// Adds to what is to be said about how the jobs of an operation went.
    pub(crate) fn note(&mut self, first: u32, path: Path) {
        let mut next = Some(first);
        while let Some(seat) = next.map(|seat| &mut self.seats[seat as usize]) {
            if let Some(flight) = &mut seat.flight {
                flight.path |= path;
            }
            next = seat.next;
        }
    }

    /// Takes the jobs of the operation that bears this token, in their order.
    pub(crate) fn leave_all(&mut self, seat: u32, generation: u16) -> impl Iterator<Item = Flight> {
        let mut next = Some((seat, generation));
        core::iter::from_fn(move || {
            let (seat, generation) = next?;
            let behind = self.seats.get(seat as usize)?.next;
            next = behind.map(|seat| (seat, self.seats[seat as usize].generation));
            self.leave(seat, generation)
        })
    }

    /// Takes the job that has this seat in this generation.
    fn leave(&mut self, seat: u32, generation: u16) -> Option<Flight> {
        let taken = self.seats.get_mut(seat as usize).filter(|taken| taken.generation == generation)?;
        let flight = taken.flight.take()?;
        taken.generation = generation.wrapping_add(1);
        self.free.push(seat);
        Some(flight)
    }

    /// Marks a job as unwanted, if the kernel has it. Looks at every seat: cancelling is rare, and naming jobs would cost each.
    pub(crate) fn find_unwanted(&mut self, id: JobId) -> Option<Unwanted> {
        let of_job = |seat: &&mut Seat| seat.flight.as_ref().is_some_and(|flight| flight.id == id);
        let seat = self.seats.iter_mut().find(of_job)?;
        let flight = seat.flight.as_mut()?;
        if core::mem::replace(&mut flight.unwanted, true) {
            return Some(Unwanted::Already);
        }
        let first = seat.first;
        let token = Token::Job { seat: first, generation: self.seats[first as usize].generation };
        Some(Unwanted::Cancel(token))
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
        Flight::new(IoJob { id, op: IoOp::Sync { file, data_only: true } }, None)
    }

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [
            Token::Cancel,
            Token::Bell,
            Token::Message,
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
        assert_eq!(flights.find_unwanted(flight(1).id), Some(Unwanted::Cancel(first)));
        assert_eq!(flights.find_unwanted(flight(1).id), Some(Unwanted::Already));
        let Token::Job { seat, generation } = first else { panic!("it is a job") };
        let left = flights.leave(seat, generation).unwrap();
        assert!(left.id == flight(1).id && left.unwanted);
        assert!(flights.leave(seat, generation).is_none(), "it has left");
        assert_eq!(flights.find_unwanted(flight(1).id), None);
        let next = flights.board(flight(3));
        assert_ne!(next, first);
        assert_eq!(flights.find_unwanted(flight(3).id), Some(Unwanted::Cancel(next)));
        assert!(flights.leave(seat, generation).is_none(), "somebody else sits there");
        assert!(flights.leave(99, 0).is_none());
    }

    #[test]
    fn jobs_of_one_operation_go_by_its_token_and_leave_in_their_order() {
        let mut flights = Flights::new(4);
        flights.board(flight(0));
        let token = flights.board(flight(1));
        let Token::Job { seat: first, generation } = token else { panic!("it is a job") };
        let second = flights.board_behind(first, first, flight(2));
        flights.board_behind(first, second, flight(3));
        assert!(flights.is_full());
        assert_eq!(flights.find_unwanted(flight(2).id), Some(Unwanted::Cancel(token)));
        flights.note(first, Path::IO_JOINED);
        let left: Vec<_> = flights.leave_all(first, generation).collect();
        let expected = [1, 2, 3].map(|n| (flight(n).id, n == 2));
        assert_eq!(left.iter().map(|flight| (flight.id, flight.unwanted)).collect::<Vec<_>>(), expected);
        assert!(left.iter().all(|flight| flight.path.contains(Path::IO_JOINED)));
        assert_eq!(flights.leave_all(first, generation).count(), 0, "they have left");
        // Whoever gets those seats next has them alone.
        for n in 4..7 {
            let Token::Job { seat, generation } = flights.board(flight(n)) else { panic!("it is a job") };
            assert_eq!(flights.leave_all(seat, generation).count(), 1);
            flights.board(flight(n));
        }
    }
}
