//! Files read and written past the page cache.

use super::{Make, content, file_of, packed, queue};
use ds_runtime::{ErrorKind, File, Misuse, Request};

/// The file past the page cache, or `None` where its file system has no such way. Says so loudly: then nothing is tested.
fn direct(file: &File) -> Option<File> {
    match file.direct() {
        Ok(direct) => Some(direct),
        Err(error) => {
            eprintln!("SKIPPED: no direct I/O on the file system of temporary files: {error}");
            None
        }
    }
}

pub(crate) fn direct_reads_begin_and_end_anywhere(make: Make) {
    let bytes = content(6_000_000, 31);
    let plain = file_of(&bytes);
    let flags = rustix::fs::fcntl_getfl(&plain).unwrap();
    let Some(file) = direct(&plain) else { return };
    assert!(plain.direct_alignment().is_none() && file.direct_alignment().unwrap().is_power_of_two());
    let queue = queue(make);
    let ranges = [
        (0, 1),
        (511, 2),
        (4096, 4096),
        (4095, 4098),
        (0, 3 << 20),
        (1, 3 << 20),
        (5_999_999, 1),
        (5_000_001, 999_999),
        (0, 6_000_000),
    ];
    let tickets = ranges.map(|(offset, len)| queue.enqueue(Request::read(&file, offset, len)).unwrap());
    for (ticket, (offset, len)) in tickets.into_iter().zip(ranges) {
        let done = ticket.wait().check().unwrap();
        assert!(done.buffer == bytes[offset as usize..][..len as usize], "{len} bytes at {offset}");
        assert_eq!(done.bytes.read, len);
    }
    let past = queue.enqueue(Request::read(&file, 5_999_000, 3000)).unwrap().wait();
    assert_eq!(past.result.unwrap_err().kind, ErrorKind::EndOfFile { requested: 3000, got: 1000 });
    let short = queue.enqueue(Request::read(&file, 5_999_000, 3000).allow_short()).unwrap().wait();
    assert!(short.check().unwrap().buffer == bytes[5_999_000..]);
    let beyond = queue.enqueue(Request::read(&file, 7_000_001, 10).allow_short()).unwrap().wait();
    assert!(beyond.check().unwrap().buffer.is_empty());
    assert_eq!(rustix::fs::fcntl_getfl(&plain).unwrap(), flags, "the descriptor is its owner's");
}

pub(crate) fn direct_streams_decode(make: Make) {
    let bytes = content(super::decoded(3_000_000), 32);
    let packed = packed(&bytes);
    // Not where a block begins.
    let plain = file_of(&[&[0xAA; 777], packed.as_slice()].concat());
    let Some(file) = direct(&plain) else { return };
    let queue = queue(make);
    for _ in 0..4 {
        let request = Request::read(&file, 777, packed.len() as u64).gdeflate(bytes.len() as u64);
        assert!(queue.enqueue(request).unwrap().wait().check().unwrap().buffer == bytes);
    }
}

pub(crate) fn direct_writes_are_whole_blocks(make: Make) {
    let plain = file_of(&[]);
    let Some(file) = direct(&plain) else { return };
    let block = file.direct_alignment().unwrap();
    let queue = queue(make);
    let bytes = content(700 * block as usize, 33);
    let write = queue.enqueue(Request::write(&file, 3 * block, bytes.clone())).unwrap().wait();
    assert!(write.check().unwrap().source == bytes);
    for (offset, len) in [(1, block), (block, block + 1), (block - 1, 1)] {
        let refused = queue.enqueue(Request::write(&file, offset, vec![7; len as usize])).unwrap_err();
        let misuse = Misuse::Unaligned { offset, len, alignment: block };
        assert_eq!(refused.error.kind, ErrorKind::Invalid(misuse));
        assert_eq!(refused.request.into_source().len() as u64, len, "nothing is lost");
    }
    queue.enqueue(Request::sync_data(&file)).unwrap().wait().check().unwrap();
    let read =
        |file: &File| queue.enqueue(Request::read(file, 3 * block, bytes.len() as u64)).unwrap().wait();
    assert!(read(&file).check().unwrap().buffer == bytes);
    assert!(read(&plain).check().unwrap().buffer == bytes, "both see one file");
}
