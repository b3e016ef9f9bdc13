//! The queue: a bounded set of entries and the rules by which they live.

mod cancel;
mod enqueue;
mod finish;
mod outcome;
mod schedule;
mod slot;
mod timer;

#[cfg(feature = "__defects")]
pub mod defect;
#[cfg(not(feature = "__defects"))]
#[path = "no_defect.rs"]
mod defect;

use crate::arbiter::Priority;
use crate::completion::{Completion, ErrorRecord, Failure};
use crate::error::{Error, ErrorKind, Misuse, Stage};
use crate::id::{RequestId, SLOT_BITS};
use crate::stats::Stats;
use crate::time::Time;
use finish::result;
use slot::{Entry, List, Lists, NIL};

pub use slot::Slot;

/// Where a queue keeps its entries: `[Slot; N]`, `&mut [Slot]`, `Box<[Slot]>`, a heapless vector.
pub trait Slots: AsRef<[Slot]> + AsMut<[Slot]> {}

impl<T: AsRef<[Slot]> + AsMut<[Slot]> + ?Sized> Slots for T {}

/// Entries that a slot holds before others have their turn, where there are free ones.
const GENERATIONS_IN_A_ROW: u32 = 256;

/// How a queue behaves. Chosen once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// For whoever arbitrates between queues; the queue itself only remembers it.
    pub priority: Priority,
    /// Submit by itself as soon as half of the capacity is taken by unsubmitted entries.
    pub auto_submit: bool,
    /// Largest file transfer asked of an engine at once, in bytes; longer ones are cut. At least 4096.
    pub chunk_size: u64,
    /// File transfers in flight at once. At least 1.
    pub max_transfers: u32,
    /// Bytes of requests in flight at once. A single larger request runs alone.
    pub max_bytes_in_flight: u64,
    /// Staging bytes that one request can have at all; more is refused with [`ErrorKind::TooLarge`]. What is only copied between a
    /// file and a device goes through them piece by piece, however long it is.
    pub max_lease: u64,
    /// How often in a row an operation may move nothing (`EINTR`, `EAGAIN`, a write of 0 bytes) before it fails.
    pub max_stalls: u16,
    /// Delay before the first retry after `EAGAIN`, in nanoseconds; doubled each time, up to a thousandfold.
    pub retry_delay: u64,
    /// Report per-stage times.
    pub stage_times: bool,
}

impl Config {
    /// The most entries a queue can have.
    pub const MAX_CAPACITY: u32 = 1 << SLOT_BITS;

    fn check(&self, capacity: usize) -> Result<(), Error> {
        let wrong = if capacity == 0 || capacity > Self::MAX_CAPACITY as usize {
            "a queue's capacity must be 1 to 1048576 entries"
        } else if self.chunk_size < 4096 {
            "chunk_size must be at least 4096 bytes"
        } else if self.max_transfers == 0 {
            "max_transfers must be at least 1"
        } else {
            return Ok(());
        };
        Err(Misuse::Configuration(wrong).into())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            priority: Priority::Normal,
            auto_submit: true,
            chunk_size: 1 << 20,
            max_transfers: u32::MAX,
            max_bytes_in_flight: u64::MAX,
            max_lease: u64::MAX,
            max_stalls: 16,
            retry_delay: 100_000,
            stage_times: false,
        }
    }
}

/// A queue of requests and markers with `DirectStorage`'s rules. See the [crate docs](crate) for an example.
///
/// # Calling contract
///
/// Four kinds of method:
///
/// * **entries in**: [`try_enqueue`](Self::try_enqueue), [`enqueue_status`](Self::enqueue_status),
///   [`enqueue_signal`](Self::enqueue_signal), [`enqueue_event`](Self::enqueue_event), then [`submit`](Self::submit);
///   [`cancel`](Self::cancel) and its kin, [`close`](Self::close);
/// * **actions out**: [`poll_action`](Self::poll_action), until it gives `None`. It does all the moving from stage to stage:
///   call it after *every* call of another kind, and when the time of the last [`Action::Wake`](crate::Action::Wake) comes;
/// * **outcomes in**: [`handle_outcome`](Self::handle_outcome), exactly once for each action that has an op, in any order, at
///   once or years later; [`staging_released`](Self::staging_released) when someone else gave staging memory back;
/// * **completions out**: [`next_completion`](Self::next_completion) or [`take`](Self::take), whenever one likes. Taking a
///   completion *is* its delivery: until then the entry keeps its slot. [`next_ended`](Self::next_ended) and
///   [`peek`](Self::peek) tell without taking.
///
/// Any order of calls is allowed and none panics. Every call does a bounded amount of work: O(1) per entry concerned, plus
/// O(log capacity) where a deadline or a delayed retry is involved; `cancel_*` and `close` also walk all slots once.
/// `now` never goes backwards.
///
/// # What holds always
///
/// * Every request ends in exactly one [`Completion`].
/// * A request ends only when every operation given out for it has been answered: after its completion no engine has
///   business with its memory.
/// * Markers fire in enqueue order, each when every entry before it is done.
#[derive(Debug)]
pub struct Queue<S> {
    slots: S,
    config: Config,
    lists: Lists,
    closed: bool,
    next_sequence: u64,
    next_serial: u64,
    /// Entries that hold a slot.
    held: u32,
    /// Those of them that are markers.
    markers: u32,
    transfers_flying: u32,
    /// Requests begun and not ended.
    begun: u32,
    /// Whether a request began since a transfer last had its turn.
    begun_last: bool,
    heap_len: u32,
    /// Counts the times staging memory was given back: a request refused for lack of it that sees the count changed since
    /// it asked tries again instead of waiting for a release that has already been.
    staging_epoch: u64,
    /// The request a release has woken, until it has its lease, is refused again or stops. Meanwhile nobody else asks: what
    /// was given back is for the one that has waited longest.
    woken: Option<u32>,
    /// The wake-up last announced.
    announced: Option<Time>,
    /// Failure of a request that left the order list with no entry behind it.
    carried: Option<Failure>,
    record: ErrorRecord,
    stats: Stats,
    #[cfg(feature = "__defects")]
    defect: Option<defect::Defect>,
}

impl<S: Slots> Queue<S> {
    /// An empty queue over `slots`, whose number is the capacity.
    ///
    /// # Errors
    /// [`Misuse::Configuration`] if the capacity is 0 or above [`Config::MAX_CAPACITY`], or a setting makes no sense.
    pub fn new(mut slots: S, config: Config) -> Result<Self, Error> {
        let storage = slots.as_mut();
        config.check(storage.len())?;
        storage.fill(Slot::new());
        let mut lists = Lists::new();
        for index in 0..storage.len() as u32 {
            lists.push(storage, List::Free, index);
        }
        Ok(Self {
            slots,
            config,
            lists,
            closed: false,
            next_sequence: 1,
            next_serial: 1,
            held: 0,
            markers: 0,
            transfers_flying: 0,
            begun: 0,
            begun_last: false,
            heap_len: 0,
            staging_epoch: 0,
            woken: None,
            announced: None,
            carried: None,
            record: ErrorRecord::default(),
            stats: Stats::new(),
            #[cfg(feature = "__defects")]
            defect: None,
        })
    }

    /// The number of entries the queue can hold.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.slots.as_ref().len() as u32
    }

    /// Slots no entry holds.
    #[must_use]
    pub fn vacancies(&self) -> u32 {
        self.capacity() - self.held
    }

    /// Entries that hold a slot: not done, or done and not delivered.
    #[must_use]
    pub const fn held(&self) -> u32 {
        self.held
    }

    /// Entries that will free their slot without anyone taking a completion: requests and markers that are not done. If this
    /// is 0 and the queue is full, only untaken completions block it, and waiting is in vain.
    #[must_use]
    pub const fn unfinished(&self) -> u32 {
        self.held - self.stats.undelivered
    }

    /// Entries still to be enqueued before the queue submits by itself; `None` if it does not.
    #[must_use]
    pub fn until_auto_submit(&self) -> Option<u32> {
        self.config.auto_submit.then(|| self.capacity().div_ceil(2).saturating_sub(self.stats.unsubmitted))
    }

    /// How the queue was configured.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether every entry is done: no engine holds memory of any request, and nothing will happen by itself.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.unfinished() == 0
    }

    /// Whether polling with [`Room::Any`](crate::Room::Any) might start file I/O or a new request: what an arbiter asks.
    #[must_use]
    pub fn wants_transfers(&self) -> bool {
        self.lists.head(List::Begin).is_some() || self.lists.head(List::Transfer).is_some()
    }

    /// File transfers and syncs that engines have and have not answered.
    #[must_use]
    pub const fn transfers_in_flight(&self) -> u32 {
        self.transfers_flying
    }

    /// What the queue has done so far.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What failed since the last call: the number of requests, and the first of them in enqueue order.
    pub fn take_error_record(&mut self) -> ErrorRecord {
        core::mem::take(&mut self.record)
    }

    /// The next completion, in the order the requests ended. Its slot is free from now on.
    pub fn next_completion(&mut self) -> Option<Completion> {
        let index = self.lists.head(List::Completed).or_else(|| self.lists.head(List::Ended))?;
        Some(self.deliver(index))
    }

    /// Announces each request that has ended, once, in the order they ended. Its completion stays to be taken: for a driver
    /// that must wake or call someone before the completion counts as delivered.
    pub fn next_ended(&mut self) -> Option<RequestId> {
        let index = self.pop(List::Ended)?;
        self.push(List::Completed, index);
        Some(self.slot(index).id(index))
    }

    /// The completion of that request, if it has ended and nobody has taken it. It stays to be taken.
    #[must_use]
    pub fn peek(&self, id: RequestId) -> Option<Completion> {
        let slot = self.find(id)?;
        (slot.stage == Stage::Done).then(|| self.completion(id.slot()))
    }

    /// How that request ended, if it has and nobody has taken its completion: [`Completion::result`] alone, for less work than
    /// [`peek`](Self::peek).
    #[must_use]
    pub fn result(&self, id: RequestId) -> Option<Result<(), Error>> {
        let slot = self.find(id)?;
        (slot.stage == Stage::Done).then(|| result(slot, id))
    }

    /// The completion of that request, if it has ended and nobody has taken it. Its slot is free from now on.
    // As `completion`.
    #[inline(always)]
    pub fn take(&mut self, id: RequestId) -> Option<Completion> {
        if self.is_done(id) == Some(true) { Some(self.deliver(id.slot())) } else { None }
    }

    /// Whether that request has ended and its completion is still to be taken; `None` if the id names no request.
    #[must_use]
    pub fn is_done(&self, id: RequestId) -> Option<bool> {
        self.find(id).map(|slot| slot.stage == Stage::Done)
    }

    fn find(&self, id: RequestId) -> Option<&Slot> {
        let slot = self.slots.as_ref().get(id.index())?;
        (slot.generation == id.generation() && slot.entry == Entry::Request).then_some(slot)
    }

    fn slot(&self, index: u32) -> &Slot {
        &self.slots.as_ref()[index as usize]
    }

    fn slot_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.slots.as_mut()[index as usize]
    }

    fn push(&mut self, list: List, index: u32) {
        self.lists.push(self.slots.as_mut(), list, index);
    }

    fn pop(&mut self, list: List) -> Option<u32> {
        self.lists.pop(self.slots.as_mut(), list)
    }

    fn is_in(&self, list: List, index: u32) -> bool {
        Lists::contains(self.slots.as_ref(), list, index)
    }

    fn unlink(&mut self, list: List, index: u32) {
        self.lists.unlink(self.slots.as_mut(), list, index);
    }

    /// Takes a free slot for a new entry.
    fn occupy(&mut self, entry: Entry, now: Time) -> Result<u32, Error> {
        if self.closed {
            return Err(Error::new(ErrorKind::Closed));
        }
        let Some(index) = self.pop(List::Free) else {
            return Err(Error::new(ErrorKind::QueueFull { capacity: self.capacity() }));
        };
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.held += 1;
        self.stats.unsubmitted += 1;
        let carried = self.carried.take();
        let slot = self.slot_mut(index);
        slot.occupy(entry, sequence, now);
        slot.carried = carried;
        self.push(List::Order, index);
        self.push(List::Queued, index);
        Ok(index)
    }

    /// Frees a slot whose entry is over.
    fn vacate(&mut self, index: u32) {
        let slot = self.slot_mut(index);
        slot.entry = Entry::Free;
        slot.generation = slot.generation.checked_add(1).unwrap_or(1);
        let slot_rests = slot.generation.is_multiple_of(GENERATIONS_IN_A_ROW);
        debug_assert!(slot.heap_position == NIL && slot.dependents == NIL);
        self.held -= 1;
        // The next entry gets the slot that is in the cache; but slots take turns now and then, or the generations of a few would come
        // round in hours.
        if slot_rests {
            self.push(List::Free, index);
        } else {
            self.lists.push_front(self.slots.as_mut(), List::Free, index);
        }
    }
}
