//! What the queue keeps per entry, and the lists threaded through it.

use core::time::Duration;

use crate::completion::{EventToken, Failure, SignalToken, StageTimes, StatusToken};
use crate::error::{ErrorKind, Stage};
use crate::id::{LeaseId, RequestId};
use crate::path::Path;
use crate::request::{Plan, Request};
use crate::time::Time;

/// Index that names no slot.
pub(super) const NIL: u32 = u32::MAX;
/// Sub-transfers of one request that may be in flight at once.
pub(super) const PARTS: usize = Plan::PARTS;
/// The number of the operation that is no sub-transfer: a lease, a copy, a decoding step, a sync.
pub(super) const WORK_PART: usize = PARTS;

/// The lists. Each slot has one link per [`Chain`], so it can be in one list of each chain at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum List {
    /// Slots nobody uses.
    Free,
    /// All entries that are not done, in enqueue order.
    Order,
    /// Entries not yet submitted, in enqueue order.
    Queued,
    /// Submitted requests that have not begun.
    Begin,
    /// Requests that may have file I/O to start.
    Transfer,
    /// Requests with outstanding operations to cancel.
    Cancel,
    /// Requests that may have a lease, a copy, a decoding step, a release or their own end to perform.
    Work,
    /// Requests waiting for staging memory.
    Parked,
    /// Ended requests that have not been announced.
    Ended,
    /// Ended requests that have been announced and whose completion has not been taken.
    Completed,
}

impl List {
    pub(super) const COUNT: usize = 10;

    const fn chain(self) -> usize {
        let chain = match self {
            Self::Order => Chain::Order,
            Self::Free | Self::Queued | Self::Begin | Self::Transfer | Self::Cancel => Chain::Start,
            Self::Work | Self::Parked | Self::Ended | Self::Completed => Chain::End,
        };
        chain as usize
    }
}

/// Which of a slot's links a list goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Chain {
    /// The one list of all entries.
    Order,
    /// Those of entries with something to start.
    Start,
    /// Those of entries with something to end.
    End,
}

const CHAINS: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
    list: Option<List>,
}

impl Link {
    const NONE: Self = Self { prev: NIL, next: NIL, list: None };
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    head: u32,
    tail: u32,
}

/// Head and tail of every list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lists {
    ends: [Ends; List::COUNT],
}

impl Lists {
    pub(super) const fn new() -> Self {
        Self { ends: [Ends { head: NIL, tail: NIL }; List::COUNT] }
    }

    pub(super) const fn head(&self, list: List) -> Option<u32> {
        let head = self.ends[list as usize].head;
        if head == NIL { None } else { Some(head) }
    }

    /// Whether the slot is in that list.
    pub(super) fn contains(slots: &[Slot], list: List, index: u32) -> bool {
        slots[index as usize].links[list.chain()].list == Some(list)
    }

    /// Whether the slot is in no list of that list's chain.
    pub(super) fn is_free_for(slots: &[Slot], list: List, index: u32) -> bool {
        slots[index as usize].links[list.chain()].list.is_none()
    }

    /// Puts a slot that is in no list of the same chain first.
    pub(super) fn push_front(&mut self, slots: &mut [Slot], list: List, index: u32) {
        let chain = list.chain();
        let ends = &mut self.ends[list as usize];
        slots[index as usize].links[chain] = Link { prev: NIL, next: ends.head, list: Some(list) };
        let following = core::mem::replace(&mut ends.head, index);
        if following == NIL {
            ends.tail = index;
        } else {
            slots[following as usize].links[chain].prev = index;
        }
    }

    /// The slot after this one in that list.
    pub(super) fn following(slots: &[Slot], list: List, index: u32) -> Option<u32> {
        let next = slots[index as usize].links[list.chain()].next;
        (next != NIL).then_some(next)
    }

    /// Appends a slot that is in no list of the same chain.
    pub(super) fn push(&mut self, slots: &mut [Slot], list: List, index: u32) {
        let chain = list.chain();
        let ends = &mut self.ends[list as usize];
        let link = &mut slots[index as usize].links[chain];
        debug_assert!(link.list.is_none(), "slot {index} is in {:?} already", link.list);
        *link = Link { prev: ends.tail, next: NIL, list: Some(list) };
        let previous = core::mem::replace(&mut ends.tail, index);
        if previous == NIL {
            ends.head = index;
        } else {
            slots[previous as usize].links[chain].next = index;
        }
    }

    /// Empties a list into the end of another of the same chain, in order. What `goes` does not want there is in neither.
    pub(super) fn pour(
        &mut self,
        slots: &mut [Slot],
        from: List,
        into: List,
        mut goes: impl FnMut(&mut Slot) -> bool,
    ) {
        let chain = into.chain();
        debug_assert_eq!(from.chain(), chain, "{from:?} and {into:?} go through different links");
        let source = core::mem::replace(&mut self.ends[from as usize], Ends { head: NIL, tail: NIL });
        let ends = &mut self.ends[into as usize];
        let mut next = source.head;
        while next != NIL {
            let index = next;
            let slot = &mut slots[index as usize];
            next = slot.links[chain].next;
            if !goes(slot) {
                slot.links[chain] = Link::NONE;
                continue;
            }
            slot.links[chain] = Link { prev: ends.tail, next: NIL, list: Some(into) };
            match core::mem::replace(&mut ends.tail, index) {
                NIL => ends.head = index,
                previous => slots[previous as usize].links[chain].next = index,
            }
        }
    }

    pub(super) fn pop(&mut self, slots: &mut [Slot], list: List) -> Option<u32> {
        let head = self.head(list)?;
        self.unlink(slots, list, head);
        Some(head)
    }

    /// Takes a slot out of a list it may or may not be in.
    pub(super) fn unlink(&mut self, slots: &mut [Slot], list: List, index: u32) {
        let link = slots[index as usize].links[list.chain()];
        if link.list == Some(list) {
            self.take_out(slots, list, index, link);
        }
    }

    /// Takes a slot out of whatever list of that chain it is in, if any.
    pub(super) fn leave(&mut self, slots: &mut [Slot], chain: Chain, index: u32) {
        let link = slots[index as usize].links[chain as usize];
        if let Some(list) = link.list {
            self.take_out(slots, list, index, link);
        }
    }

    fn take_out(&mut self, slots: &mut [Slot], list: List, index: u32, link: Link) {
        let chain = list.chain();
        slots[index as usize].links[chain] = Link::NONE;
        let ends = &mut self.ends[list as usize];
        if link.prev == NIL {
            ends.head = link.next;
        } else {
            slots[link.prev as usize].links[chain].next = link.next;
        }
        if link.next == NIL {
            ends.tail = link.prev;
        } else {
            slots[link.next as usize].links[chain].prev = link.prev;
        }
    }
}

/// One sub-transfer of a request. Its state lies beside those of the others: most requests have one part only, and need look at
/// no other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Serial of the operation in flight.
    pub(super) serial: u64,
    /// First byte, from the start of the transfer.
    pub(super) offset: u64,
    /// Number of bytes.
    pub(super) len: u64,
    /// Bytes moved so far.
    pub(super) done: u64,
    /// When to try again, if that is put off.
    pub(super) due: Time,
    /// Times in a row that nothing moved.
    pub(super) stalls: u16,
    /// Which of its two ways it is on, if the request is relayed; else always the first.
    pub(super) leg: Leg,
}

/// The ways of a sub-transfer between a file and a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// Between file and memory.
    File,
    /// Between staging and device memory.
    Device,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartState {
    Idle,
    /// An engine has it.
    Flying,
    /// As before, and the engine has been asked to hurry.
    FlyingCancelled,
    /// To be tried again at once.
    Again,
    /// To be tried again when it is due.
    Backoff,
}

impl Part {
    pub(super) const IDLE: Self =
        Self { serial: 0, offset: 0, len: 0, done: 0, due: Time::ZERO, stalls: 0, leg: Leg::File };
}

impl PartState {
    pub(super) const fn is_flying(self) -> bool {
        matches!(self, Self::Flying | Self::FlyingCancelled)
    }
}

/// What the operation that is no sub-transfer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Lease,
    /// Device memory to staging.
    Fetch,
    Decode,
    /// To the destination.
    Place,
    Sync,
}

/// Why a request goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    Because(ErrorKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    Request,
    Status(StatusToken),
    Signal(SignalToken),
    Event(EventToken),
}

impl Entry {
    pub(super) const fn is_marker(self) -> bool {
        matches!(self, Self::Status(_) | Self::Signal(_) | Self::Event(_))
    }
}

/// When what happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) enqueued: Time,
    pub(super) submitted: Time,
    pub(super) begun: Time,
    pub(super) fetched: Time,
    pub(super) decoded: Time,
    pub(super) ended: Time,
}

impl Marks {
    const fn at(now: Time) -> Self {
        Self { enqueued: now, submitted: now, begun: now, fetched: now, decoded: now, ended: now }
    }

    /// From submit to the end.
    pub(super) const fn latency(&self) -> Duration {
        Duration::from_nanos(self.latency_nanos())
    }

    /// The same, in nanoseconds.
    pub(super) const fn latency_nanos(&self) -> u64 {
        self.ended.as_nanos().saturating_sub(self.submitted.as_nanos())
    }

    pub(super) fn stage_times(&self) -> StageTimes {
        StageTimes {
            queued: self.submitted.since(self.enqueued),
            waiting: self.begun.since(self.submitted),
            reading: self.fetched.since(self.begun),
            decoding: self.decoded.since(self.fetched),
            placing: self.ended.since(self.decoded.max(self.fetched)),
        }
    }
}

/// Storage for one entry. A queue is made over an array, slice or box of these and keeps nothing elsewhere, so its memory
/// is `capacity x size_of::<Slot>()` (at most 768 bytes each).
#[derive(Clone, Debug)]
pub struct Slot {
    links: [Link; CHAINS],
    pub(super) generation: u32,
    pub(super) entry: Entry,
    /// Place in enqueue order, from 1.
    pub(super) sequence: u64,
    pub(super) submitted: bool,
    /// The earliest failure among requests that left the order list in front of this entry.
    pub(super) carried: Option<Failure>,

    pub(super) request: Request,
    pub(super) plan: Plan,
    pub(super) stage: Stage,
    /// How far it had come when it ended.
    pub(super) ended_in: Stage,
    pub(super) stop: Stop,
    pub(super) lease: Option<LeaseId>,
    pub(super) states: [PartState; PARTS],
    pub(super) parts: [Part; PARTS],
    /// Whether bytes of a relayed request have come as far as their second way.
    relayed: bool,
    /// Bytes of the transfer that have been dealt out to parts.
    pub(super) dealt: u64,
    /// Where the file turned out to end, from the start of the transfer.
    pub(super) eof: Option<u64>,
    pub(super) work: Option<Work>,
    pub(super) work_serial: u64,
    pub(super) work_cancelled: bool,
    pub(super) work_stalls: u16,
    /// When the operation that is no sub-transfer may be tried again.
    pub(super) work_backoff: Option<Time>,
    pub(super) fetched: bool,
    pub(super) decoded: bool,
    pub(super) placed: bool,
    /// What the codec said last.
    pub(super) cursor: u64,
    pub(super) wants: u64,
    pub(super) produced: u64,
    /// Input bytes the codec was last offered.
    pub(super) offered: u64,
    /// Bytes transfers have moved.
    pub(super) moved: u64,
    /// The queue's staging epoch when a lease was last asked for.
    pub(super) lease_epoch: u64,
    pub(super) path: Path,
    pub(super) marks: Marks,
    /// When a backed-off operation is due.
    pub(super) retry_at: Option<Time>,

    /// First request that waits for this one to end, and the next that waits for the same as this.
    pub(super) dependents: u32,
    pub(super) next_dependent: u32,
    /// The one before this in that chain; `NIL` if this is the first.
    pub(super) prev_dependent: u32,
    /// Whether the request this one waits for has not ended.
    pub(super) blocked: bool,

    /// Position in the timer heap, or `NIL`.
    pub(super) heap_position: u32,
    /// The slot at the heap position of this slot's own index.
    pub(super) heap_slot: u32,
}

impl Slot {
    /// A free slot.
    #[must_use]
    pub const fn new() -> Self {
        use crate::request::{Fetch, Location, Operation, Place, Processor, Transform};
        Self {
            links: [Link::NONE; CHAINS],
            generation: 1,
            entry: Entry::Free,
            sequence: 0,
            submitted: false,
            carried: None,
            request: Request {
                operation: Operation::Read,
                source: Location::None,
                destination: Location::None,
                transform: Transform::None,
                processor: Processor::Host,
                uncompressed_size: 0,
                tag: 0,
                deadline: None,
                after: None,
                allow_short: false,
            },
            plan: Plan {
                fetch: Fetch::Nothing,
                decode: false,
                place: Place::Nothing,
                sync: false,
                lease_in: 0,
                lease_out: 0,
                relay: false,
                piece: 0,
            },
            stage: Stage::Queued,
            ended_in: Stage::Queued,
            stop: Stop::No,
            lease: None,
            states: [PartState::Idle; PARTS],
            parts: [Part::IDLE; PARTS],
            relayed: false,
            dealt: 0,
            eof: None,
            work: None,
            work_serial: 0,
            work_cancelled: false,
            work_stalls: 0,
            work_backoff: None,
            fetched: false,
            decoded: false,
            placed: false,
            cursor: 0,
            wants: 0,
            produced: 0,
            offered: 0,
            moved: 0,
            lease_epoch: 0,
            path: Path::NONE,
            marks: Marks::at(Time::ZERO),
            retry_at: None,
            dependents: NIL,
            next_dependent: NIL,
            prev_dependent: NIL,
            blocked: false,
            heap_position: NIL,
            heap_slot: NIL,
        }
    }

    /// Makes the slot a fresh entry. Links, generation and heap stay; so does what each entry writes before it reads it,
    /// which is most of the slot.
    pub(super) fn occupy(&mut self, entry: Entry, sequence: u64, now: Time) {
        self.entry = entry;
        self.sequence = sequence;
        self.submitted = false;
        self.stage = Stage::Queued;
        self.ended_in = Stage::Queued;
        self.stop = Stop::No;
        self.lease = None;
        self.states = [PartState::Idle; PARTS];
        self.relayed = false;
        self.dealt = 0;
        self.eof = None;
        self.work = None;
        self.work_stalls = 0;
        self.work_backoff = None;
        self.cursor = 0;
        self.wants = 0;
        self.produced = 0;
        self.offered = 0;
        self.moved = 0;
        self.path = Path::NONE;
        self.marks = Marks::at(now);
        self.retry_at = None;
        self.dependents = NIL;
        self.next_dependent = NIL;
        self.prev_dependent = NIL;
        self.blocked = false;
    }

    pub(super) fn id(&self, index: u32) -> RequestId {
        RequestId::new(index, self.generation)
    }

    /// Operations engines have and have not answered.
    pub(super) fn flying(&self) -> usize {
        self.states.iter().filter(|state| state.is_flying()).count() + usize::from(self.work.is_some())
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop != Stop::No
    }

    /// Whether its operations have begun and it has not ended.
    pub(super) fn is_begun(&self) -> bool {
        self.stage == Stage::Reading
    }

    /// Whether every stage it needs is done.
    pub(super) const fn is_complete(&self) -> bool {
        self.fetched && self.decoded && self.placed
    }

    /// How far it has come, for people. (`stage` itself only tells begun from not begun.)
    pub(super) fn reached(&self) -> Stage {
        match self.stage {
            Stage::Reading if self.fetched && self.decoded || self.relayed => Stage::Placing,
            Stage::Reading if self.fetched => Stage::Decoding,
            stage => stage,
        }
    }

    /// Bytes the transfer is to move: a read's source or a write's destination.
    pub(super) fn transfer_len(&self) -> u64 {
        use crate::request::{Fetch, Place};
        match (self.plan.fetch, self.plan.place) {
            (Fetch::File, _) => self.request.source.len(),
            (_, Place::Write) => self.request.destination.len(),
            _ => 0,
        }
    }

    /// Sub-transfers there can be at once: as many as a relayed request has pieces of memory for.
    fn pieces(&self) -> usize {
        match self.plan.relay {
            true => self.plan.lease_in.div_ceil(self.plan.piece) as usize,
            false => PARTS,
        }
    }

    /// The way that a sub-transfer begins with.
    pub(super) fn first_leg(&self) -> Leg {
        if self.plan.relay && self.plan.place == crate::request::Place::Write {
            Leg::Device
        } else {
            Leg::File
        }
    }

    /// A sub-transfer that has nothing to do and may begin another.
    pub(super) fn idle_part(&self) -> Option<usize> {
        self.states.iter().take(self.pieces()).position(|&state| state == PartState::Idle)
    }

    /// Whether some of the transfer can be dealt to a sub-transfer.
    pub(super) fn can_deal(&self) -> bool {
        self.eof.is_none() && self.dealt < self.transfer_len() && self.idle_part().is_some()
    }

    /// What a sub-transfer of a relayed request has brought into its piece of staging memory goes on from there.
    pub(super) fn take_other_leg(&mut self, number: usize, leg: Leg) {
        let part = &mut self.parts[number];
        if self.plan.relay && self.stop == Stop::No && part.done > 0 {
            // Where the file ends that is less than it was to be.
            part.len = part.done;
            (part.leg, part.done) = (leg, 0);
            self.states[number] = PartState::Again;
            self.relayed = true;
        }
    }

    /// A sub-transfer that is to be tried again, or goes on, on this way.
    pub(super) fn waiting_part(&self, leg: Leg) -> Option<usize> {
        // Most requests have none, and then no part is looked at.
        if !self.states.contains(&PartState::Again) {
            return None;
        }
        let mut parts = self.states.iter().zip(&self.parts);
        parts.position(|(&state, part)| state == PartState::Again && part.leg == leg)
    }

    /// Bytes that a copy to the destination moves.
    pub(super) fn placed_len(&self) -> u64 {
        if self.plan.decode { self.request.uncompressed_size } else { self.available() }
    }

    /// How many bytes from the start of the transfer have been moved without a gap.
    pub(super) fn prefix(&self) -> u64 {
        let parts = self.states.iter().zip(&self.parts).filter(|&(&state, _)| state != PartState::Idle);
        parts
            .map(|(_, part)| part.offset + part.done)
            .min()
            .unwrap_or(self.dealt)
            .min(self.eof.unwrap_or(u64::MAX))
    }

    /// Bytes of the input that the next stage can use.
    pub(super) fn available(&self) -> u64 {
        use crate::request::Fetch;
        match self.plan.fetch {
            Fetch::File => self.prefix(),
            Fetch::Device if !self.fetched => 0,
            _ => self.request.source.len(),
        }
    }

    /// The larger of what the request reads and what it makes: what it counts for in flight.
    pub(super) fn footprint(&self) -> u64 {
        self.request.source.len().max(self.request.uncompressed_size).max(self.request.destination.len())
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_the_size_its_docs_state() {
        assert!(size_of::<Slot>() <= 768, "{}", size_of::<Slot>());
    }

    #[test]
    fn lists_keep_order_and_lose_nothing() {
        let mut slots = [const { Slot::new() }; 5];
        let mut lists = Lists::new();
        for index in 0..5 {
            lists.push(&mut slots, List::Queued, index);
        }
        lists.unlink(&mut slots, List::Queued, 2);
        lists.unlink(&mut slots, List::Queued, 2);
        lists.unlink(&mut slots, List::Work, 3);
        lists.unlink(&mut slots, List::Queued, 4);
        lists.push(&mut slots, List::Queued, 2);
        let mut seen = [0; 4];
        for index in &mut seen {
            *index = lists.pop(&mut slots, List::Queued).unwrap();
        }
        assert_eq!(seen, [0, 1, 3, 2]);
        assert_eq!(lists.pop(&mut slots, List::Queued), None);
    }

    #[test]
    fn what_is_poured_comes_behind_what_is_there_and_the_rest_is_nowhere() {
        let mut slots = [const { Slot::new() }; 5];
        let mut lists = Lists::new();
        let drain = |lists: &mut Lists, slots: &mut [Slot]| -> [Option<u32>; 4] {
            core::array::from_fn(|_| lists.pop(slots, List::Begin))
        };
        lists.pour(&mut slots, List::Queued, List::Begin, |_| true);
        assert_eq!(drain(&mut lists, &mut slots), [None; 4]);
        for round in 0..2 {
            lists.push(&mut slots, List::Begin, 4);
            for index in 0..4 {
                slots[index as usize].submitted = index != round;
                lists.push(&mut slots, List::Queued, index);
            }
            lists.pour(&mut slots, List::Queued, List::Begin, |slot| slot.submitted);
            assert_eq!(lists.head(List::Queued), None);
            assert!(Lists::is_free_for(&slots, List::Begin, round));
            lists.unlink(&mut slots, List::Begin, 3);
            let poured = if round == 0 { [1, 2] } else { [0, 2] };
            assert_eq!(drain(&mut lists, &mut slots), [Some(4), Some(poured[0]), Some(poured[1]), None]);
        }
    }
}
