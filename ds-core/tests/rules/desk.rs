//! A queue, a clock and short words for what tests do with them.

use ds_core::{
    Action, BufferId, Completion, Config, DeviceId, Done, Error, ErrorKind, Fault, FileId, Location, Notice,
    OpId, Outcome, Path, Queue, Request, RequestId, Room, Slot, Time, UnknownOp,
};

pub(crate) const KIB: u64 = 1024;

pub(crate) struct Desk {
    pub(crate) queue: Queue<Vec<Slot>>,
    pub(crate) now: Time,
}

impl Desk {
    pub(crate) fn new(capacity: usize, config: Config) -> Self {
        let queue = Queue::new(vec![Slot::new(); capacity], config).unwrap();
        Self { queue, now: Time::ZERO }
    }

    /// Eight slots, nothing submitted by itself, chunks of 4 KiB.
    pub(crate) fn plain() -> Self {
        Self::new(8, plain())
    }

    pub(crate) fn enqueue(&mut self, request: Request) -> RequestId {
        self.queue.try_enqueue(&request, self.now).unwrap()
    }

    pub(crate) fn refuse(&mut self, request: Request) -> ErrorKind {
        self.queue.try_enqueue(&request, self.now).unwrap_err().kind
    }

    /// Enqueues and submits.
    pub(crate) fn start(&mut self, request: Request) -> RequestId {
        let id = self.enqueue(request);
        self.submit();
        id
    }

    pub(crate) fn submit(&mut self) -> u32 {
        self.queue.submit(self.now)
    }

    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.queue.poll_action(self.now, Room::Any)
    }

    /// Polls until there is nothing more; wake-ups are left out.
    pub(crate) fn actions(&mut self) -> Vec<Action> {
        core::iter::from_fn(|| self.poll()).filter(|action| !matches!(action, Action::Wake { .. })).collect()
    }

    /// The one thing there is to do.
    pub(crate) fn action(&mut self) -> Action {
        let actions = self.actions();
        assert_eq!(actions.len(), 1, "{actions:?}");
        actions[0]
    }

    /// The operation of the one thing there is to do.
    pub(crate) fn op(&mut self) -> OpId {
        self.action().op().unwrap()
    }

    pub(crate) fn idle(&mut self) {
        assert_eq!(self.actions(), []);
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        let notice = |action| match action {
            Action::Notify(notice) => notice,
            other => panic!("{other:?} is no notice"),
        };
        self.actions().into_iter().map(notice).collect()
    }

    pub(crate) fn answer(&mut self, op: OpId, result: Result<Done, Fault>) {
        self.try_answer(op, result).unwrap();
    }

    pub(crate) fn try_answer(&mut self, op: OpId, result: Result<Done, Fault>) -> Result<(), UnknownOp> {
        self.queue.handle_outcome(Outcome { op, result, path: Path::IO_CPU }, self.now)
    }

    pub(crate) fn moved(&mut self, op: OpId, len: u64) {
        self.answer(op, Ok(Done::Moved(len)));
    }

    pub(crate) fn fault(&mut self, op: OpId, errno: i32) {
        self.answer(op, Err(Fault::Os(errno)));
    }

    pub(crate) fn pass(&mut self, nanos: u64) {
        self.now = self.now.after_nanos(nanos);
    }

    /// Lets requests end, with nothing left to do; the completion of the first.
    pub(crate) fn completion(&mut self) -> Completion {
        self.idle();
        self.queue.next_completion().expect("something has ended")
    }

    /// How the only request ends.
    pub(crate) fn end(&mut self) -> Result<(), ErrorKind> {
        kind(self.completion())
    }

    /// Performs everything asked for until nothing is left, as a machine without faults; how many transfers that were.
    pub(crate) fn run(&mut self) -> usize {
        let mut transfers = 0;
        while let Some(action) = self.poll() {
            transfers += usize::from(action.is_transfer());
            let done = match action {
                Action::Lease { .. } => Done::Leased(ds_core::LeaseId(1)),
                Action::Release { .. } => {
                    self.queue.staging_released();
                    continue;
                }
                Action::Read { into: span, .. } | Action::Write { from: span, .. } => Done::Moved(span.len),
                Action::Copy { from, .. } => Done::Moved(from.len),
                Action::Sync { .. } => Done::Synced,
                Action::Decode(decode) => Done::Decoded(ds_core::DecodeStep {
                    cursor: decode.cursor + 1,
                    produced: if decode.available < decode.from.len { 0 } else { decode.into.len },
                    wants: decode.from.len,
                    finished: decode.available == decode.from.len,
                }),
                _ => continue,
            };
            self.answer(action.op().unwrap(), Ok(done));
        }
        transfers
    }
}

pub(crate) fn plain() -> Config {
    Config { auto_submit: false, chunk_size: 4 * KIB, ..Config::default() }
}

pub(crate) fn kind(completion: Completion) -> Result<(), ErrorKind> {
    completion.result.map_err(|error: Error| error.kind)
}

pub(crate) fn file(len: u64) -> Location {
    Location::File { file: FileId(3), offset: 100, len }
}

pub(crate) fn host(len: u64) -> Location {
    Location::Host { buffer: BufferId(5), offset: 7, len }
}

pub(crate) fn device(len: u64) -> Location {
    Location::Device { device: DeviceId(0), handle: 9, offset: 16, len }
}

pub(crate) fn read(len: u64) -> Request {
    Request::read(file(len), host(len))
}

pub(crate) fn write(len: u64) -> Request {
    Request::write(host(len), file(len))
}
