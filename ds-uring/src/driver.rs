//! What a ring's thread does in one turn.

use core::time::Duration;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use ds_core::{Fault, Path};
use ds_engine::{Finished, IoJob, JobId, Warning};
use rustix::io::Errno;

use crate::bell::Count;
use crate::direct::{Hangar, Plan};
use crate::features::Features;
use crate::flights::{Flight, Flights, Token};
use crate::inbox::Message;
use crate::lane::Lane;
use crate::report::Complaints;
use crate::ring::{Cqe, Op, Ring, Sqe};

/// How long to leave a kernel alone that refuses to be entered and has no completions either.
const NAP: Duration = Duration::from_millis(1);

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
    /// Jobs that there was no seat or no aligned memory for, in their order.
    backlog: VecDeque<IoJob>,
    /// Of jobs in the backlog: those to be answered as cancelled when their turn comes.
    doomed: HashSet<JobId>,
    /// Jobs in the kernel whose cancellation has not been submitted.
    cancels: Vec<Token>,
    hangar: Hangar,
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
    pub(crate) fn new(ring: R, lane: Arc<Lane>, depth: usize, hangar: Hangar) -> Self {
        Self {
            ring,
            lane,
            flights: Flights::new(depth),
            backlog: VecDeque::new(),
            doomed: HashSet::new(),
            cancels: Vec::new(),
            hangar,
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
    fn read_messages(&mut self, finished: &mut Vec<Finished>) {
        while let Some(message) = self.lane.inbox.pop() {
            match message {
                // The usual case: there is room, and nobody waits.
                Message::Job(job) if self.backlog.is_empty() => self.begin(job, finished),
                Message::Job(job) => self.backlog.push_back(job),
                Message::Cancel(id) => self.cancel(id),
            }
        }
    }

    fn begin_backlog(&mut self, finished: &mut Vec<Finished>) {
        // One that has to wait goes back to the front, and nothing has changed for those behind it.
        while !self.flights.is_full()
            && let Some(job) = self.backlog.pop_front()
        {
            let before = self.backlog.len();
            if self.doomed.remove(&job.id) {
                finished.push(Finished { id: job.id, result: Err(Fault::Cancelled), path: Path::NONE });
            } else {
                self.begin(job, finished);
            }
            if self.backlog.len() > before {
                break;
            }
        }
        if self.backlog.is_empty() {
            self.doomed.clear();
        }
    }

    /// Gives a job to the ring, or to the front of the backlog, or answers it.
    fn begin(&mut self, job: IoJob, finished: &mut Vec<Finished>) {
        if self.flights.is_full() {
            return self.backlog.push_front(job);
        }
        match self.hangar.plan(&job.op) {
            Plan::Wait => self.backlog.push_front(job),
            Plan::Answer(fault) => {
                finished.push(Finished { id: job.id, result: Err(fault), path: Path::IO_URING });
            }
            Plan::Go(op, detour) => {
                let flight = Flight { id: job.id, op: job.op, detour, path: Path::IO_URING };
                let token = self.flights.board(flight);
                let Token::Job { seat, generation } = token else { return };
                // SAFETY: the job says that its file and memory are there for it until it is answered, which happens when its
                // completion is taken; a detour's memory is released then, and not before.
                match unsafe { self.push(Sqe { token: token.pack(), op }) } {
                    Some(path) => self.flights.note(seat, path),
                    None => {
                        let flight = self.flights.leave(seat, generation);
                        self.hangar.abandon(flight.and_then(|flight| flight.detour));
                        self.backlog.push_front(job);
                    }
                }
            }
        }
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
        match self.flights.find(id) {
            Some(token) => self.cancels.push(token),
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
            self.outstanding -= 1;
            match Token::unpack(cqe.token) {
                Token::Bell => self.listening = false,
                Token::Cancel => {}
                Token::Job { seat, generation } => {
                    let Some(flight) = self.flights.leave(seat, generation) else { continue };
                    let Flight { id, op, detour, path } = flight;
                    let result = match cqe.result {
                        Err(Errno::OPNOTSUPP) if path.contains(Path::IO_UNCACHED) => {
                            // Only the flag can be to blame: without it every file system reads.
                            self.ring.keep_cached();
                            self.complaints.go_without(Features::UNCACHED, Errno::OPNOTSUPP);
                            self.hangar.abandon(detour);
                            self.backlog.push_back(IoJob { id, op });
                            continue;
                        }
                        Ok(moved) => Ok(self.hangar.arrive(&op, detour, u64::from(moved))),
                        Err(errno) => {
                            self.hangar.abandon(detour);
                            Err(fault(errno))
                        }
                    };
                    finished.push(Finished { id, result, path });
                }
            }
        }
    }

    /// Lets go of the kernel: what it has of ours, it has no more.
    fn quiesce(&mut self) {
        if self.listening {
            self.lane.bell.strike();
        }
        let mut unanswered = Vec::new();
        while self.outstanding > 0 {
            self.enter(1);
            self.take_completions(&mut unanswered);
        }
    }
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
        self.begin_backlog(finished);
        self.read_messages(finished);
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
            self.read_messages(&mut answers);
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
