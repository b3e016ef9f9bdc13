//! What the checker knows of one queue: its entries in order, and the numbers its statistics must show.

use ds_core::{
    Action, ByteCounts, Completion, Config, Done, ErrorKind, ErrorRecord, Failure, LeaseId, Notice, OpId,
    Outcome, Path, Queue, Request, RequestId, Slots, Time,
};

use super::met::{Bucket, Met};
use super::record::{Limits, Record, Stopped};
use super::{Check, ensure};

enum Entry {
    Request(usize),
    Marker(Notice),
}

pub(crate) struct Ledger {
    config: Config,
    capacity: u32,
    pub(crate) records: Vec<Record>,
    /// The request that holds a slot.
    by_slot: Vec<Option<usize>>,
    /// Requests that have not ended.
    pub(crate) live: Vec<usize>,
    /// Requests that have ended and are not delivered, with what their completion must be.
    pub(crate) ended: Vec<(usize, Completion)>,
    entries: Vec<Entry>,
    /// Entries before this are submitted.
    submitted: usize,
    /// Markers before this have fired.
    fired: usize,
    /// Entries from here on belong to the next status.
    since_status: usize,
    markers_waiting: u32,
    unreported: Vec<Failure>,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    notices: u64,
    unsubmitted: u32,
    bytes: ByteCounts,
    retries: u64,
    paths: [u64; Path::BITS],
    pub(crate) flying: usize,
    pub(crate) transfers: u32,
    pub(crate) closed: bool,
    order_of_failures: u64,
    failed_at: Vec<(u64, u64)>,
}

impl Ledger {
    pub(crate) fn new(config: Config, capacity: usize) -> Self {
        Self {
            config,
            capacity: capacity as u32,
            records: Vec::new(),
            by_slot: vec![None; capacity],
            live: Vec::new(),
            ended: Vec::new(),
            entries: Vec::new(),
            submitted: 0,
            fired: 0,
            since_status: 0,
            markers_waiting: 0,
            unreported: Vec::new(),
            succeeded: 0,
            failed: 0,
            cancelled: 0,
            notices: 0,
            unsubmitted: 0,
            bytes: ByteCounts::default(),
            retries: 0,
            paths: [0; Path::BITS],
            flying: 0,
            transfers: 0,
            closed: false,
            order_of_failures: 0,
            failed_at: Vec::new(),
        }
    }

    const fn limits(&self) -> Limits {
        Limits {
            chunk_size: self.config.chunk_size,
            max_stalls: self.config.max_stalls,
            retry_delay: self.config.retry_delay,
        }
    }

    pub(crate) fn held(&self) -> u32 {
        (self.live.len() + self.ended.len()) as u32 + self.markers_waiting
    }

    pub(crate) const fn completed(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }

    // Entries in.

    pub(crate) fn enqueued(&mut self, id: RequestId, request: &Request, met: &mut Met) -> Check {
        ensure!(self.held() < self.capacity, "took more entries than it has slots");
        ensure!(self.by_slot[id.index()].is_none(), "{id} names a slot that is taken");
        ensure!(self.records.iter().rev().take(200).all(|record| record.id != id), "{id} was given before");
        let number = self.records.len();
        let earlier = request.after.and_then(|after| {
            let holder = self.by_slot[after.index()]?;
            (self.records[holder].id == after).then_some(holder)
        });
        let ended = earlier.and_then(|earlier| self.records[earlier].ended);
        let after = earlier.filter(|_| ended.is_none());
        self.entries.push(Entry::Request(number));
        let mut record = Record::new(id, self.entries.len() as u64, *request, after, &self.config);
        if matches!(ended, Some(Err(_))) {
            record.stop(Stopped::CANCELLED);
            record.by_link = true;
        }
        self.records.push(record);
        self.by_slot[id.index()] = Some(number);
        self.live.push(number);
        self.unsubmitted += 1;
        self.auto_submit(met);
        Ok(())
    }

    pub(crate) fn marked(&mut self, notice: Notice, met: &mut Met) -> Check {
        ensure!(self.held() < self.capacity, "took more entries than it has slots");
        self.entries.push(Entry::Marker(notice));
        self.markers_waiting += 1;
        self.unsubmitted += 1;
        self.auto_submit(met);
        Ok(())
    }

    fn auto_submit(&mut self, met: &mut Met) {
        if self.config.auto_submit && self.unsubmitted >= self.capacity.div_ceil(2) {
            self.submit();
            met.add(Bucket::AutoSubmit);
        }
    }

    pub(crate) fn submit(&mut self) -> u32 {
        for entry in &self.entries[self.submitted..] {
            if let Entry::Request(number) = entry {
                self.records[*number].submitted = true;
            }
        }
        self.submitted = self.entries.len();
        core::mem::take(&mut self.unsubmitted)
    }

    // Cancellation.

    /// Cancels every live request that `selects` names; how many that must have been.
    pub(crate) fn cancel(&mut self, selects: impl Fn(&Record) -> bool, met: &mut Met) -> u32 {
        let mut count = 0;
        for &number in &self.live {
            let record = &mut self.records[number];
            if record.stop.is_none() && selects(record) {
                record.stop(Stopped::CANCELLED);
                count += 1;
                met.add(if !record.submitted {
                    Bucket::CancelledQueued
                } else if !record.begun {
                    Bucket::CancelledWaiting
                } else if record.flying.is_empty() {
                    Bucket::CancelledBetween
                } else {
                    Bucket::CancelledFlying
                });
            }
        }
        count
    }

    /// Cancels what certainly has not begun, and notes what perhaps has not. The least count.
    pub(crate) fn cancel_pending(&mut self, met: &mut Met) -> u32 {
        let certain = self.cancel(|record| !record.submitted || record.after.is_some(), met);
        for &number in &self.live {
            let record = &mut self.records[number];
            record.maybe_cancelled = record.stop.is_none() && !record.begun;
        }
        certain
    }

    /// After the queue had every occasion to end them: how many of those perhaps cancelled were.
    pub(crate) fn settle_pending(&mut self, since: usize) -> u32 {
        for &number in &self.live {
            self.records[number].maybe_cancelled = false;
        }
        let settled = self.ended[since.min(self.ended.len())..].iter();
        let were = settled.filter(|(number, completion)| {
            self.records[*number].maybe_cancelled && completion.is_cancelled()
        });
        were.count() as u32
    }

    // Actions out.

    /// Time has come to `now`, and the queue is about to notice.
    pub(crate) fn time(&mut self, now: Time) {
        for &number in &self.live {
            let record = &mut self.records[number];
            if record.request.deadline.is_some_and(|deadline| deadline <= now) {
                record.stop(Stopped::With(ErrorKind::TimedOut));
            }
        }
    }

    fn holder(&mut self, slot: usize) -> Result<usize, String> {
        self.by_slot.get(slot).copied().flatten().ok_or_else(|| format!("slot {slot} holds no request"))
    }

    pub(crate) fn started(&mut self, action: &Action, now: Time) -> Check {
        let op = action.op().ok_or("not an operation")?;
        let number = self.holder(op.index())?;
        let limits = self.limits();
        if action.is_transfer() {
            self.transfers += 1;
            ensure!(self.transfers <= self.config.max_transfers, "{} transfers at once", self.transfers);
            // One turn each for those under way; before that, one each for those that begin first.
            let patience = 2 * self.capacity;
            let limit = self.config.max_bytes_in_flight < u64::MAX;
            for &other in &self.live {
                let record = &mut self.records[other];
                if other != number && record.is_hungry(limit) {
                    record.passed_over += 1;
                    ensure!(record.passed_over <= patience, "{} waits behind others", record.id);
                }
            }
        }
        self.flying += 1;
        let record = &mut self.records[number];
        record.started(action, now, limits).map_err(|why| format!("{}: {why} ({action:?})", record.id))
    }

    pub(crate) fn hurried(&mut self, op: OpId) -> Check {
        let number = self.holder(op.index())?;
        let record = &mut self.records[number];
        ensure!(record.stop.is_some(), "{} is hurried and not stopped", record.id);
        let flying = record.flying.iter_mut().find(|flying| flying.op == op);
        let flying = flying.ok_or("hurries what is not flying")?;
        ensure!(!core::mem::replace(&mut flying.hurried, true), "hurried twice");
        Ok(())
    }

    pub(crate) fn released(&mut self, lease: LeaseId) -> Check {
        let live = self.live.iter().copied();
        let mut holders = live.filter(|&number| self.records[number].lease == Some(lease));
        let holder = holders.next().ok_or("releases what nobody holds")?;
        let record = &mut self.records[holder];
        ensure!(record.flying.is_empty(), "{}: releases its lease with operations flying", record.id);
        record.lease = None;
        Ok(())
    }

    pub(crate) fn notified(&mut self, notice: Notice, met: &mut Met) -> Check {
        let waiting = self.entries[self.fired..].iter();
        let offset = waiting.clone().position(|entry| matches!(entry, Entry::Marker(_)));
        let marker = self.fired + offset.ok_or("a marker fires that was never enqueued")?;
        ensure!(marker < self.submitted, "a marker fires before it was submitted");
        for entry in &self.entries[self.fired..marker] {
            if let Entry::Request(number) = entry {
                let record = &self.records[*number];
                ensure!(record.ended.is_some(), "a marker fires before {} has ended", record.id);
            }
        }
        let Entry::Marker(expected) = self.entries[marker] else { return Err("no marker".into()) };
        match (expected, notice) {
            (Notice::Status { token, .. }, Notice::Status { token: fired, first_failure }) => {
                ensure!(token == fired, "{fired:?} fires in place of {token:?}");
                let first = self.entries[self.since_status..marker].iter().find_map(|entry| match entry {
                    Entry::Request(number) => self.failure(*number),
                    Entry::Marker(_) => None,
                });
                ensure!(first_failure == first, "the status says {first_failure:?}, not {first:?}");
                met.add(Bucket::Status);
                if let Some(first) = first {
                    met.add(Bucket::StatusFailed);
                    let time_of = |sequence| self.failed_at.iter().find(|at| at.0 == sequence).map(|at| at.1);
                    let inside = |at: &&(u64, u64)| at.0 > self.since_status as u64 && at.0 <= marker as u64;
                    let earliest = self.failed_at.iter().filter(inside).map(|at| at.1).min();
                    if time_of(first.sequence) != earliest {
                        met.add(Bucket::StatusReordered);
                    }
                }
                self.since_status = marker + 1;
            }
            (expected, fired) => {
                ensure!(expected == fired, "{fired:?} fires in place of {expected:?}");
                met.add(if matches!(fired, Notice::Signal(_)) { Bucket::Signal } else { Bucket::Event });
            }
        }
        self.fired = marker + 1;
        self.markers_waiting -= 1;
        self.notices += 1;
        Ok(())
    }

    fn failure(&self, number: usize) -> Option<Failure> {
        let record = &self.records[number];
        match record.ended {
            Some(Err(kind)) if kind != ErrorKind::Cancelled => {
                Some(Failure { id: record.id, tag: record.request.tag, kind, sequence: record.sequence })
            }
            _ => None,
        }
    }

    // Outcomes in.

    pub(crate) fn answered(&mut self, outcome: &Outcome, now: Time, met: &mut Met) -> Check {
        let number = self.holder(outcome.op.index())?;
        let limits = self.limits();
        let record = &mut self.records[number];
        let (before, is_relayed) = (record.retries, record.needs.is_relayed());
        let flying = record.flying.iter().find(|flying| flying.op == outcome.op);
        let action = flying.ok_or("answers what is not flying")?.action;
        record.answered(outcome, now, limits)?;
        self.retries += record.retries - before;
        self.flying -= 1;
        self.transfers -= u32::from(action.is_transfer());
        met.add(Bucket::Operations);
        match (outcome.result, action) {
            (Ok(Done::Moved(moved)), Action::Read { into: span, .. } | Action::Write { from: span, .. })
                if moved < span.len =>
            {
                met.add(Bucket::Short);
            }
            (Ok(Done::Leased(_)), _) => {
                met.add(Bucket::Leases);
                for &other in &self.live {
                    let record = &mut self.records[other];
                    if record.refused && record.stop.is_none() {
                        record.outrun += 1;
                        // Those who asked at the same time, and those who were refused before it.
                        ensure!(record.outrun <= 2 * self.capacity, "{} never gets its lease", record.id);
                    }
                }
            }
            (Ok(Done::Moved(_)), Action::Copy { .. }) if is_relayed => met.add(Bucket::Relayed),
            (Ok(Done::Decoded(step)), _) if !step.finished => met.add(Bucket::Steps),
            (Err(ds_core::Fault::Os(4)), _) => met.add(Bucket::Interrupted),
            (Err(ds_core::Fault::Os(11)), _) => met.add(Bucket::TryAgain),
            (Err(ds_core::Fault::Busy), _) => met.add(Bucket::Busy),
            _ => {}
        }
        Ok(())
    }

    // Ends and completions.

    /// That request has ended, with this completion still to be taken.
    pub(crate) fn end(&mut self, completion: Completion, now: Time, met: &mut Met) -> Check {
        let id = completion.id;
        let number = self.holder(id.index())?;
        let record = &mut self.records[number];
        ensure!(record.id == id, "{id} ends, which is gone");
        record.end(&completion, now).map_err(|why| format!("{id}: {why}; {:?}", record.request))?;
        self.unsubmitted -= u32::from(!record.submitted);
        meet_end(record, met);
        let position = self.live.iter().position(|&live| live == number).ok_or("ended twice")?;
        self.live.remove(position);
        self.ended.push((number, completion));
        match completion.result {
            Ok(()) => self.succeeded += 1,
            Err(error) if error.kind == ErrorKind::Cancelled => self.cancelled += 1,
            Err(_) => {
                self.failed += 1;
                self.unreported.extend(self.failure(number));
                self.order_of_failures += 1;
                self.failed_at.push((self.records[number].sequence, self.order_of_failures));
            }
        }
        self.bytes.read = self.bytes.read.saturating_add(completion.bytes.read);
        self.bytes.produced = self.bytes.produced.saturating_add(completion.bytes.produced);
        self.bytes.delivered = self.bytes.delivered.saturating_add(completion.bytes.delivered);
        for bit in completion.path.bits() {
            self.paths[bit] += 1;
        }
        for &other in &self.live {
            let record = &mut self.records[other];
            if record.after == Some(number) {
                record.after = None;
                if completion.result.is_err() && record.stop.is_none() {
                    record.stop(Stopped::CANCELLED);
                    record.by_link = true;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn delivered(&mut self, completion: &Completion) -> Check {
        let position = self.ended.iter().position(|(_, ended)| ended.id == completion.id);
        let position =
            position.ok_or_else(|| format!("a completion of {}, which is not due", completion.id))?;
        let (number, expected) = self.ended.remove(position);
        ensure!(*completion == expected, "{completion:?} is delivered, {expected:?} was announced");
        self.by_slot[completion.id.index()] = None;
        self.records[number].flying = Vec::new();
        Ok(())
    }

    pub(crate) fn reported(&mut self, record: ErrorRecord, met: &mut Met) -> Check {
        let failures = core::mem::take(&mut self.unreported);
        let first = failures.iter().min_by_key(|failure| failure.sequence).copied();
        ensure!(record.failures == failures.len() as u64, "{} failures reported", record.failures);
        ensure!(record.first == first, "the error record says {:?}, not {first:?}", record.first);
        if first.is_some() {
            met.add(Bucket::ErrorRecords);
        }
        Ok(())
    }

    // What must be so.

    /// Checks every number the queue shows.
    pub(crate) fn check_numbers<S: Slots>(&self, queue: &Queue<S>) -> Check {
        let stats = queue.stats();
        let waiting = self.live.iter().filter(|&&number| self.records[number].submitted).count();
        let shown = [
            stats.enqueued,
            stats.succeeded,
            stats.failed,
            stats.cancelled,
            stats.notices,
            stats.unsubmitted.into(),
            stats.in_flight.into(),
            stats.undelivered.into(),
            stats.retries,
            stats.latency.total(),
            queue.held().into(),
            queue.vacancies().into(),
            queue.unfinished().into(),
        ];
        let expected = [
            self.records.len() as u64,
            self.succeeded,
            self.failed,
            self.cancelled,
            self.notices,
            self.unsubmitted.into(),
            waiting as u64,
            self.ended.len() as u64,
            self.retries,
            self.completed(),
            self.held().into(),
            (self.capacity - self.held()).into(),
            self.live.len() as u64 + u64::from(self.markers_waiting),
        ];
        ensure!(shown == expected, "the numbers are {shown:?}, not {expected:?}");
        ensure!(stats.bytes == self.bytes, "{:?} in all, not {:?}", stats.bytes, self.bytes);
        let mut paths = [0; Path::BITS];
        for (path, count) in stats.paths() {
            paths[path.bits().next().unwrap_or(0)] = count;
        }
        ensure!(paths == self.paths, "paths {paths:?}, not {:?}", self.paths);
        let begun = self.live.iter().map(|&number| &self.records[number]).filter(|record| record.begun);
        let (count, bytes) = begun.fold((0, 0_u64), |(count, bytes), record| {
            let request = &record.request;
            let most = request.source.len().max(request.uncompressed_size).max(request.destination.len());
            (count + 1, bytes.saturating_add(most))
        });
        ensure!(stats.bytes_in_flight >= bytes, "{} bytes in flight, not {bytes}", stats.bytes_in_flight);
        ensure!(count <= 1 || bytes <= self.config.max_bytes_in_flight, "{bytes} bytes of {count} requests");
        Ok(())
    }

    /// The queue says there is nothing to do, transfers and beginnings apart: then nothing of the rest may be left.
    pub(crate) fn check_quiet(&self) -> Check {
        for record in self.live.iter().map(|&number| &self.records[number]) {
            if record.stop.is_some() {
                ensure!(!record.flying.is_empty(), "{} is stopped and does not end", record.id);
                let hurried = record.flying.iter().all(|flying| flying.hurried);
                ensure!(hurried, "{} is stopped and not hurried", record.id);
            }
        }
        for (number, entry) in self.entries.iter().enumerate().skip(self.fired) {
            match entry {
                Entry::Request(request) if self.records[*request].ended.is_none() => break,
                Entry::Request(_) => {}
                Entry::Marker(marker) => {
                    ensure!(number >= self.submitted, "{marker:?} does not fire");
                    break;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn until_auto_submit(&self) -> Option<u32> {
        self.config.auto_submit.then(|| self.capacity.div_ceil(2) - self.unsubmitted)
    }
}

fn meet_end(record: &Record, met: &mut Met) {
    met.add(match record.ended {
        Some(Ok(())) => Bucket::Succeeded,
        Some(Err(kind)) => match kind {
            ErrorKind::Io { .. } => Bucket::FailedIo,
            ErrorKind::EndOfFile { .. } => Bucket::FailedEof,
            ErrorKind::WriteZero { .. } => Bucket::FailedWriteZero,
            ErrorKind::OutOfMemory => Bucket::FailedMemory,
            ErrorKind::Corrupt(_) => Bucket::FailedCorrupt,
            ErrorKind::DeviceLost => Bucket::FailedDevice,
            ErrorKind::TimedOut => Bucket::FailedTimeout,
            ErrorKind::EngineFault(_) => Bucket::FailedEngine,
            _ if record.by_link => Bucket::CancelledByLink,
            _ => return,
        },
        None => return,
    });
    if record.is_short() {
        met.add(Bucket::ShortSuccess);
    }
}
