//! One submission at a time, timed by both clocks.

use core::time::Duration;
use std::time::Instant;

use super::Timing;
use super::queries::Queries;
use crate::device::Device;
use crate::device::queues::Queue;
use crate::device::timeline::Timeline;
use crate::engine::commands::{Commands, scope};
use crate::error::CallError;

/// Submits to a queue and waits, each time.
pub(super) struct Work {
    device: Device,
    queue: Queue,
    commands: Commands,
    done: Timeline,
    submitted: u64,
    queries: Option<Queries>,
}

impl Work {
    pub(super) fn new(device: &Device, queue: &Queue) -> Result<Self, CallError> {
        Ok(Self {
            device: device.clone(),
            queue: queue.clone(),
            commands: Commands::new(device, queue.family)?,
            done: Timeline::new(device)?,
            submitted: 0,
            queries: Queries::new(device, queue)?,
        })
    }

    /// Has the device do what `record` records, and waits for it.
    pub(super) fn run(&mut self, record: impl FnOnce(&mut Commands)) -> Result<(), CallError> {
        self.begin()?;
        record(&mut self.commands);
        self.finish().map(drop)
    }

    /// The same, timed.
    pub(super) fn time(&mut self, record: impl FnOnce(&mut Commands)) -> Result<Timing, CallError> {
        self.begin()?;
        match &self.queries {
            Some(queries) => {
                self.commands.reset_queries(queries.pool, Queries::COUNT);
                self.commands.timestamp(queries.pool, 0);
                record(&mut self.commands);
                self.commands.timestamp(queries.pool, 1);
            }
            None => record(&mut self.commands),
        }
        let wall = self.finish()?;
        let device = self.queries.as_ref().map(Queries::between).transpose()?;
        Ok(Timing { device, wall })
    }

    /// Begins after whatever the queue has been given, by whomever, and sees what that wrote.
    fn begin(&mut self) -> Result<(), CallError> {
        self.commands.begin()?;
        self.commands.barrier(scope::ALL, scope::ALL);
        Ok(())
    }

    /// Submits, and waits for the end.
    fn finish(&mut self) -> Result<Duration, CallError> {
        let after = self.done.at(self.submitted + 1);
        let start = Instant::now();
        self.commands.submit(&self.queue, &[], after)?;
        self.submitted += 1;
        self.done.wait(self.submitted)?;
        Ok(start.elapsed())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Only where waiting failed is anything under way, and then the device is lost, or this waits once more.
        if !self.device.is_lost() && !self.done.has_reached(self.submitted) {
            let _ = self.done.wait(self.submitted);
        }
    }
}
