use super::*;
use crate::ring::fake::{FakeFaults, FakeRing};
use ds_core::OpId;
use ds_engine::{Alignment, FileRef, IoOp};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

#[test]
fn what_nobody_wants_any_more_is_not_begun_again_without_the_feature_it_failed_for() {
    let real = tempfile::tempfile().unwrap();
    real.write_all_at(&[7; 4096], 0).unwrap();
    let mut failed = 0;
    for seed in 0..50 {
        let (lane, hangar) = (Arc::new(Lane::new(4).unwrap()), Hangar::new().unwrap());
        let ring =
            FakeRing::new(FakeFaults { seed, unpollable: 255, ..FakeFaults::default() }, Features::IOPOLL);
        let mut driver = Driver::new(ring, Arc::clone(&lane), 4, hangar, true);
        let mut bytes = vec![0; 4096];
        // SAFETY: there, and nobody else's, until the job has been answered.
        let into = unsafe { HostBytes::new(bytes.as_mut_ptr(), bytes.len()) };
        // SAFETY: open until then.
        let file = unsafe { FileRef::new(real.as_fd()) }.positional();
        // SAFETY: as above.
        let file = unsafe { file.direct(real.as_fd(), Alignment::new(1, 1).unwrap()) };
        let id = JobId { queue: 0, op: OpId::from_u64(seed) };
        lane.give(IoJob { id, op: IoOp::Read { file, offset: 0, into } });
        let mut finished = Vec::new();
        driver.turn(&mut finished, false);
        // Now the ring has it, or has refused it already. Once in 256 times it does it all the same.
        if !finished.is_empty() {
            continue;
        }
        lane.inbox.push(Message::Cancel(id));
        while finished.is_empty() {
            driver.turn(&mut finished, false);
        }
        assert_eq!(finished[0].result, Err(Fault::Cancelled), "seed {seed}");
        failed += driver.take_warnings().len();
    }
    assert_ne!(failed, 0, "the ring has refused none for its feature");
}
