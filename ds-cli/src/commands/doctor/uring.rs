//! Whether io_uring can be had, found out by making a ring, and what this kernel can do with one.

use std::fs;

use ds_runtime::{StartError, UringFeatures, UringReport, probe_uring};
use serde_json::Value;

use super::Fact;

/// What asking for a ring came to.
pub(super) struct Uring {
    /// `/proc/sys/kernel/io_uring_disabled`: 0 for all, 1 for the privileged, 2 for nobody.
    disabled: Option<u8>,
    ring: Result<UringReport, StartError>,
    /// What it could use as well, if asked.
    optional: UringFeatures,
}

pub(super) fn probe() -> Uring {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    let disabled = disabled.and_then(|text| text.trim().parse().ok());
    let ring = probe_uring(UringFeatures::DEFAULT);
    // One by one: some exclude others.
    let is_granted = |&feature: &UringFeatures| {
        probe_uring(UringFeatures::DEFAULT | feature).is_ok_and(|report| report.features.contains(feature))
    };
    let wanted = (UringFeatures::ALL - UringFeatures::DEFAULT).each();
    let optional = wanted.filter(is_granted).fold(UringFeatures::NONE, |all, one| all | one);
    Uring { disabled, ring, optional }
}

impl Uring {
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![Fact::new("disabled_sysctl", self.disabled.map_or(Value::Null, Value::from))];
        match &self.ring {
            Ok(report) => {
                facts.push(Fact::new("available", true));
                facts.push(features("features", report.features));
                facts.push(features("optional", self.optional));
                facts.push(features("missing", UringFeatures::ALL - report.features - self.optional));
            }
            Err(refused) => {
                facts.push(Fact::shown("available", false, format!("no: {refused}")));
                facts.push(Fact::new("reason", refused.to_string()));
            }
        }
        facts
    }
}

fn features(key: &'static str, features: UringFeatures) -> Fact {
    Fact::shown(key, features.names().collect::<Vec<_>>(), features.to_string())
}
