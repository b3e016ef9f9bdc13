//! Of many times the one that counts.

use core::time::Duration;

/// Times, in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn push(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64());
    }

    /// The time that this share (0 to 1) of them does not exceed; not a number if there are none.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let mut samples = Samples::default();
        assert!(samples.median().is_nan());
        for millis in (1..=100).rev() {
            samples.push(Duration::from_millis(millis));
        }
        assert_eq!((samples.quantile(0.0), samples.median(), samples.quantile(0.99)), (0.001, 0.05, 0.099));
        assert_eq!((samples.quantile(1.0), samples.len()), (0.1, 100));
    }
}
