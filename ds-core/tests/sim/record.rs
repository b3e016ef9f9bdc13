//! What the checker knows of one request, from what it asked for and from every action and outcome seen.

use ds_core::{
    Action, ByteCounts, Config, Decode, Done, ErrorKind, Fault, LeaseId, Location, Memory, OpId, Operation,
    Outcome, Path, Processor, Request, RequestId, Span, Time, Transform,
};

use super::{Check, ensure};

/// The stages a request needs: the table of the architecture page, written a second time.
#[derive(Clone, Copy, Default)]
pub(crate) struct Needs {
    pub(crate) file_read: bool,
    pub(crate) copy_in: bool,
    pub(crate) decode: bool,
    pub(crate) copy_out: bool,
    pub(crate) file_write: bool,
    pub(crate) sync: bool,
    /// Piece by piece through the lease, and no more than these: their number, and how long each is.
    relay: Option<(u64, u64)>,
    stage_in: u64,
    stage_out: u64,
}

impl Needs {
    pub(crate) fn of(request: &Request, config: &Config) -> Self {
        let needs = Self::stages(request);
        let raw = request.transform == Transform::None;
        if !(raw && needs.stage_in > 0 && (needs.file_read || needs.file_write)) {
            return needs;
        }
        let pages = |bytes: u64| bytes / 4096 * 4096;
        let quarter = pages((config.max_lease / 4).min(config.chunk_size));
        let (count, piece) = match config.max_lease {
            0 => (1, 4096),
            _ if quarter > 0 => (4, quarter),
            all => (1, all.min(config.chunk_size)),
        };
        let stage_in = needs.stage_in.min(count * piece);
        Self { relay: Some((count, piece)), stage_in, ..needs }
    }

    fn stages(request: &Request) -> Self {
        use Location::{Device, File, Host};
        let len = request.source.len();
        let made = request.uncompressed_size;
        let none = Self::default();
        let transformed = request.transform != Transform::None;
        let on_host = request.processor == Processor::Host;
        match (request.operation, request.source, request.destination, transformed) {
            (Operation::Fsync | Operation::Fdatasync, ..) => Self { sync: true, ..none },
            (Operation::Write, Device { .. }, ..) => {
                Self { copy_in: true, file_write: true, stage_in: len, ..none }
            }
            (Operation::Write, ..) => Self { file_write: true, ..none },
            (_, File { .. }, Host { .. }, false) => Self { file_read: true, ..none },
            (_, File { .. }, _, false) => Self { file_read: true, copy_out: true, stage_in: len, ..none },
            (_, _, _, false) => Self { copy_out: true, ..none },
            (_, File { .. }, Device { .. }, _) if on_host => {
                let stage_out = made;
                Self { file_read: true, decode: true, copy_out: made > 0, stage_in: len, stage_out, ..none }
            }
            (_, File { .. }, ..) => Self { file_read: true, decode: true, stage_in: len, ..none },
            (_, source, destination, _) => {
                let copy_in = on_host && matches!(source, Device { .. });
                let out = on_host && matches!(destination, Device { .. });
                Self {
                    copy_in,
                    decode: true,
                    copy_out: out && made > 0,
                    stage_in: if copy_in { len } else { 0 },
                    stage_out: if out { made } else { 0 },
                    ..none
                }
            }
        }
    }

    pub(crate) const fn is_relayed(&self) -> bool {
        self.relay.is_some()
    }

    /// Staging bytes: input, then output from the next page on.
    pub(crate) const fn lease_len(&self) -> u64 {
        if self.stage_out == 0 { self.stage_in } else { self.stage_in.div_ceil(4096) * 4096 + self.stage_out }
    }
}

/// A request's end as it must be, if it has been stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    With(ErrorKind),
    EngineFault,
}

impl Stopped {
    pub(crate) const CANCELLED: Self = Self::With(ErrorKind::Cancelled);

    pub(crate) fn matches(self, kind: ErrorKind) -> bool {
        match self {
            Self::With(expected) => expected == kind,
            Self::EngineFault => matches!(kind, ErrorKind::EngineFault(_)),
        }
    }
}

pub(crate) struct Flying {
    pub(crate) op: OpId,
    pub(crate) action: Action,
    pub(crate) hurried: bool,
}

/// A sub-transfer; its end names it, for that never changes.
struct Part {
    start: u64,
    end: u64,
    done: u64,
    flying: bool,
    /// Over before its end: the file ended.
    cut: bool,
    /// Where its bytes are in the lease, if it is relayed.
    at: u64,
    /// Whether the copy from or to the device is still to be made.
    uncopied: bool,
    stalls: u16,
    not_before: Time,
}

impl Part {
    const fn active(&self) -> bool {
        self.flying || self.is_moving() || self.uncopied && self.done > 0
    }

    /// Whether the file's bytes are still to be moved.
    const fn is_moving(&self) -> bool {
        !self.cut && self.start + self.done < self.end
    }
}

/// Limits that outcomes are judged by.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) chunk_size: u64,
    pub(crate) max_stalls: u16,
    pub(crate) retry_delay: u64,
}

pub(crate) struct Record {
    pub(crate) id: RequestId,
    pub(crate) sequence: u64,
    pub(crate) request: Request,
    pub(crate) needs: Needs,
    pub(crate) stop: Option<Stopped>,
    /// A cancellation of all that has not begun may have met it or not: from outside one cannot tell.
    pub(crate) maybe_cancelled: bool,
    /// Cancelled because an earlier request ended badly.
    pub(crate) by_link: bool,
    /// The result, once ended.
    pub(crate) ended: Option<Result<(), ErrorKind>>,
    pub(crate) submitted: bool,
    /// An operation was started for it.
    pub(crate) begun: bool,
    pub(crate) flying: Vec<Flying>,
    pub(crate) lease: Option<LeaseId>,
    /// The live request it waits for.
    pub(crate) after: Option<usize>,
    /// It was refused a lease and has none yet.
    pub(crate) refused: bool,
    /// Leases granted to others meanwhile.
    pub(crate) outrun: u32,
    /// Operations of other requests that were started while it could have had a turn.
    pub(crate) passed_over: u32,
    parts: Vec<Part>,
    dealt: u64,
    /// Disjoint ranges that have been moved, in order, no two touching.
    covered: Vec<(u64, u64)>,
    eof: Option<u64>,
    moved: u64,
    fetched: bool,
    cursor: u64,
    produced: u64,
    wants: u64,
    decoded: bool,
    placed: bool,
    work_stalls: u16,
    work_not_before: Time,
    path: Path,
    pub(crate) retries: u64,
}

impl Record {
    pub(crate) fn new(
        id: RequestId,
        sequence: u64,
        request: Request,
        after: Option<usize>,
        config: &Config,
    ) -> Self {
        Self {
            id,
            sequence,
            needs: Needs::of(&request, config),
            request,
            stop: None,
            maybe_cancelled: false,
            by_link: false,
            ended: None,
            submitted: false,
            begun: false,
            flying: Vec::new(),
            lease: None,
            after,
            refused: false,
            outrun: 0,
            passed_over: 0,
            parts: Vec::new(),
            dealt: 0,
            covered: Vec::new(),
            eof: None,
            moved: 0,
            fetched: false,
            cursor: 0,
            produced: 0,
            wants: 0,
            decoded: false,
            placed: false,
            work_stalls: 0,
            work_not_before: Time::ZERO,
            path: Path::NONE,
            retries: 0,
        }
    }

    pub(crate) fn stop(&mut self, with: Stopped) {
        if self.stop.is_none() && self.ended.is_none() {
            self.stop = Some(with);
        }
    }

    fn transfer_len(&self) -> u64 {
        if self.needs.file_read {
            self.request.source.len()
        } else if self.needs.file_write {
            self.request.destination.len()
        } else {
            0
        }
    }

    /// Bytes from the start that have arrived without a gap.
    fn prefix(&self) -> u64 {
        match self.covered.first() {
            Some(&(0, end)) => end,
            _ => 0,
        }
    }

    fn input(&self) -> u64 {
        if self.needs.file_read { self.prefix() } else { self.request.source.len() }
    }

    fn source_ready(&self) -> bool {
        let empty = self.request.source.is_empty();
        empty || self.fetched || !(self.needs.file_read || self.needs.copy_in)
    }

    /// Bytes for the copy to the destination.
    fn outgoing(&self) -> u64 {
        if self.needs.decode { self.request.uncompressed_size } else { self.input() }
    }

    /// Whether it could start a file transfer right now, if it were its turn. Requests with staging memory are left out, and
    /// those that have not begun where there is a `limit` to beginning.
    pub(crate) fn is_hungry(&self, limit: bool) -> bool {
        let waiting = self.submitted && self.after.is_none() && !limit;
        (self.begun || waiting)
            && self.stop.is_none()
            && !self.maybe_cancelled
            && self.needs.lease_len() == 0
            && self.eof.is_none()
            && self.dealt < self.transfer_len()
            && self.parts.iter().filter(|part| part.active()).count() < 4
    }

    /// An operation is started for it.
    pub(crate) fn started(&mut self, action: &Action, now: Time, limits: Limits) -> Check {
        ensure!(self.ended.is_none(), "an operation after the end");
        ensure!(self.submitted, "an operation before submit");
        ensure!(self.after.is_none(), "an operation before the request it waits for has ended");
        ensure!(self.stop.is_none(), "an operation after it was stopped: {:?}", self.stop);
        self.maybe_cancelled = false;
        self.begun = true;
        self.passed_over = 0;
        let op = action.op().ok_or("not an operation")?;
        let needs_lease = self.needs.lease_len() > 0 && self.lease.is_none();
        if let Action::Lease { len, .. } = *action {
            ensure!(needs_lease && len == self.needs.lease_len(), "it needs no such lease");
        } else {
            ensure!(!needs_lease, "an operation before the lease");
        }
        match *action {
            Action::Read { file, offset, into, .. } => {
                self.transfer_started(self.request.source, (file, offset), into, now, limits)?;
            }
            Action::Copy { from, into, .. } if self.needs.relay.is_some() => {
                self.relay_started(from, into, now)?;
            }
            Action::Write { file, offset, from, .. } => {
                let ready = self.needs.relay.is_some() || self.source_ready();
                ensure!(ready, "a write before its bytes are there");
                self.transfer_started(self.request.destination, (file, offset), from, now, limits)?;
            }
            _ => self.work_started(action, now)?,
        }
        self.flying.push(Flying { op, action: *action, hurried: false });
        Ok(())
    }

    fn transfer_started(
        &mut self,
        end: Location,
        (file, offset): (ds_core::FileId, u64),
        span: Span,
        now: Time,
        limits: Limits,
    ) -> Check {
        let Location::File { file: named, offset: base, len: whole } = end else {
            return Err("a transfer of what is no file".into());
        };
        ensure!(file == named, "another file");
        ensure!(offset >= base, "before the range");
        let (start, len) = (offset - base, span.len);
        ensure!(
            len > 0 && start + len <= whole && len <= limits.chunk_size,
            "a transfer of {len} at {start}"
        );
        let end = start + len;
        let relayed = self.needs.relay.is_some();
        if !relayed {
            self.check_span(span, start, self.needs.stage_in > 0, !self.needs.file_read)?;
        }
        if let Some(part) = self.parts.iter_mut().find(|part| part.end == end) {
            ensure!(!part.flying && !part.cut && part.start + part.done == start, "overlaps a sub-transfer");
            ensure!(now >= part.not_before, "retried too soon");
            ensure!(!(self.needs.file_write && part.uncopied), "a write before its bytes are there");
            part.flying = true;
            let at = part.at + part.done;
            if relayed {
                self.check_span(span, at, true, false)?;
            }
        } else {
            ensure!(!(relayed && self.needs.file_write), "a write of bytes that were not copied");
            self.deal(start, end, span.offset)?;
            if relayed {
                self.check_span(span, span.offset, true, false)?;
            }
        }
        Ok(())
    }

    /// A sub-transfer begins. If it is relayed its bytes go to `at` in the lease, where no other's are.
    fn deal(&mut self, start: u64, end: u64, at: u64) -> Check {
        ensure!(start == self.dealt, "a gap or an overlap: {start} after {}", self.dealt);
        ensure!(self.eof.is_none(), "reads on after the end of the file");
        let uncopied = self.needs.relay.is_some();
        let active = || self.parts.iter().filter(|part| part.active());
        if let Some((count, piece)) = self.needs.relay {
            ensure!(end - start <= piece, "more than a piece of {piece}");
            ensure!((active().count() as u64) < count, "more than {count} pieces at once");
            let apart =
                active().all(|part| at + (end - start) <= part.at || part.at + (part.end - part.start) <= at);
            ensure!(apart, "two sub-transfers in the same part of the lease");
        }
        self.dealt = end;
        let (done, stalls, not_before) = (0, 0, Time::ZERO);
        self.parts.push(Part {
            start,
            end,
            done,
            flying: true,
            cut: false,
            at,
            uncopied,
            stalls,
            not_before,
        });
        let flying = self.parts.iter().filter(|part| part.flying).count();
        ensure!(flying <= 4, "{flying} sub-transfers at once");
        Ok(())
    }

    /// How far from the start of the request's end on the device this copy begins.
    fn relay_start(&self, from: Span, into: Span) -> u64 {
        match self.needs.file_read {
            true => into.offset - self.request.destination.offset(),
            false => from.offset - self.request.source.offset(),
        }
    }

    /// A copy between the lease and the device, of one piece.
    fn relay_started(&mut self, from: Span, into: Span, now: Time) -> Check {
        let reading = self.needs.file_read;
        let (staged, device) = if reading { (from, into) } else { (into, from) };
        let start = self.relay_start(from, into);
        ensure!(from.len == into.len && from.len > 0, "a copy of {} to {} bytes", from.len, into.len);
        self.check_span(device, start, false, !reading)?;
        self.check_span(staged, staged.offset, true, false)?;
        let Some(part) = self.parts.iter_mut().find(|part| part.start == start) else {
            ensure!(!reading, "a copy of what was not read");
            return self.deal(start, start + from.len, staged.offset);
        };
        ensure!(part.uncopied && !part.flying, "copies twice");
        ensure!(now >= part.not_before, "retried too soon");
        ensure!(staged.offset == part.at, "copies other bytes of the lease");
        let len = if reading { part.done } else { part.end - part.start };
        ensure!(!reading || !part.is_moving(), "copies before all of it is read");
        ensure!(from.len == len, "copies {} bytes of {len}", from.len);
        part.flying = true;
        Ok(())
    }

    fn work_started(&mut self, action: &Action, now: Time) -> Check {
        let busy = self
            .flying
            .iter()
            .any(|flying| !matches!(flying.action, Action::Read { .. } | Action::Write { .. }));
        ensure!(!busy, "two operations where one is allowed");
        ensure!(now >= self.work_not_before, "retried too soon");
        match *action {
            Action::Sync { file, data_only, .. } => {
                ensure!(self.needs.sync && !self.placed, "no sync is needed");
                let Location::File { file: named, .. } = self.request.destination else {
                    return Err("no file".into());
                };
                ensure!(file == named, "another file");
                ensure!(
                    data_only == (self.request.operation == Operation::Fdatasync),
                    "another kind of sync"
                );
            }
            Action::Decode(Decode { transform, on, from, available, cursor, into, .. }) => {
                ensure!(self.needs.decode && !self.decoded, "no decoding is needed");
                ensure!((transform, on) == (self.request.transform, self.request.processor), "another codec");
                let (len, ready) = (self.request.source.len(), self.source_ready());
                let arrived = if ready {
                    len
                } else if self.needs.file_read {
                    self.prefix()
                } else {
                    0
                };
                ensure!(available <= arrived, "{available} bytes for the codec, {arrived} have arrived");
                ensure!(
                    ready || available >= self.wants,
                    "the codec wanted {}, gets {available}",
                    self.wants
                );
                ensure!(from.len == len, "the codec's input has {} bytes, not {len}", from.len);
                ensure!(cursor == self.cursor, "cursor {cursor}, not {}", self.cursor);
                ensure!(into.len == self.request.uncompressed_size, "the output is {} bytes long", into.len);
                if len > 0 {
                    self.check_span(from, 0, self.needs.stage_in > 0, true)?;
                }
                self.check_output(into)?;
            }
            Action::Copy { from, into, .. } if self.needs.copy_in && !self.source_ready() => {
                ensure!(from.len == self.request.source.len() && into.len == from.len, "copies a part only");
                self.check_span(from, 0, false, true)?;
                self.check_span(into, 0, true, false)?;
            }
            Action::Copy { from, into, .. } => {
                ensure!(self.needs.copy_out && !self.placed, "no copy is needed");
                ensure!(self.source_ready() && (self.decoded || !self.needs.decode), "copies too early");
                let len = self.outgoing();
                ensure!(from.len == len && into.len == len, "copies {} bytes of {len}", from.len);
                self.check_span(into, 0, false, false)?;
                if self.needs.decode {
                    self.check_output(from)?;
                } else {
                    self.check_span(from, 0, self.needs.stage_in > 0, true)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Memory at `start` bytes into the input region of the lease, or into one end of the request.
    fn check_span(&self, span: Span, start: u64, staged: bool, source: bool) -> Check {
        if staged {
            let lease = self.lease.map(Memory::Lease);
            ensure!(Some(span.memory) == lease && span.offset == start, "{span:?} is not the lease's input");
            ensure!(span.offset + span.len <= self.needs.stage_in, "past the lease's input");
            return Ok(());
        }
        let end = if source { self.request.source } else { self.request.destination };
        ensure!(span.memory == memory(end)?, "{span:?} is other memory than {end:?}");
        ensure!(span.offset == end.offset() + start, "{span:?} is not {start} bytes into {end:?}");
        Ok(())
    }

    fn check_output(&self, span: Span) -> Check {
        if self.needs.stage_out == 0 {
            return self.check_span(span, 0, false, false);
        }
        let lease = self.lease.map(Memory::Lease);
        ensure!(Some(span.memory) == lease, "the output is not in the lease");
        ensure!(span.offset >= self.needs.stage_in, "the output overlaps the input");
        ensure!(span.offset + span.len <= self.needs.lease_len(), "past the lease");
        Ok(())
    }

    /// One of its operations is answered.
    pub(crate) fn answered(&mut self, outcome: &Outcome, now: Time, limits: Limits) -> Check {
        let position = self.flying.iter().position(|flying| flying.op == outcome.op);
        let flying = self.flying.swap_remove(position.ok_or("answers what is not flying")?);
        self.path |= outcome.path;
        match flying.action {
            Action::Read { offset, into, .. } => {
                self.transfer_answered(
                    offset - self.request.source.offset() + into.len,
                    outcome.result,
                    now,
                    limits,
                );
            }
            Action::Write { offset, from, .. } => {
                let end = offset - self.request.destination.offset() + from.len;
                self.transfer_answered(end, outcome.result, now, limits);
            }
            Action::Copy { from, into, .. } if self.needs.relay.is_some() => {
                self.relay_answered(self.relay_start(from, into), from.len, outcome.result, now, limits);
            }
            action => self.work_answered(&action, outcome.result, now, limits),
        }
        Ok(())
    }

    fn relay_answered(
        &mut self,
        start: u64,
        len: u64,
        result: Result<Done, Fault>,
        now: Time,
        limits: Limits,
    ) {
        let Some(number) = self.parts.iter().position(|part| part.start == start) else { return };
        let part = &mut self.parts[number];
        part.flying = false;
        match result {
            Ok(Done::Moved(moved)) if moved == len => (part.uncopied, part.stalls) = (false, 0),
            Ok(_) => self.stop(Stopped::EngineFault),
            Err(fault) => self.failed(Some(number), fault, now, limits),
        }
        self.transfer_progress();
    }

    fn transfer_answered(&mut self, end: u64, result: Result<Done, Fault>, now: Time, limits: Limits) {
        let Some(number) = self.parts.iter().position(|part| part.end == end) else { return };
        let part = &mut self.parts[number];
        part.flying = false;
        let position = part.start + part.done;
        let left = part.end - position;
        match result {
            Ok(Done::Moved(moved)) if moved > left => self.stop(Stopped::EngineFault),
            Ok(Done::Moved(0)) if self.needs.file_read => {
                part.cut = true;
                self.eof = Some(self.eof.map_or(position, |eof| eof.min(position)));
            }
            Ok(Done::Moved(0)) => {
                let kind = ErrorKind::WriteZero { requested: self.transfer_len(), got: self.moved };
                self.stalled(Some(number), kind, None, limits);
            }
            Ok(Done::Moved(moved)) => {
                part.done += moved;
                part.stalls = 0;
                self.retries += u64::from(moved < left && self.stop.is_none());
                self.moved += moved;
                self.cover(position, position + moved);
            }
            Ok(_) => self.stop(Stopped::EngineFault),
            Err(fault) => self.failed(Some(number), fault, now, limits),
        }
        self.transfer_progress();
    }

    fn transfer_progress(&mut self) {
        let over = self.parts.iter().all(|part| !part.active())
            && (self.eof.is_some() || self.dealt == self.transfer_len());
        if self.stop.is_some() || !over {
            return;
        }
        let (requested, got) = (self.transfer_len(), self.eof.unwrap_or(self.dealt));
        if self.needs.file_write {
            self.placed = true;
            self.fetched = true;
        } else if got < requested && !self.request.allow_short {
            self.stop(Stopped::With(ErrorKind::EndOfFile { requested, got }));
        } else {
            self.fetched = true;
            self.placed |= self.needs.relay.is_some();
        }
    }

    fn work_answered(&mut self, action: &Action, result: Result<Done, Fault>, now: Time, limits: Limits) {
        if result.is_ok() {
            self.work_stalls = 0;
        }
        match (*action, result) {
            (Action::Lease { .. }, Ok(Done::Leased(lease))) => {
                self.lease = Some(lease);
                self.refused = false;
            }
            (Action::Lease { .. }, Err(Fault::Busy)) => self.refused = true,
            (Action::Copy { from, .. }, Ok(Done::Moved(moved))) if moved == from.len => {
                if self.needs.copy_in && !self.fetched { self.fetched = true } else { self.placed = true }
            }
            (Action::Sync { .. }, Ok(Done::Synced)) => self.placed = true,
            (Action::Decode(decode), Ok(Done::Decoded(step))) => {
                let expected = self.request.uncompressed_size;
                let stuck = step.wants <= decode.available
                    && (step.cursor, step.produced) == (self.cursor, self.produced);
                let wrong = if step.finished {
                    step.produced != expected
                } else {
                    step.produced > expected || step.wants > decode.from.len || stuck
                };
                if wrong {
                    self.stop(Stopped::EngineFault);
                    return;
                }
                (self.cursor, self.produced, self.wants) = (step.cursor, step.produced, step.wants);
                self.decoded |= step.finished;
            }
            (_, Ok(_)) => self.stop(Stopped::EngineFault),
            (_, Err(fault)) => self.failed(None, fault, now, limits),
        }
    }

    fn failed(&mut self, part: Option<usize>, fault: Fault, now: Time, limits: Limits) {
        let kind = match fault {
            Fault::Os(4) => return self.stalled(part, ErrorKind::Io { errno: 4 }, None, limits),
            Fault::Os(11) | Fault::Busy => {
                return self.stalled(part, ErrorKind::Io { errno: 11 }, Some(now), limits);
            }
            Fault::Os(errno) => ErrorKind::Io { errno },
            Fault::OutOfMemory => ErrorKind::OutOfMemory,
            Fault::Corrupt(corrupt) => ErrorKind::Corrupt(corrupt),
            Fault::Unsupported(what) => ErrorKind::Unsupported(what),
            Fault::DeviceLost => ErrorKind::DeviceLost,
            _ => ErrorKind::Cancelled,
        };
        self.stop(Stopped::With(kind));
    }

    fn stalled(&mut self, part: Option<usize>, exhausted: ErrorKind, later: Option<Time>, limits: Limits) {
        if self.stop.is_some() {
            return;
        }
        let (stalls, not_before) = match part {
            Some(part) => {
                let part = &mut self.parts[part];
                (&mut part.stalls, &mut part.not_before)
            }
            None => (&mut self.work_stalls, &mut self.work_not_before),
        };
        *stalls += 1;
        if *stalls > limits.max_stalls {
            self.stop(Stopped::With(exhausted));
            return;
        }
        if let Some(now) = later {
            *not_before = now.after_nanos(limits.retry_delay.saturating_mul(1 << (*stalls - 1).min(10)));
        }
        self.retries += 1;
    }

    fn cover(&mut self, start: u64, end: u64) {
        self.covered.push((start, end));
        self.covered.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.covered.len());
        for &(start, end) in &self.covered {
            match merged.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => merged.push((start, end)),
            }
        }
        self.covered = merged;
    }

    /// Whether nothing is left to do for it.
    fn complete(&self) -> Check {
        let empty = self.request.source.is_empty();
        if self.needs.file_read {
            let end = self.eof.unwrap_or_else(|| self.request.source.len());
            ensure!(self.prefix() >= end, "only {:?} of {end} bytes were read", self.covered);
        }
        if self.needs.file_write {
            let whole = self.request.destination.len();
            ensure!(self.prefix() == whole, "only {:?} of {whole} bytes were written", self.covered);
        }
        ensure!(empty || self.fetched || !self.needs.copy_in, "the device's bytes were not fetched");
        ensure!(self.parts.iter().all(|part| !part.active()), "not all of it was relayed");
        ensure!(self.decoded || !self.needs.decode, "the transform did not finish");
        ensure!(self.placed || !self.needs.copy_out || self.outgoing() == 0, "nothing was copied");
        ensure!(self.placed || !self.needs.sync, "nothing was synced");
        Ok(())
    }

    fn counts(&self, succeeded: bool) -> ByteCounts {
        let len = self.request.source.len();
        let read = if self.needs.file_read || self.needs.file_write && !self.needs.copy_in {
            self.moved
        } else if self.needs.copy_in {
            if self.source_ready() { len } else { 0 }
        } else if succeeded {
            len
        } else {
            0
        };
        let produced = if self.needs.decode { self.produced } else { read };
        let result = if self.needs.file_read && !self.needs.decode { self.prefix() } else { produced };
        ByteCounts { read, produced, delivered: if succeeded { result } else { 0 } }
    }

    /// It has ended, with this completion.
    pub(crate) fn end(&mut self, completion: &ds_core::Completion, now: Time) -> Check {
        ensure!(self.ended.is_none(), "ended twice");
        ensure!(self.flying.is_empty(), "ended with {} operations flying", self.flying.len());
        ensure!(self.lease.is_none(), "ended with its lease");
        ensure!(completion.tag == self.request.tag, "another tag");
        let result = completion.result.map_err(|error| error.kind);
        match (self.stop, result) {
            (_, Err(ErrorKind::Cancelled)) if self.maybe_cancelled => {}
            (Some(stopped), Err(kind)) => {
                ensure!(stopped.matches(kind), "ended with {kind:?}, not {stopped:?}")
            }
            (None, Ok(())) => {
                ensure!(self.request.deadline.is_none_or(|deadline| now < deadline), "Ok after its deadline");
                ensure!(self.submitted, "ended well before submit");
                self.complete()?;
            }
            (stopped, result) => return Err(format!("ended with {result:?}, not {stopped:?}")),
        }
        if let Err(error) = completion.result {
            ensure!(error.context.request == Some(self.id), "the error names another request");
            ensure!(error.context.at == now, "the error tells another time");
        }
        let counts = self.counts(result.is_ok());
        ensure!(completion.bytes == counts, "counted {:?}, not {counts:?}", completion.bytes);
        ensure!(completion.path == self.path, "path {}, not {}", completion.path, self.path);
        self.ended = Some(result);
        Ok(())
    }

    pub(crate) fn is_short(&self) -> bool {
        self.eof.is_some() && self.ended == Some(Ok(()))
    }
}

fn memory(end: Location) -> Result<Memory, String> {
    match end {
        Location::Host { buffer, .. } => Ok(Memory::Host(buffer)),
        Location::Device { device, handle, .. } => Ok(Memory::Device { device, handle }),
        Location::None | Location::File { .. } => Err("no memory there".into()),
    }
}
