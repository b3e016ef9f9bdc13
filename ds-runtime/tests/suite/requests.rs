//! Every kind of request brings the right bytes.

use super::{Make, content, decoded, file_of, has_decoded, packed, queue, queue_of};
use ds_runtime::{CustomError, ErrorKind, Path, QueueOptions, Request};

pub(crate) fn has_read(path: Path) -> bool {
    path.contains(Path::IO_CPU) || path.contains(Path::IO_URING)
}

pub(crate) fn raw_reads_at_many_offsets(make: Make) {
    let bytes = content(3 << 20, 1);
    let (file, queue) = (file_of(&bytes), queue(make));
    let ranges = [(0, 1), (1, 4095), (4096, 4096), (65_535, 65_537), (1_000_003, 2_000_000), (0, 3 << 20)];
    let tickets: Vec<_> = ranges
        .iter()
        .map(|&(offset, len)| queue.enqueue(Request::read(&file, offset, len)).unwrap())
        .collect();
    queue.submit();
    for (ticket, (offset, len)) in tickets.into_iter().zip(ranges) {
        let done = ticket.wait().check().unwrap();
        assert!(done.buffer == bytes[offset as usize..][..len as usize], "{len} bytes at {offset}");
        assert_eq!((done.bytes.read, done.bytes.produced, done.bytes.delivered), (len, len, len));
        assert!(has_read(done.path) && !has_decoded(done.path));
    }
}

pub(crate) fn gdeflate_of_every_size(make: Make) {
    let queue = queue(make);
    for len in [0, 1, 65_535, 65_536, 65_537, decoded(1_000_000), decoded(9 << 20)] {
        let bytes = content(len, len as u64);
        let packed = packed(&bytes);
        // Not at the start of the file, so that offsets matter.
        let file = file_of(&[&[0xAA; 1000], packed.as_slice(), &[0xBB; 1000]].concat());
        let request = Request::read(&file, 1000, packed.len() as u64).gdeflate(len as u64);
        let done = queue.enqueue(request).unwrap().wait().check().unwrap();
        assert!(done.buffer == bytes, "{len} bytes");
        assert_eq!(done.bytes.read, packed.len() as u64);
        assert_eq!((done.bytes.produced, done.bytes.delivered), (len as u64, len as u64));
        assert!(has_read(done.path) && has_decoded(done.path), "{}", done.path);
    }
}

pub(crate) fn a_large_stream_decodes_in_small_reads(make: Make) {
    let bytes = content(decoded(4 << 20), 5);
    let packed = packed(&bytes);
    let file = file_of(&packed);
    let queue = queue_of(&make(), QueueOptions::default().chunk_size(4096));
    let request = Request::read(&file, 0, packed.len() as u64).gdeflate(bytes.len() as u64);
    let done = queue.enqueue(request).unwrap().wait().check().unwrap();
    assert!(done.buffer == bytes);
}

pub(crate) fn upper_case_and_memory_sources(make: Make) {
    let queue = queue(make);
    let file = file_of(b"Hello, World 42");
    let upper = queue.enqueue(Request::read(&file, 7, 8).uppercase()).unwrap().wait().check().unwrap();
    assert_eq!(upper.buffer, b"WORLD 42");

    let bytes = content(300_000, 9);
    let decoded = Request::from_memory(packed(&bytes)).gdeflate(bytes.len() as u64);
    let copied = Request::from_memory(bytes.clone());
    let (decoded, copied) = (queue.enqueue(decoded).unwrap(), queue.enqueue(copied).unwrap());
    let decoded = decoded.wait().check().unwrap();
    assert!(decoded.buffer == bytes && decoded.source == packed(&bytes));
    let copied = copied.wait().check().unwrap();
    assert!(copied.buffer == bytes && copied.source == bytes && copied.path.contains(Path::COPY_HOST));
}

pub(crate) fn writes_come_back(make: Make) {
    let queue = queue(make);
    let file = file_of(&[]);
    let bytes = content(3_000_000, 11);
    let write = queue.enqueue(Request::write(&file, 12_345, bytes.clone())).unwrap();
    let id = write.id();
    let sync = queue.enqueue(Request::sync_data(&file).after(id)).unwrap();
    let id = sync.id();
    let read = queue.enqueue(Request::read(&file, 12_345, 3_000_000).after(id)).unwrap();
    let all = queue.enqueue(Request::sync(&file)).unwrap();
    queue.submit();
    assert!(read.wait().check().unwrap().buffer == bytes);
    let write = write.wait().check().unwrap();
    assert!(write.source == bytes, "a write gives its bytes back");
    assert_eq!(write.bytes.delivered, 3_000_000);
    sync.wait().check().unwrap();
    all.wait().check().unwrap();
    assert_eq!(file.size().unwrap(), 12_345 + 3_000_000);
}

pub(crate) fn short_reads_fail_or_are_allowed(make: Make) {
    let queue = queue(make);
    let file = file_of(&content(5000, 2));
    let strict = queue.enqueue(Request::read(&file, 4000, 3000)).unwrap().wait();
    assert_eq!(strict.result.unwrap_err().kind, ErrorKind::EndOfFile { requested: 3000, got: 1000 });
    assert!(strict.buffer.is_empty(), "a failed read shows no bytes");
    let short = queue.enqueue(Request::read(&file, 4000, 3000).allow_short()).unwrap().wait();
    let short = short.check().unwrap();
    assert_eq!((short.buffer.len(), short.bytes.delivered), (1000, 1000));
    assert!(short.buffer == content(5000, 2)[4000..]);
    let none = queue.enqueue(Request::read(&file, 9000, 10).allow_short()).unwrap().wait().check().unwrap();
    assert!(none.buffer.is_empty());
}

pub(crate) fn nothing_at_all_is_fine(make: Make) {
    let queue = queue(make);
    let file = file_of(b"x");
    for request in [
        Request::read(&file, 0, 0),
        Request::read(&file, 1 << 62, 0),
        Request::from_memory(Vec::new()),
        Request::write(&file, 0, Vec::new()),
        Request::read(&file, 0, 0).uppercase(),
    ] {
        let done = queue.enqueue(request).unwrap().wait().check().unwrap();
        assert_eq!(done.bytes.delivered, 0);
    }
}

pub(crate) fn reused_buffers_are_not_reallocated(make: Make) {
    let queue = queue(make);
    let bytes = content(100_000, 3);
    let file = file_of(&bytes);
    let mut buffer = vec![0; 100_000];
    let address = buffer.as_ptr();
    for _ in 0..10 {
        let request = Request::read(&file, 0, 100_000).into_buffer(buffer);
        buffer = queue.enqueue(request).unwrap().wait().check().unwrap().buffer;
        assert!(buffer == bytes && buffer.as_ptr() == address);
    }
}

/// Formats nobody registered a decoder for are the application's to decode.
pub(crate) fn the_application_pulls_custom_formats(make: Make) {
    let queue = queue(make);
    let file = file_of(b"abcdef");
    let request = |tag| Request::read(&file, 0, 6).custom(200, 6).tag(tag);
    let (good, bad, dropped, cancelled) = (
        queue.enqueue(request(0)).unwrap(),
        queue.enqueue(request(1)).unwrap(),
        queue.enqueue(request(2)).unwrap(),
        queue.enqueue(request(3)).unwrap(),
    );
    queue.submit();
    let mut pulled = Vec::new();
    while pulled.len() < 4 {
        queue.wait_custom(None).unwrap();
        pulled.extend(queue.take_custom(10));
    }
    assert!(queue.take_custom(1).is_empty(), "each is given out once");
    assert!(cancelled.cancel());
    for mut job in pulled {
        assert_eq!((job.format(), job.input()), (200, b"abcdef".as_slice()));
        if job.id() == good.id() || job.id() == cancelled.id() {
            let (input, output) = job.parts();
            output.copy_from_slice(input);
            output.reverse();
            job.finish(Ok(()));
        } else if job.id() == bad.id() {
            job.finish(Err(CustomError(77)));
        }
    }
    let good = good.wait().check().unwrap();
    assert!(good.buffer == b"fedcba" && good.path.contains(Path::CODEC_CUSTOM));
    let bad = bad.wait();
    assert!(matches!(bad.result.unwrap_err().kind, ErrorKind::Corrupt(corrupt) if corrupt.actual == 77));
    assert!(bad.buffer.is_empty());
    assert!(matches!(dropped.wait().result.unwrap_err().kind, ErrorKind::Unsupported(_)));
    assert!(cancelled.wait().is_cancelled());
}

/// 16 slots, a staging pool of a few requests, thousands of requests from many threads.
pub(crate) fn small_queues_and_staging_carry_any_load(make: Make) {
    let runtime = make();
    let queue = queue_of(&runtime, QueueOptions::default().capacity(16));
    let bytes = content(decoded(200_000).max(10_000), 21);
    let packed = packed(&bytes);
    let file = file_of(&packed);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (queue, file, packed, bytes) = (&queue, &file, &packed, &bytes);
            scope.spawn(move || {
                for number in 0..40 {
                    let raw = Request::read(file, number * 10, 1000);
                    let decoded = Request::read(file, 0, packed.len() as u64).gdeflate(bytes.len() as u64);
                    let request = if (number + thread) % 3 == 0 { decoded } else { raw };
                    let done = queue.enqueue(request).unwrap().wait().check().unwrap();
                    let expected = if (number + thread) % 3 == 0 {
                        bytes
                    } else {
                        &packed[number as usize * 10..][..1000]
                    };
                    assert!(done.buffer == expected);
                }
            });
        }
    });
    let stats = queue.stats();
    assert_eq!((stats.succeeded, stats.failed, stats.in_flight, stats.undelivered), (320, 0, 0, 0));
    let (size, used, peak) = runtime.staging();
    assert!(used == 0 && peak <= size);
}
