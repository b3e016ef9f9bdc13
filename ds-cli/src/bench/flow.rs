//! So many requests in flight, until there are no more.

use core::time::Duration;
use std::time::Instant;

use ds_runtime::{Completion, Queue, Request};

use super::gpu::failed;
use crate::error::Result;

/// Where requests come from, and what becomes of them.
pub(super) trait Requests {
    /// The next one, if there is one now. If not, this is asked again when another has ended.
    fn next(&mut self) -> Option<Request>;

    /// One has ended, well or not.
    fn ended(&mut self, completion: Completion) -> Result<()>;
}

/// Keeps so many of them in flight at most, until none is left. Returns how long that took.
pub(super) fn keep(queue: &Queue, depth: usize, requests: &mut impl Requests) -> Result<Duration> {
    let (mut in_flight, start) = (0, Instant::now());
    loop {
        while in_flight < depth {
            let Some(request) = requests.next() else { break };
            queue.post(request).map_err(failed)?;
            in_flight += 1;
        }
        if in_flight == 0 {
            return Ok(start.elapsed());
        }
        queue.submit();
        // Without a timeout it waits as long as it takes.
        let _ = queue.wait_any(None);
        for completion in queue.take_completed(in_flight) {
            in_flight -= 1;
            requests.ended(completion)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroUsize;

    use ds_runtime::{CodecKind, QueueOptions, Runtime};

    use super::*;

    /// Copies of a byte, numbered by tag. One that is in flight holds back all but so many others.
    struct Bytes {
        left: u64,
        in_flight: usize,
        most: usize,
        /// The most there were in flight.
        seen: usize,
        ended: Vec<u64>,
    }

    impl Requests for Bytes {
        fn next(&mut self) -> Option<Request> {
            if self.in_flight == self.most {
                return None;
            }
            self.left = self.left.checked_sub(1)?;
            self.in_flight += 1;
            self.seen = self.seen.max(self.in_flight);
            Some(Request::from_memory(vec![7]).tag(self.left))
        }

        fn ended(&mut self, completion: Completion) -> Result<()> {
            self.in_flight -= 1;
            self.ended.push(completion.tag);
            completion.check().map(drop).map_err(failed)
        }
    }

    #[test]
    fn each_request_ends_once_and_no_more_than_told_are_in_flight() {
        let one = NonZeroUsize::MIN;
        let runtime =
            Runtime::builder().codec(CodecKind::Cpu).workers(one).codec_workers(one).build().unwrap();
        let queue = runtime.queue(QueueOptions::default().capacity(8).auto_submit(false)).unwrap();
        for (depth, most, seen) in [(3, 8, 3), (8, 2, 2), (8, 8, 8), (1, 1, 1)] {
            let mut bytes = Bytes { left: 50, in_flight: 0, most, seen: 0, ended: Vec::new() };
            keep(&queue, depth, &mut bytes).unwrap();
            bytes.ended.sort_unstable();
            assert_eq!((bytes.seen, bytes.ended), (seen, (0..50).collect()));
        }
        let mut none = Bytes { left: 0, in_flight: 0, most: 1, seen: 0, ended: Vec::new() };
        keep(&queue, 1, &mut none).unwrap();
        assert!(none.ended.is_empty());
    }
}
