//! Requests the application decodes itself, fetched when it likes.

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;

use ds_core::{Corrupt, CorruptReason, DecodeStep, Done, Fault, OpId, Path, RequestId, Transform};
use ds_engine::{CodecJob, CustomError, Finished, HostBytes, JobId};

use crate::runtime::Shared;

/// A decoding step that waits for the application. Only whole inputs get here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CustomJob {
    pub(crate) id: JobId,
    request: RequestId,
    format: u8,
    input: HostBytes,
    output: HostBytes,
}

impl CustomJob {
    /// Accepts a step whose input is complete; says what to answer to one whose is not.
    pub(crate) fn new(job: CodecJob, request: RequestId) -> Result<Self, Finished> {
        let answer = |result| Finished { id: job.id, result, path: Path::CODEC_CUSTOM };
        let (Transform::Custom(format), Some(input), Some(output)) =
            (job.transform, job.from.host(), job.into.host())
        else {
            return Err(answer(Err(Fault::Unsupported("no engine computes this transform"))));
        };
        if job.available < input.len() as u64 {
            let step = DecodeStep { cursor: 0, produced: 0, wants: input.len() as u64, finished: false };
            return Err(answer(Ok(Done::Decoded(step))));
        }
        Ok(Self { id: job.id, request, format, input, output })
    }
}

/// A queue's decoding steps that the application is to do.
#[derive(Debug, Default)]
pub(crate) struct CustomJobs {
    /// Those it has not fetched.
    pub(crate) waiting: VecDeque<CustomJob>,
    /// Those it has not done, fetched or not.
    pub(crate) outstanding: u32,
}

impl CustomJobs {
    /// Takes a step back. Returns whether it was still waiting.
    pub(crate) fn withdraw(&mut self, op: OpId) -> bool {
        // Steps are mostly cancelled in the order they came, so the search is short.
        let at = self.waiting.iter().position(|job| job.id.op == op);
        at.and_then(|at| self.waiting.remove(at)).is_some()
    }
}

/// A request in the application's own format, for it to decode: see [`Queue::take_custom`](crate::Queue::take_custom). Dropping
/// it without [`finish`](Self::finish) fails the request.
pub struct CustomRequest {
    job: CustomJob,
    shared: Arc<Shared>,
    finished: bool,
}

impl CustomRequest {
    pub(crate) const fn new(job: CustomJob, shared: Arc<Shared>) -> Self {
        Self { job, shared, finished: false }
    }

    /// Which request.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.job.request
    }

    /// The number given to [`Request::custom`](crate::Request::custom).
    #[must_use]
    pub const fn format(&self) -> u8 {
        self.job.format
    }

    /// The bytes to decode.
    #[must_use]
    pub const fn input(&self) -> &[u8] {
        // SAFETY: the job has not been answered, so its memory is valid, and nobody writes its input.
        unsafe { self.job.input.as_slice() }
    }

    /// Where the decoded bytes go: as many as the request's uncompressed size.
    #[must_use]
    pub const fn output(&mut self) -> &mut [u8] {
        // SAFETY: the job has not been answered, so its memory is valid, and nobody else touches its output; the borrow of
        // `self` keeps it so.
        unsafe { self.job.output.as_mut_slice() }
    }

    /// Both at once.
    #[must_use]
    pub const fn parts(&mut self) -> (&[u8], &mut [u8]) {
        // SAFETY: as in `input`.
        let input = unsafe { self.job.input.as_slice() };
        // SAFETY: as in `output`; input and output are different memory.
        let output = unsafe { self.job.output.as_mut_slice() };
        (input, output)
    }

    /// Says that the output is complete, or why it is not.
    pub fn finish(mut self, result: Result<(), CustomError>) {
        self.answer(result.map_err(|CustomError(number)| {
            Fault::Corrupt(Corrupt {
                reason: CorruptReason::Custom,
                tile: None,
                position: 0,
                expected: 0,
                actual: number,
            })
        }));
    }

    fn answer(&mut self, result: Result<(), Fault>) {
        self.finished = true;
        let produced = self.job.output.len() as u64;
        let step = DecodeStep { cursor: 0, produced, wants: 0, finished: true };
        let result = result.map(|()| Done::Decoded(step));
        self.shared.complete(&[Finished { id: self.job.id, result, path: Path::CODEC_CUSTOM }]);
    }
}

impl Drop for CustomRequest {
    fn drop(&mut self) {
        if !self.finished {
            self.answer(Err(Fault::Unsupported("the application dropped the request without decoding it")));
        }
    }
}

impl fmt::Debug for CustomRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomRequest")
            .field("id", &self.job.request)
            .field("format", &self.job.format)
            .field("input", &self.job.input.len())
            .field("output", &self.job.output.len())
            .finish_non_exhaustive()
    }
}
