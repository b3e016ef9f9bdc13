//! Bad input gets a typed error, and its buffer shows no bytes.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use super::requests::has_read;
use super::{Make, content, file_of, packed, queue, queue_of};
use ds_core::{Context, Operation, Stage};
use ds_runtime::{Completion, CorruptReason, ErrorKind, File, Misuse, QueueOptions, Report, Request};
use rustix::event::{EventfdFlags, eventfd};
use rustix::mm::{MapFlags, ProtFlags, mmap};

fn corrupt(done: &Completion) -> Option<(CorruptReason, Option<u32>)> {
    assert!(done.result.is_ok() || done.buffer.is_empty(), "a failed request shows no bytes");
    match done.result {
        Err(error) => match error.kind {
            ErrorKind::Corrupt(corrupt) => Some((corrupt.reason, corrupt.tile)),
            kind => panic!("{kind}"),
        },
        Ok(()) => None,
    }
}

pub(crate) fn damaged_streams_are_corrupt(make: Make) {
    let queue = queue(make);
    let bytes = content(200_000, 1);
    let good = packed(&bytes);
    let run = |stream: &[u8], size: u64| {
        let file = file_of(stream);
        queue.enqueue(Request::read(&file, 0, stream.len() as u64).gdeflate(size)).unwrap().wait()
    };
    for cut in [0, 1, 7, 8, 20, good.len() / 2, good.len() - 1] {
        assert!(corrupt(&run(&good[..cut], 200_000)).is_some(), "cut at {cut}");
    }
    let (reason, _) = corrupt(&run(&good, 199_999)).unwrap();
    assert_eq!(reason, CorruptReason::Size);
    let mut header = good.clone();
    header[0] ^= 1;
    assert_eq!(corrupt(&run(&header, 200_000)), Some((CorruptReason::Header, None)));
    // Damage in the third tile's payload is found there, or (rarely) makes other bytes of the right number.
    let flips = if crate::DECODER_SLOWNESS > 1 { 8 } else { 40 };
    let mut named = 0;
    for flip in 0..flips {
        let mut damaged = good.clone();
        let third = u32::from_le_bytes(good[16..20].try_into().unwrap()) as usize + 24;
        damaged[third + flip * 3] ^= 0x10;
        match corrupt(&run(&damaged, 200_000)) {
            Some((_, tile)) => named += usize::from(tile == Some(2)),
            None => continue,
        }
    }
    assert!(named > flips / 2, "{named}");
    let random = content(5000, 99);
    assert!(corrupt(&run(&random, 200_000)).is_some());
}

pub(crate) fn a_bad_request_beside_good_ones_harms_only_itself(make: Make) {
    let queue = queue(make);
    let bytes = content(super::decoded(300_000), 1);
    let good = packed(&bytes);
    let mut bad = good.clone();
    let last = bad.len() - 200;
    bad[last..].fill(0xFF);
    let file = file_of(&[good.as_slice(), &bad].concat());
    let len = good.len() as u64;
    let tickets: Vec<_> = (0..60)
        .map(|n| {
            let offset = if n % 3 == 1 { len } else { 0 };
            queue.enqueue(Request::read(&file, offset, len).gdeflate(bytes.len() as u64)).unwrap()
        })
        .collect();
    for (n, ticket) in tickets.into_iter().enumerate() {
        let done = ticket.wait();
        assert_eq!(corrupt(&done).is_some(), n % 3 == 1);
        assert!(n % 3 == 1 || done.buffer == bytes);
    }
}

pub(crate) fn hostile_sizes_are_refused(make: Make) {
    let queue = queue_of(&make(), QueueOptions::default());
    let file = file_of(b"0123456789");
    let refuse = |request| queue.enqueue(request).unwrap_err().error.kind;
    assert_eq!(refuse(Request::read(&file, 0, 10).gdeflate(1 << 60)), ErrorKind::OutOfMemory);
    assert_eq!(
        refuse(Request::read(&file, i64::MAX as u64 - 4, 5)),
        ErrorKind::Invalid(Misuse::RangeOverflow { offset: i64::MAX as u64 - 4, len: 5 })
    );
    assert!(matches!(
        refuse(Request::read(&file, 0, 1 << 30).gdeflate(10)),
        ErrorKind::TooLarge { requested, limit } if requested == 1 << 30 && limit < requested
    ));
    assert_eq!(
        refuse(Request::read(&file, 0, 10).gdeflate(10).allow_short()),
        ErrorKind::Invalid(Misuse::ShortNotAllowed)
    );
    let far = queue.enqueue(Request::read(&file, i64::MAX as u64 - 5, 5)).unwrap().wait();
    let kind = far.result.unwrap_err().kind;
    assert!(
        matches!(kind, ErrorKind::EndOfFile { requested: 5, got: 0 } | ErrorKind::Io { errno: 22 }),
        "{kind}"
    );
}

pub(crate) fn files_that_cannot(make: Make) {
    let queue = queue(make);
    let read = |file: &File| queue.enqueue(Request::read(file, 0, 10)).map(|ticket| ticket.wait().result);
    let dir = tempfile::tempdir().unwrap();
    let directory = File::open(dir.path()).unwrap();
    assert_eq!(read(&directory).unwrap().unwrap_err().kind, ErrorKind::Io { errno: 21 });
    let path = dir.path().join("file");
    std::fs::write(&path, b"content").unwrap();
    let read_only = File::open(&path).unwrap();
    let write = queue.enqueue(Request::write(&read_only, 0, vec![1, 2, 3])).unwrap_err();
    assert_eq!(write.error.kind, ErrorKind::Invalid(Misuse::AccessMode));
    assert_eq!(write.request.into_source(), [1, 2, 3], "nothing is lost");
    let write_only = File::from(std::fs::OpenOptions::new().write(true).open(&path).unwrap());
    assert_eq!(read(&write_only).unwrap_err().error.kind, ErrorKind::Invalid(Misuse::AccessMode));
    let full = File::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let write = queue.enqueue(Request::write(&full, 0, vec![9; 100])).unwrap().wait();
    assert_eq!(write.result.unwrap_err().kind, ErrorKind::Io { errno: 28 });
    assert_eq!(write.source, [9; 100], "what could not be written comes back");
    assert!(File::open(dir.path().join("none")).unwrap_err().to_string().contains("none"));
}

/// Pipes, sockets and what else has no positions, each with something in it that a careless engine would take.
pub(crate) fn files_without_positions(make: Make) {
    let queue = queue(make);
    let event = eventfd(7, EventfdFlags::empty()).unwrap();
    let (pipe, mut full) = std::io::pipe().unwrap();
    full.write_all(&[1; 10]).unwrap();
    let (socket, mut other) = UnixStream::pair().unwrap();
    other.write_all(&[1; 10]).unwrap();
    let mut files = vec![
        ("an eventfd", File::from(event.try_clone().unwrap())),
        ("a pipe", File::from(OwnedFd::from(pipe))),
        ("a socket", File::from(OwnedFd::from(socket))),
    ];
    match std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx") {
        Ok(terminal) => files.push(("a terminal", File::from(terminal))),
        Err(error) => eprintln!("SKIPPED: no terminal: {error}"),
    }
    let refused = ErrorKind::Invalid(Misuse::NoPositions);
    for (name, file) in &files {
        let request = || Request::read(file, 0, 8).allow_short();
        assert_eq!(queue.enqueue(request()).unwrap_err().error.kind, refused, "{name}");
        assert_eq!(queue.enqueue_with(request(), |_| {}).unwrap_err().error.kind, refused, "{name}");
        assert_eq!(queue.post(request()).unwrap_err().error.kind, refused, "{name}");
        let mut room = [0; 8];
        let lent = queue.scope(|scope| scope.request(request(), &mut room).map(drop));
        assert_eq!(lent.unwrap_err().kind, refused, "{name}");
        if *name != "a pipe" {
            let write = queue.enqueue(Request::write(file, 0, vec![1; 8])).unwrap_err();
            assert_eq!((write.error.kind, write.request.into_source()), (refused, vec![1; 8]), "{name}");
        }
        // That has nothing to do with positions; the kernel says what it thinks of it.
        let sync = queue.enqueue(Request::sync(file)).unwrap().wait();
        assert_eq!(sync.result.unwrap_err().kind, ErrorKind::Io { errno: 22 }, "{name}");
    }
    let mut count = [0; 8];
    rustix::io::read(&event, &mut count).unwrap();
    assert_eq!(u64::from_ne_bytes(count), 7, "nobody has read it");
}

/// A file of which the first half can be read and the second is as on a disk that is broken: the process's own memory, where a file is
/// mapped that ends in the middle. With it the first byte, and the first that cannot be read.
fn half_broken() -> (File, u64, u64) {
    const PAGE: usize = 4096;
    let short = tempfile::tempfile().unwrap();
    short.set_len(PAGE as u64).unwrap();
    // SAFETY: it goes to memory of its own, which nobody refers to and which stays.
    let mapped = unsafe {
        mmap(core::ptr::null_mut(), 2 * PAGE, ProtFlags::READ, MapFlags::SHARED, &short, 0).unwrap()
    };
    let start = mapped.addr() as u64;
    (File::open("/proc/self/mem").unwrap(), start, start + PAGE as u64)
}

/// `EIO` is told as it is, with where and how far; and a request beside it is none the worse for it.
pub(crate) fn a_device_s_error_is_told(make: Make) {
    let (broken, start, bad) = half_broken();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let hook = move |report: &Report| log.lock().unwrap().push(report.to_string());
    let queue = make().queue(QueueOptions::default().error_hook(hook)).unwrap();
    let half = bad - start;
    for (offset, len, read) in [(start, 2 * half, half), (bad, 100, 0), (bad - 7, 8, 7), (0, 4096, 0)] {
        let good = queue.enqueue(Request::read(&broken, start, half)).unwrap();
        let ticket = queue.enqueue(Request::read(&broken, offset, len).tag(len)).unwrap();
        let done = ticket.wait();
        let error = done.result.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Io { errno: 5 });
        let Context { operation, stage, path, .. } = error.context;
        assert_eq!((operation, stage), (Some(Operation::Read), Stage::Reading));
        assert_eq!((error.context.offset, error.context.len, error.context.tag), (offset, len, len));
        assert!(has_read(path) && !done.path.is_empty(), "{path}");
        assert_eq!(done.bytes.read, read, "what came before the error");
        assert!(done.buffer.is_empty(), "and no byte of it is shown");
        assert_eq!(good.wait().check().unwrap().buffer, vec![0; half as usize]);
    }
    let packed = queue.enqueue(Request::read(&broken, bad, 100).gdeflate(1000)).unwrap().wait();
    assert_eq!(packed.result.unwrap_err().kind, ErrorKind::Io { errno: 5 }, "nor is it damage to the data");
    // A hook may hear of a failure after who waited for it; but not after this.
    queue.close();
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 5, "each is told once: {heard:?}");
    for told in heard.iter() {
        assert!(told.contains("errno 5") && told.contains("/proc/self/mem"), "{told}");
    }
}

/// The file shrinks while it is being read: every read succeeds with the right bytes or meets the end.
pub(crate) fn files_that_shrink(make: Make) {
    let queue = queue(make);
    let bytes = content(4 << 20, 6);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let open = File::open(file.path()).unwrap();
    let tickets: Vec<_> =
        (0..256).map(|n| queue.enqueue(Request::read(&open, n << 14, 1 << 14)).unwrap()).collect();
    queue.submit();
    // Where no folio of the page cache lies across: the kernel clears the rest of one while others may read it.
    file.as_file().set_len(2 << 20).unwrap();
    for (n, ticket) in tickets.into_iter().enumerate() {
        let done = ticket.wait();
        match done.result {
            Ok(()) => assert!(done.buffer == bytes[n << 14..][..1 << 14]),
            Err(error) => assert!(n >= 128 && matches!(error.kind, ErrorKind::EndOfFile { .. }), "{error}"),
        }
    }
}
