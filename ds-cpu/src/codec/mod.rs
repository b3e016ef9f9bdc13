//! Transforms on a pool: GDeflate by tiles, in parallel and as they arrive; the demo transform; the application's decoders.
//!
//! How a step is computed:
//!
//! 1. `gdeflate` takes the tiles that are complete, as [`ds_engine::gdeflate`] finds them;
//! 2. `fan` decodes them on as many threads as there are;
//! 3. `whole` has the transforms without tiles.

mod fan;
mod gdeflate;
mod whole;

use core::num::NonZeroUsize;
use std::sync::Arc;

use ds_core::{Done, Fault, Path, Transform};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, CustomDecoder, Engine, Finished, JobId, Sink, StartContext,
    StartError, contain,
};

use crate::copy::CopyTask;
use crate::pool::Pool;
use crate::work::{Turn, Work};
use fan::{Fans, Helper};

/// What codec tasks share.
pub(crate) struct Tools {
    workers: NonZeroUsize,
    decoders: Vec<(u8, Arc<dyn CustomDecoder>)>,
    fans: Fans,
}

impl Tools {
    pub(crate) fn new(workers: NonZeroUsize, decoders: Vec<(u8, Arc<dyn CustomDecoder>)>) -> Self {
        Self { workers, decoders, fans: Fans::default() }
    }

    pub(crate) fn supports(&self, transform: Transform) -> bool {
        match transform {
            Transform::None => false,
            Transform::GDeflate | Transform::FakeUppercase => true,
            Transform::Custom(number) => self.decoder(number).is_some(),
        }
    }

    fn decoder(&self, number: u8) -> Option<&dyn CustomDecoder> {
        self.decoders.iter().find(|(n, _)| *n == number).map(|(_, decoder)| &**decoder)
    }
}

/// What a codec pool does.
#[derive(Clone)]
pub(crate) struct CodecTask(Kind);

#[derive(Clone)]
enum Kind {
    Step(CodecJob),
    Help(Helper),
    Copy(CopyTask),
}

impl CodecTask {
    pub(crate) const fn step(job: CodecJob) -> Self {
        Self(Kind::Step(job))
    }

    pub(crate) const fn copy(job: CopyJob) -> Self {
        Self(Kind::Copy(CopyTask::new(job)))
    }
}

impl Work for CodecTask {
    type Tools = Tools;

    fn id(&self) -> Option<JobId> {
        match &self.0 {
            Kind::Step(job) => Some(job.id),
            Kind::Copy(task) if task.is_fresh() => Some(task.job.id),
            Kind::Help(_) | Kind::Copy(_) => None,
        }
    }

    fn is_short(&self) -> bool {
        match &self.0 {
            Kind::Step(_) | Kind::Help(_) => false,
            Kind::Copy(task) => task.is_short(),
        }
    }

    fn run(self, tools: &Tools, by: Path) -> Turn<Self> {
        match self.0 {
            Kind::Step(job) => run_step(&job, tools, by),
            Kind::Help(helper) => helper.run(&tools.fans, by).map(Kind::Help).map(Self),
            Kind::Copy(task) => task.run(by).map(Kind::Copy).map(Self),
        }
    }
}

fn run_step(job: &CodecJob, tools: &Tools, by: Path) -> Turn<CodecTask> {
    let mut path = Path::CODEC_CPU;
    let result = match (job.transform, job.from.host(), job.into.host()) {
        (Transform::None, ..) => Err(Fault::Unsupported("a codec step without a transform")),
        (_, None, _) | (_, _, None) => Err(Fault::Unsupported("the cpu codec reaches host memory only")),
        (Transform::GDeflate, Some(from), Some(into)) => {
            let fan = tools.fans.take();
            match fan.plan(|plan| gdeflate::plan(job, from, into, plan)) {
                Ok(None) => {
                    let helper = Helper::new(fan);
                    let helpers = helper.tiles().min(tools.workers.get()) - 1;
                    return Turn::Spread(CodecTask(Kind::Help(helper)), helpers);
                }
                Ok(Some(step)) => {
                    tools.fans.give_back(fan);
                    Ok(step)
                }
                Err(corrupt) => {
                    tools.fans.give_back(fan);
                    Err(Fault::Corrupt(corrupt))
                }
            }
        }
        (Transform::FakeUppercase, Some(from), Some(into)) => whole::uppercase(job, from, into),
        (Transform::Custom(number), Some(from), Some(into)) => {
            path = Path::CODEC_CUSTOM;
            match tools.decoder(number) {
                Some(decoder) => whole::custom(job, from, into, decoder),
                None => Err(Fault::Unsupported("no decoder is registered for this custom transform")),
            }
        }
    };
    Turn::Done(Finished { id: job.id, result: result.map(Done::Decoded), path: path | by })
}

/// Runs a decoder so that its panic fails one request and not the process's streaming. The panic hook has told what it was.
fn guarded<T>(panicked: &'static str, decode: impl FnOnce() -> T) -> Result<T, Fault> {
    // Of what the closures touch, output is unspecified after a failure, a `Decoder` carries nothing from one tile to the
    // next, and an application's decoder has to keep its own state sound under `Sync` anyway.
    contain(decode).map_err(|_| Fault::Unsupported(panicked))
}

/// The codec and copy engine on a pool of its own, threads `ds-codec-0`, `ds-codec-1`, ...
///
/// One step of a GDeflate request decodes the tiles that are complete, at most 64 MiB of output, on all threads at once; no
/// thread spends more than 16 tiles on it before it looks after others. Dropping the engine stops it.
pub struct CpuCodec {
    pool: Pool<CodecTask>,
}

impl CpuCodec {
    /// An engine that will have so many threads once started, with the application's decoders by the number they serve in
    /// [`Transform::Custom`]. If a number comes twice, the first counts.
    #[must_use]
    pub fn new(workers: NonZeroUsize, decoders: Vec<(u8, Arc<dyn CustomDecoder>)>) -> Self {
        Self { pool: Pool::new("ds-codec", workers, Tools::new(workers, decoders)) }
    }
}

// SAFETY: a job is a task of the pool, which runs a task once or answers it as cancelled. `whole` and `copy` touch what the
// job names during the task's turns and answer with the last. The tiles of a step are each claimed once and settled when
// their decoder is through with them, and the step is answered when all that were claimed are settled (`fan`). A step says
// that it produced what its tiles, `whole` or a decoder that reported success have written; bytes that a custom decoder
// leaves as they were have been initialised by whoever lent them.
unsafe impl Engine for CpuCodec {
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

impl CodecEngine for CpuCodec {
    fn path(&self) -> Path {
        Path::CODEC_CPU
    }

    fn supports(&self, transform: Transform) -> bool {
        self.pool.tools().supports(transform)
    }

    fn submit(&self, jobs: &mut Vec<CodecJob>) {
        self.pool.submit(jobs.drain(..).map(CodecTask::step));
    }
}

impl CopyEngine for CpuCodec {
    fn path(&self) -> Path {
        Path::COPY_HOST
    }

    fn submit_copies(&self, jobs: &mut Vec<CopyJob>) {
        self.pool.submit(jobs.drain(..).map(CodecTask::copy));
    }
}
