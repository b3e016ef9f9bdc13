//! What a ring's thread does in one turn.

use core::time::Duration;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use ds_core::{Fault, Path};
use ds_engine::{Finished, HostBytes, IoJob, JobId, Warning};
use rustix::io::Errno;

use crate::bell::Count;
use crate::direct::{Hangar, Plan};
use crate::features::Features;
use crate::flights::{Flight, Flights, Token, Unwanted};
use crate::inbox::Message;
use crate::joined::Run;
use crate::lane::Lane;
use crate::report::Complaints;
use crate::ring::{Cqe, Op, Ring, Sqe};

#[cfg(all(test, not(loom)))]
mod tests;

/// How long to leave a kernel alone that refuses to be entered and has no completions either.
pub(crate) const NAP: Duration = Duration::from_millis(1);

/// Transfers begun by one visit to the kernel, and answers given between two visits, once a device has enough to do. The kernel
/// begins a visit's transfers when it has prepared all of them, so with many at once a device first has nothing to do and then
/// everything, and all of it comes back together. Visits are cheap beside a transfer.
const GROUP: u32 = 4;

/// As many at once where they have come to their ends by the time they have begun: the page cache has the bytes, and no device
/// waits.
const CACHED: u32 = 32;

/// A ring, the jobs it has, and those that wait for it.
///
/// # Safety
///
/// Two kinds of memory are in the kernel's hands: those of jobs, which stay good because a job is answered only when its
/// completion has been taken, and the bell's count. Both outlive the kernel's use of them because dropping a driver waits until
/// nothing is `outstanding`, however it comes to be dropped.
pub(crate) struct Driver<R: Ring> {
    ring: R,
    lane: Arc<Lane>,
    flights: Flights,
    /// Jobs that have not begun, in their order: most for the moment only, others for want of a seat or of aligned memory.
    backlog: VecDeque<Waiting>,
    /// Of jobs in the backlog: those to be answered as cancelled when their turn comes.
    doomed: HashSet<JobId>,
    /// Jobs in the kernel whose cancellation has not been submitted.
    cancels: Vec<Token>,
    hangar: Hangar,
    /// Whether neighbours are joined.
    joins: bool,
    count: Count,
    listening: bool,
    /// Submissions whose completions have not been taken.
    outstanding: usize,
    /// Of these, those since the last visit to the kernel.
    fresh: u32,
    /// How many transfers to begin at once, and how many answers to give before the next ones are begun: 1 after a sleep, when
    /// the device is likely to have nothing to do, and up to [`GROUP`] or [`CACHED`] from then on.
    pace: u32,
    /// Completions taken from the ring and not looked at: to make room for more while it refuses to be entered.
    completions: Vec<Cqe>,
    /// Of jobs that the kernel was not asked about, found on an early beginning.
    answers: Vec<Finished>,
    complaints: Complaints,
}

impl<R: Ring> Driver<R> {
    pub(crate) fn new(ring: R, lane: Arc<Lane>, depth: usize, hangar: Hangar, joins: bool) -> Self {
        Self {
            ring,
            lane,
            flights: Flights::new(depth),
            backlog: VecDeque::new(),
            doomed: HashSet::new(),
            cancels: Vec::new(),
            hangar,
            joins,
            count: Count::new(),
            listening: false,
            outstanding: 0,
            fresh: 0,
            pace: 1,
            completions: Vec::with_capacity(2 * depth),
            answers: Vec::new(),
            complaints: Complaints::default(),
        }
    }

    /// Takes what the inbox has: cancellations take effect at once, jobs queue up.
    fn read_messages(&mut self) {
        while let Some(message) = self.lane.inbox.pop() {
            match message {
                Message::Job(job) => self.backlog.push_back(Waiting { job, alone: false }),
                Message::Cancel(id) => self.cancel(id),
            }
        }
    }

    fn begin_backlog(&mut self, finished: &mut Vec<Finished>) {
        while !self.flights.is_full()
            && let Some(waiting) = self.backlog.pop_front()
        {
            let id = waiting.job.id;
            if !self.doomed.is_empty() && self.doomed.remove(&id) {
                finished.push(Finished { id, result: Err(Fault::Cancelled), path: Path::NONE });
            } else if !self.begin(waiting, finished) {
                break;
            }
        }
        if self.backlog.is_empty() {
            self.doomed.clear();
        }
    }

    /// Gives a job to the ring, and its neighbours behind it in the backlog with it; or answers it. If it has to wait, puts it back,
    /// and says so: nothing has changed for those behind it then.
    fn begin(&mut self, waiting: Waiting, finished: &mut Vec<Finished>) -> bool {
        let Waiting { job, alone } = waiting;
        let (mut op, detour) = match self.hangar.plan(&job.op) {
            Plan::Wait => {
                self.backlog.push_front(waiting);
                return false;
            }
            Plan::Answer(fault) => {
                finished.push(Finished { id: job.id, result: Err(fault), path: Path::IO_URING });
                return true;
            }
            Plan::Go(op, detour) => (op, detour),
        };
        let run = if alone || !self.joins || detour.is_some() { None } else { Run::of(&op) };
        let token = self.flights.board(Flight::new(job, detour));
        let Token::Job { seat, generation } = token else { return true };
        if let Some(run) = run
            && self.is_followed(run)
        {
            op = self.join(run, seat);
        }
        // SAFETY: the jobs say that their file and memory are there for them until they are answered, which happens when the
        // operation's completion is taken; a detour's memory is released then and the list of pieces used again, and not before.
        if let Some(path) = unsafe { self.push(Sqe { token: token.pack(), op }) } {
            self.flights.note(seat, path);
            return true;
        }
        let before = self.backlog.len();
        for flight in self.flights.leave_all(seat, generation) {
            self.backlog.push_back(Waiting { job: flight.job(), alone });
            self.hangar.abandon(flight.detour);
        }
        // To the front, in their order.
        self.backlog.rotate_left(before);
        false
    }

    /// Whether the first in the backlog goes on where this run ends.
    fn is_followed(&self, mut run: Run) -> bool {
        !self.flights.is_full()
            && self.backlog.front().is_some_and(|next| self.take_into(&mut run, next).is_some())
    }

    /// If this one goes on where the run ends, and may: takes it in, and returns its memory.
    fn take_into(&self, run: &mut Run, next: &Waiting) -> Option<HostBytes> {
        let doomed = !self.doomed.is_empty() && self.doomed.contains(&next.job.id);
        if next.alone || doomed { None } else { run.take(&next.job.op) }
    }

    /// Takes those out of the backlog that go on where the run ends, behind the one in this seat, and makes one read of all.
    fn join(&mut self, mut run: Run, first: u32) -> Op {
        let mut last = first;
        let mut pieces = self.flights.take_pieces(first);
        pieces.push(run.first());
        while !self.flights.is_full()
            && let Some(&next) = self.backlog.front()
            && let Some(into) = self.take_into(&mut run, &next)
        {
            self.backlog.pop_front();
            pieces.push(into);
            last = self.flights.board_behind(first, last, Flight::new(next.job, None));
        }
        self.flights.note(first, Path::IO_JOINED);
        run.read(self.flights.keep_pieces(first, pieces))
    }

    /// Puts an operation into the submission queue, making room if need be. If it is there, returns what [`Ring::push`] says.
    ///
    /// # Safety
    /// That of [`Ring::push`].
    unsafe fn push(&mut self, sqe: Sqe) -> Option<Path> {
        for attempt in 0..2 {
            // SAFETY: the caller's promise, passed on.
            if let Ok(path) = unsafe { self.ring.push(sqe) } {
                self.outstanding += 1;
                self.fresh += 1;
                if self.fresh >= self.pace {
                    self.enter(0);
                }
                return Some(path);
            }
            if attempt == 0 {
                self.enter(0);
            }
        }
        None
    }

    fn cancel(&mut self, id: JobId) {
        match self.flights.find_unwanted(id) {
            Some(Unwanted::Cancel(token)) => self.cancels.push(token),
            Some(Unwanted::Already) => {}
            // With nothing waiting there is nothing to cancel: it has been answered.
            None if self.backlog.is_empty() => {}
            None => drop(self.doomed.insert(id)),
        }
    }

    fn submit_cancels(&mut self) {
        while let Some(token) = self.cancels.pop() {
            let cancel = Sqe { token: Token::Cancel.pack(), op: Op::Cancel { token: token.pack() } };
            // SAFETY: it names no memory.
            if unsafe { self.push(cancel) }.is_none() {
                self.cancels.push(token);
                break;
            }
        }
    }

    fn listen(&mut self) {
        if !self.listening {
            let listen = Sqe { token: Token::Bell.pack(), op: self.count.listen(&self.lane.bell) };
            // SAFETY: the event and the count are the driver's own, which waits for the completion before it goes.
            self.listening = unsafe { self.push(listen) }.is_some();
        }
    }

    /// Enters the kernel. A refusal is no end: what is to be submitted stays where it is, and the next turn tries again.
    fn enter(&mut self, want: u32) {
        let fresh = core::mem::take(&mut self.fresh) as usize;
        let ready = self.ring.ready();
        let entered = self.ring.enter(want);
        if fresh > 0 {
            let at_once = self.ring.ready() >= ready + fresh;
            let most = if at_once { CACHED } else { GROUP };
            self.pace = (2 * self.pace).min(most);
        }
        let refused = match entered {
            // A signal: perhaps the process was stopped and goes on.
            Ok(()) | Err(Errno::INTR) => return,
            Err(errno) => errno,
        };
        // BUSY: completions must be taken first. AGAIN: the kernel is short of memory for the moment.
        if refused != Errno::BUSY && refused != Errno::AGAIN {
            self.complaints.file("jobs wait until io_uring_enter works again", refused);
        }
        self.ring.reap(&mut self.completions, usize::MAX);
        if self.completions.is_empty() {
            std::thread::sleep(NAP);
        }
    }

    fn take_completions(&mut self, finished: &mut Vec<Finished>) {
        self.ring.reap(&mut self.completions, self.pace as usize);
        for cqe in self.completions.drain(..) {
            let token = Token::unpack(cqe.token);
            self.outstanding -= usize::from(token != Token::Message);
            match token {
                Token::Bell => self.listening = false,
                Token::Cancel | Token::Message => {}
                Token::Job { seat, generation } => {
                    let mut left = cqe.result;
                    for flight in self.flights.leave_all(seat, generation) {
                        let (job, path) = (flight.job(), flight.path);
                        let (verdict, rest) = judge(&flight, left);
                        left = rest;
                        let result = match verdict {
                            Verdict::Moved(moved) => {
                                Ok(self.hangar.arrive(&job.op, flight.detour, u64::from(moved)))
                            }
                            Verdict::Failed(errno) => {
                                self.hangar.abandon(flight.detour);
                                Err(fault(errno))
                            }
                            Verdict::Again(without) => {
                                if let Some(feature) = without {
                                    self.ring.go_without(feature);
                                    self.lane.lose(feature);
                                    self.complaints.go_without(feature, Errno::OPNOTSUPP);
                                }
                                self.hangar.abandon(flight.detour);
                                if !flight.unwanted {
                                    self.backlog.push_back(Waiting { job, alone: true });
                                    continue;
                                }
                                Err(Fault::Cancelled)
                            }
                        };
                        finished.push(Finished { id: job.id, result, path });
                    }
                }
            }
        }
    }

    /// Lets go of the kernel: what it has of ours, it has no more.
    fn quiesce(&mut self) {
        if self.listening {
            self.lane.bell.strike_event();
        }
        let mut unanswered = Vec::new();
        while self.outstanding > 0 {
            self.enter(1);
            self.take_completions(&mut unanswered);
        }
    }
}

/// A job that has not begun.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    job: IoJob,
    /// Whether it is to be an operation by itself: with others it has come to nothing.
    alone: bool,
}

/// What an operation's outcome means for a job that is part of it.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// So many bytes are its own.
    Moved(u32),
    /// This is its own.
    Failed(Errno),
    /// Nobody knows: it is to begin again by itself, without this, if anybody still wants it.
    Again(Option<Features>),
}

/// What an operation's outcome, as far as it has not been dealt with, means for the next of its jobs; and what is left of it for
/// the one behind.
fn judge(flight: &Flight, left: Result<u32, Errno>) -> (Verdict, Result<u32, Errno>) {
    let joined = flight.path.contains(Path::IO_JOINED);
    let verdict = match left {
        // Only the feature can be to blame: without it every file system reads.
        Err(Errno::OPNOTSUPP) if flight.path.contains(Path::IO_UNCACHED) => {
            Verdict::Again(Some(Features::UNCACHED))
        }
        Err(Errno::OPNOTSUPP) if flight.path.contains(Path::IO_POLLED) => {
            Verdict::Again(Some(Features::IOPOLL))
        }
        // An error may be another's, and a cancellation too.
        Err(_) if joined => Verdict::Again(None),
        Err(errno) => Verdict::Failed(errno),
        Ok(moved) if joined => {
            let own = moved.min(u32::try_from(flight.op.len()).unwrap_or(u32::MAX));
            // What is behind those that fell short has not been reached.
            let rest = if moved > own { Ok(moved - own) } else { Err(Errno::AGAIN) };
            return (Verdict::Moved(own), rest);
        }
        Ok(moved) => Verdict::Moved(moved),
    };
    (verdict, left)
}

/// What the kernel's word means for a job.
const fn fault(errno: Errno) -> Fault {
    match errno {
        Errno::CANCELED => Fault::Cancelled,
        errno => Fault::Os(errno.raw_os_error()),
    }
}

/// Something that a thread can give turns to.
pub(crate) trait Turn {
    /// Takes messages, submits, and takes completions. If it `may_wait` and there is nothing to answer yet, it waits for
    /// something to happen. Returns whether there is more to come: after a `false` the inbox is empty, every job is in
    /// `finished`, and the engine is stopping.
    fn turn(&mut self, finished: &mut Vec<Finished>, may_wait: bool) -> bool;

    /// Takes what there is to warn of.
    fn take_warnings(&mut self) -> Vec<Warning>;

    /// Submits what is in the inbox, if there are enough for a visit to the kernel, and leaves the rest for the next turn. For within
    /// an answer: with many to deliver, a device would have nothing to do meanwhile.
    fn begin_early(&mut self);
}

impl<R: Ring> Turn for Driver<R> {
    fn turn(&mut self, finished: &mut Vec<Finished>, may_wait: bool) -> bool {
        self.listen();
        finished.append(&mut self.answers);
        self.read_messages();
        self.begin_backlog(finished);
        self.submit_cancels();
        let idle = self.flights.is_empty() && self.backlog.is_empty();
        if idle && self.lane.is_stopping() && self.lane.inbox.is_empty() {
            return false;
        }
        let ready = !self.completions.is_empty() || self.ring.ready() > 0;
        let patient = may_wait && finished.is_empty() && !ready && self.sleep_is_due();
        // What has come back already is answered before the kernel is asked for more.
        if self.fresh > 0 || !ready {
            self.enter(u32::from(patient));
        }
        if patient {
            self.lane.bell.door.get_up();
            self.pace = 1;
        }
        self.take_completions(finished);
        true
    }

    fn take_warnings(&mut self) -> Vec<Warning> {
        self.complaints.take()
    }

    fn begin_early(&mut self) {
        if self.backlog.is_empty() && self.lane.inbox.len() >= self.pace as usize {
            let mut answers = core::mem::take(&mut self.answers);
            self.read_messages();
            self.begin_backlog(&mut answers);
            self.answers = answers;
        }
    }
}

impl<R: Ring> Driver<R> {
    /// Tells everybody that this thread sleeps from now on, unless there is a reason not to.
    fn sleep_is_due(&self) -> bool {
        // Without a bell it could not be woken; the next turn tries to hang one again.
        if !self.listening || !self.cancels.is_empty() {
            return false;
        }
        // Nor does anything come of jobs that the ring had no room for.
        if self.flights.is_empty() && !self.backlog.is_empty() {
            return false;
        }
        self.lane.bell.door.lie_down();
        // Whoever stops the engine strikes the bell whether or not anyone is asleep: that needs no look.
        let quiet = self.lane.inbox.is_empty();
        if !quiet {
            self.lane.bell.door.get_up();
        }
        quiet
    }
}

impl<R: Ring> Drop for Driver<R> {
    fn drop(&mut self) {
        self.quiesce();
    }
}
