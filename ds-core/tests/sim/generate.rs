//! Random configurations, fault plans and requests.

use ds_core::fault::{FaultPlan, Rng};
use ds_core::{
    BufferId, Config, DeviceId, FileId, Location, Operation, Priority, Processor, Request, RequestId, Time,
    Transform,
};

/// One of these.
pub(crate) fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.below(choices.len() as u64) as usize]
}

/// True `percent` times out of 100.
pub(crate) fn chance(rng: &mut Rng, percent: u64) -> bool {
    rng.below(100) < percent
}

pub(crate) fn capacity(rng: &mut Rng) -> usize {
    pick(rng, &[1, 2, 3, 4, 5, 8, 8, 16, 16, 33, 64])
}

pub(crate) fn config(rng: &mut Rng, staging: u64) -> Config {
    let limit = if chance(rng, 70) { staging } else { rng.between(1, staging) };
    Config {
        priority: pick(rng, &[Priority::Low, Priority::Normal, Priority::High, Priority::Realtime]),
        auto_submit: chance(rng, 50),
        chunk_size: pick(rng, &[4096, 4096, 5000, 8192, 1 << 20, u64::MAX]),
        max_transfers: pick(rng, &[1, 2, 3, 8, u32::MAX, u32::MAX]),
        max_bytes_in_flight: pick(rng, &[1, 5000, 40_000, 200_000, u64::MAX, u64::MAX]),
        max_lease: limit,
        max_stalls: pick(rng, &[0, 1, 2, 5, 16]),
        retry_delay: pick(rng, &[0, 1, 1000, 50_000, u64::MAX / 2]),
        stage_times: chance(rng, 30),
    }
}

/// Mostly faults of one or two kinds at a time: all at once would let little get far.
pub(crate) fn plan(rng: &mut Rng) -> FaultPlan {
    let mut plan = FaultPlan {
        staging: u64::MAX,
        file_size: pick(rng, &[u64::MAX, u64::MAX, u64::MAX, 0, 3000, 20_000]),
        delay: pick(rng, &[(0, 0), (0, 0), (0, 100), (0, 50_000), (1000, 2000)]).into_range(),
        reorder: pick(rng, &[0, 20_000, 65_535]),
        deaf: pick(rng, &[0, 20_000, 65_535]),
        errno: pick(rng, &[5, 28, 9]),
        ..FaultPlan::default()
    };
    for _ in 0..rng.below(5) {
        let share = pick(rng, &[1000, 5000, 5000, 30_000]);
        let field = match rng.below(11) {
            0 | 1 => &mut plan.short,
            2 => &mut plan.write_zero,
            3 => &mut plan.interrupted,
            4 => &mut plan.try_again,
            5 => &mut plan.error,
            6 => &mut plan.busy,
            7 => &mut plan.out_of_memory,
            8 => &mut plan.corrupt,
            9 => &mut plan.device_lost,
            _ => &mut plan.pause,
        };
        *field = share;
    }
    plan
}

trait IntoRange {
    fn into_range(self) -> core::ops::RangeInclusive<u64>;
}

impl IntoRange for (u64, u64) {
    fn into_range(self) -> core::ops::RangeInclusive<u64> {
        self.0..=self.1
    }
}

/// A request of any kind. `big` is a typical large length in bytes; `earlier` are requests it may be linked to.
pub(crate) fn request(rng: &mut Rng, now: Time, config: &Config, big: u64, earlier: &[RequestId]) -> Request {
    let len = match rng.below(10) {
        0 => 0,
        1 => 1,
        2..=5 => rng.between(1, 4096),
        6..=8 => rng.between(1, big),
        // Far more than a few chunks only where a chunk is as large.
        _ if config.chunk_size == u64::MAX => pick(rng, &[1 << 20, 1 << 40, i64::MAX as u64]),
        _ => rng.between(1, 4 * big),
    };
    // What goes piece by piece through the lease is cut even where chunks are not.
    let relayed = len.min(config.chunk_size.min(config.max_lease).saturating_mul(32));
    let mut request = match rng.below(20) {
        0..=6 => Request::read(file(rng, len), host(rng, len)),
        7 => Request::read(file(rng, relayed), device(rng, relayed)),
        8 => Request::read(memory(rng, len), memory(rng, len)),
        9 | 10 => Request::write(host(rng, len), file(rng, len)),
        11 => Request::write(device(rng, relayed), file(rng, relayed)),
        12 => Request::sync(FileId(rng.below(3)), chance(rng, 50)),
        _ => decode(rng, len),
    };
    let raw_file_read = request.operation == Operation::Read
        && request.transform == Transform::None
        && matches!(request.source, Location::File { .. });
    request.allow_short = raw_file_read && chance(rng, 30);
    request.tag = rng.below(4);
    if chance(rng, 15) {
        request.deadline = Some(now.after_nanos(pick(rng, &[0, 1, 500, 20_000, 200_000])));
    }
    if chance(rng, 20) && !earlier.is_empty() {
        request.after = Some(pick(rng, earlier));
    }
    request
}

fn decode(rng: &mut Rng, len: u64) -> Request {
    let len = len.min(100_000);
    let made = if chance(rng, 10) { 0 } else { rng.between(len / 2, len.saturating_mul(3)) };
    let source = if chance(rng, 70) { file(rng, len) } else { memory(rng, len) };
    let destination = if chance(rng, 60) {
        host(rng, made)
    } else {
        // The object's own terms may show less than it takes.
        let shown = rng.between(0, made);
        device(rng, shown)
    };
    let transform = pick(
        rng,
        &[Transform::GDeflate, Transform::GDeflate, Transform::FakeUppercase, Transform::Custom(3)],
    );
    let mut request = Request::decode(source, destination, transform, made);
    request.processor = pick(rng, &[Processor::Host, Processor::Host, Processor::Device]);
    request
}

pub(crate) fn file(rng: &mut Rng, len: u64) -> Location {
    let offset = if chance(rng, 5) { i64::MAX as u64 - len } else { rng.below(10_000) };
    Location::File { file: FileId(rng.below(3)), offset: offset.min(i64::MAX as u64 - len), len }
}

fn host(rng: &mut Rng, len: u64) -> Location {
    Location::Host { buffer: BufferId(rng.below(1000)), offset: rng.below(100), len }
}

pub(crate) fn device(rng: &mut Rng, len: u64) -> Location {
    Location::Device {
        device: DeviceId(rng.below(2) as u32),
        handle: rng.below(9),
        offset: rng.below(100),
        len,
    }
}

fn memory(rng: &mut Rng, len: u64) -> Location {
    if chance(rng, 50) { host(rng, len) } else { device(rng, len) }
}

/// Makes a request one that can never work.
pub(crate) fn spoil(rng: &mut Rng, request: &mut Request) {
    match rng.below(4) {
        0 => request.source = Location::None,
        1 => request.destination = Location::File { file: FileId(0), offset: u64::MAX, len: 1 },
        2 => *request = Request { operation: Operation::Fsync, ..*request },
        _ => request.source = Location::File { file: FileId(0), offset: i64::MAX as u64, len: 1 },
    }
    // A sync of a file from nowhere would be one that works.
    if matches!(request.operation, Operation::Fsync | Operation::Fdatasync)
        && request.source == Location::None
    {
        request.transform = Transform::FakeUppercase;
    }
}
