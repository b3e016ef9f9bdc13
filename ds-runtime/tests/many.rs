//! More requests at once than any engine takes.

use std::os::unix::fs::FileExt;

use ds_runtime::{File, IoKind, QueueOptions, Request, Runtime};

const BLOCK: usize = 512;

#[test]
fn a_hundred_thousand_requests_wait_in_one_queue() {
    let files: Vec<File> = (0..64_u8)
        .map(|n| {
            let real = tempfile::tempfile().unwrap();
            let content: Vec<u8> = (0..256 * BLOCK).map(|at| (at / BLOCK) as u8 ^ n).collect();
            real.write_all_at(&content, 0).unwrap();
            File::from(real)
        })
        .collect();
    for io in [IoKind::Cpu, IoKind::Uring, IoKind::Auto] {
        let runtime = Runtime::builder().io(io).build().unwrap();
        for count in [1000, 100_000_usize] {
            let options = QueueOptions::default().capacity(count).auto_submit(false);
            let queue = runtime.queue(options).unwrap();
            // By the tag it is known which bytes are whose.
            for n in 0..count {
                let (file, block) = (&files[n % files.len()], n / files.len() % 256);
                let request = Request::read(file, (block * BLOCK) as u64, 8).tag(n as u64);
                queue.post(request.into_buffer(Vec::with_capacity(8))).unwrap();
            }
            assert_eq!(queue.capacity(), (count as u32, 0));
            assert_eq!(queue.submit(), count as u32);
            queue.wait_all(None).unwrap();
            let mut seen = vec![false; count];
            for done in queue.take_completed(count) {
                let n = done.tag as usize;
                let expected = (n / files.len() % 256) as u8 ^ (n % files.len()) as u8;
                assert_eq!(done.check().unwrap().buffer, [expected; 8], "request {n}");
                assert!(!core::mem::replace(&mut seen[n], true), "request {n} has ended twice");
            }
            assert!(seen.iter().all(|&seen| seen), "some have not ended");
            let stats = queue.stats();
            assert_eq!((stats.succeeded, stats.in_flight, stats.undelivered), (count as u64, 0, 0));
        }
    }
}
