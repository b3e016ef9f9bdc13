//! The device's own clock.

use core::time::Duration;

use ash::vk;

use crate::device::Device;
use crate::device::queues::Queue;
use crate::error::CallError;

/// Two moments of a queue. Destroyed when dropped, by which time the device is through with them.
pub(super) struct Queries {
    device: Device,
    pub(super) pool: vk::QueryPool,
    /// Bits of a moment that count.
    mask: u64,
    nanoseconds_per_tick: f64,
}

impl Queries {
    /// Both moments.
    pub(super) const COUNT: u32 = 2;

    /// `None` if the queue has no clock, or is one that only transfers: such a queue cannot make queries ready.
    pub(super) fn new(device: &Device, queue: &Queue) -> Result<Option<Self>, CallError> {
        if queue.family != device.inner.queues.main().family {
            return Ok(None);
        }
        let bits = device.inner.timestamp_bits(queue.family);
        let Some(unused) = u64::BITS.checked_sub(bits).filter(|_| bits > 0) else { return Ok(None) };
        let create =
            vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(Self::COUNT);
        // SAFETY: the structure is complete.
        let pool = unsafe { device.inner.raw().create_query_pool(&create, None) };
        Ok(Some(Self {
            device: device.clone(),
            pool: pool.map_err(CallError::of("making a query pool"))?,
            mask: u64::MAX >> unused,
            nanoseconds_per_tick: device.inner.limits.timestamp_period.into(),
        }))
    }

    /// The time between both, once the device has passed them.
    pub(super) fn between(&self) -> Result<Duration, CallError> {
        let mut moments = [0_u64; Self::COUNT as usize];
        let flags = vk::QueryResultFlags::TYPE_64;
        // SAFETY: the pool has as many queries as there is room for.
        let got =
            unsafe { self.device.inner.raw().get_query_pool_results(self.pool, 0, &mut moments, flags) };
        self.device.inner.note("reading timestamps", got)?;
        Ok(elapsed(moments, self.mask, self.nanoseconds_per_tick))
    }
}

/// Clocks start over when their bits are used up.
fn elapsed(moments: [u64; 2], mask: u64, nanoseconds_per_tick: f64) -> Duration {
    let ticks = moments[1].wrapping_sub(moments[0]) & mask;
    Duration::from_nanos((ticks as f64 * nanoseconds_per_tick) as u64)
}

impl Drop for Queries {
    fn drop(&mut self) {
        // SAFETY: ours, and the device is through with it: see the type.
        unsafe { self.device.inner.raw().destroy_query_pool(self.pool, None) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_start_over_still_tell_the_time() {
        let mask = u64::MAX >> 28;
        assert_eq!(elapsed([100, 164], mask, 1.0), Duration::from_nanos(64));
        assert_eq!(elapsed([mask - 9, 54], mask, 0.5), Duration::from_nanos(32));
        assert_eq!(elapsed([u64::MAX, 0], u64::MAX, 32.0), Duration::from_nanos(32));
    }
}
