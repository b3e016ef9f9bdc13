//! Once warm, no job allocates.

#[path = "../../ds-core/tests/allocations/mod.rs"]
mod allocations;
mod common;

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use allocations::assert_settles;
use common::{Memory, file, id, text};
use ds_core::{Done, Transform};
use ds_cpu::{CpuCodec, CpuIo};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, Engine, Finished, IoEngine, IoJob, IoOp, Place, Sink,
    StartContext,
};
use ds_gdeflate::{CodecId, Level, TILE_SIZE, compress};

/// Counts outcomes, and insists on good ones.
#[derive(Default)]
struct Count(AtomicUsize);

impl Sink for Count {
    fn complete(&self, batch: &[Finished]) {
        for finished in batch {
            match finished.result {
                Ok(Done::Decoded(step)) => assert!(step.finished),
                Ok(_) => {}
                Err(fault) => panic!("{fault:?}"),
            }
        }
        self.0.fetch_add(batch.len(), Ordering::Release);
    }
}

impl Count {
    fn wait(&self, wanted: usize) {
        while self.0.load(Ordering::Acquire) < wanted {
            std::thread::yield_now();
        }
        self.0.store(0, Ordering::Relaxed);
    }
}

#[test]
fn no_job_allocates_once_warm() {
    const JOBS: usize = 64;
    let workers = NonZeroUsize::new(2).unwrap();
    let count = Arc::new(Count::default());
    let (io, codec) = (CpuIo::new(workers), CpuCodec::new(workers, Vec::new()));
    io.start(&StartContext::new(count.clone())).unwrap();
    codec.start(&StartContext::new(count.clone())).unwrap();

    let raw = text(6 * TILE_SIZE);
    let real = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&real, &raw, 0).unwrap();
    let stream = Memory::of(&compress(&raw, Level::FASTEST, CodecId::Reference).unwrap());
    let blocks = Memory::new(JOBS * 4096);
    let outputs: Vec<_> = (0..JOBS).map(|_| Memory::new(raw.len())).collect();
    let (mut reads, mut steps, mut copies) = (Vec::new(), Vec::new(), Vec::new());

    let round = || {
        for n in 0..JOBS {
            let into = blocks.part(n * 4096, 4096);
            let op = IoOp::Read { file: file(&real), offset: n as u64 * 100, into };
            reads.push(IoJob { id: id(n as u64), op });
        }
        io.submit(&mut reads);
        io.drive(&*count, None);
        count.wait(JOBS);
        for (output, n) in outputs.iter().zip(0..) {
            let (from, into) = (Place::Host(stream.lend()), Place::Host(output.lend()));
            let transform = Transform::GDeflate;
            steps.push(CodecJob { id: id(n), transform, from, available: from.len(), cursor: 0, into });
        }
        codec.submit(&mut steps);
        codec.drive(&*count, None);
        count.wait(JOBS);
        for (pair, n) in outputs.chunks_exact(2).zip(0..) {
            let (from, into) = (Place::Host(pair[0].lend()), Place::Host(pair[1].lend()));
            copies.push(CopyJob { id: id(n), from, into });
        }
        codec.submit_copies(&mut copies);
        count.wait(JOBS / 2);
    };
    assert_settles(round);
    io.stop();
    codec.stop();
    assert!(outputs[0].bytes() == raw);
}
