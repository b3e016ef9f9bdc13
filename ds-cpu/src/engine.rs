//! The three roles on one pool.

use core::num::NonZeroUsize;
use std::sync::Arc;

use ds_core::{Path, Transform};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, CustomDecoder, Engine, IoEngine, IoJob, JobId, Sink,
    StartContext, StartError,
};

use crate::codec::{CodecTask, Tools};
use crate::io::depth;
use crate::pool::Pool;
use crate::work::{Turn, Work};

#[derive(Clone)]
enum Task {
    Io(IoJob),
    Codec(CodecTask),
}

impl Work for Task {
    type Tools = Tools;

    fn id(&self) -> Option<JobId> {
        match self {
            Self::Io(job) => job.id(),
            Self::Codec(task) => task.id(),
        }
    }

    fn is_short(&self) -> bool {
        match self {
            Self::Io(job) => job.is_short(),
            Self::Codec(task) => task.is_short(),
        }
    }

    #[inline]
    fn run(self, tools: &Tools, by: Path) -> Turn<Self> {
        match self {
            Self::Io(job) => job.run(&(), by).map(Self::Io),
            Self::Codec(task) => task.run(tools, by).map(Self::Codec),
        }
    }
}

/// File I/O, transforms and copies on one pool, threads `ds-cpu-0`, `ds-cpu-1`, ...
///
/// It is one engine in three roles: it is started once, and stopped once, for all of them. Dropping it stops it.
pub struct CpuEngine {
    pool: Pool<Task>,
}

impl CpuEngine {
    /// An engine that will have so many threads once started, with the application's decoders by the number they serve in
    /// [`Transform::Custom`]. If a number comes twice, the first counts.
    #[must_use]
    pub fn shared(workers: NonZeroUsize, decoders: Vec<(u8, Arc<dyn CustomDecoder>)>) -> Self {
        Self { pool: Pool::new("ds-cpu", workers, Tools::new(workers, decoders)) }
    }
}

// SAFETY: as for `CpuIo` and `CpuCodec`, whose tasks these are.
unsafe impl Engine for CpuEngine {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        self.pool.start(context.sink())
    }

    fn cancel(&self, id: JobId) {
        self.pool.cancel(id);
    }

    fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        self.pool.drive(sink, queue)
    }

    fn stop(&self) {
        self.pool.stop();
    }
}

impl IoEngine for CpuEngine {
    fn path(&self) -> Path {
        Path::IO_CPU
    }

    fn depth(&self) -> usize {
        depth(self.pool.workers())
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        self.pool.submit(jobs.iter().map(|&job| Task::Io(job)));
        jobs.clear();
    }
}

impl CodecEngine for CpuEngine {
    fn path(&self) -> Path {
        Path::CODEC_CPU
    }

    fn supports(&self, transform: Transform) -> bool {
        self.pool.tools().supports(transform)
    }

    fn submit(&self, jobs: &mut Vec<CodecJob>) {
        self.pool.submit(jobs.drain(..).map(|job| Task::Codec(CodecTask::step(job))));
    }
}

impl CopyEngine for CpuEngine {
    fn path(&self) -> Path {
        Path::COPY_HOST
    }

    fn submit_copies(&self, jobs: &mut Vec<CopyJob>) {
        self.pool.submit(jobs.drain(..).map(|job| Task::Codec(CodecTask::copy(job))));
    }
}
