//! Whether io_uring can be had, found out by making a ring.

use std::fs;
use std::io;

use io_uring::{IoUring, Probe, opcode};
use serde_json::Value;

use super::Fact;

/// What asking for a ring came to.
pub(super) struct Uring {
    /// `/proc/sys/kernel/io_uring_disabled`: 0 for all, 1 for the privileged, 2 for nobody.
    disabled: Option<u8>,
    ring: io::Result<Vec<&'static str>>,
}

pub(super) fn probe() -> Uring {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    Uring { disabled: disabled.and_then(|text| text.trim().parse().ok()), ring: operations() }
}

/// The operations a streaming engine uses, as far as this kernel has them.
fn operations() -> io::Result<Vec<&'static str>> {
    let ring = IoUring::new(2)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let wanted = [
        ("read", opcode::Read::CODE),
        ("read_fixed", opcode::ReadFixed::CODE),
        ("write", opcode::Write::CODE),
        ("fsync", opcode::Fsync::CODE),
        ("async_cancel", opcode::AsyncCancel::CODE),
        ("timeout", opcode::Timeout::CODE),
        ("msg_ring", opcode::MsgRingData::CODE),
    ];
    Ok(wanted.into_iter().filter_map(|(name, code)| probe.is_supported(code).then_some(name)).collect())
}

impl Uring {
    /// Why there is no ring, or nothing if there is one.
    pub(super) fn refusal(&self) -> Option<String> {
        let error = self.ring.as_ref().err()?;
        Some(match (error.raw_os_error().map(rustix::io::Errno::from_raw_os_error), self.disabled) {
            (_, Some(2)) => "kernel.io_uring_disabled is 2: switched off for everybody".into(),
            (_, Some(1)) => "kernel.io_uring_disabled is 1: for privileged processes only".into(),
            (Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS), _) => {
                "a sandbox forbids it (containers often do)".into()
            }
            (Some(rustix::io::Errno::NOSYS), _) => {
                "the kernel was built without it, or is older than 5.1".into()
            }
            _ => error.to_string(),
        })
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![Fact::new("disabled_sysctl", self.disabled.map_or(Value::Null, Value::from))];
        match (&self.ring, self.refusal()) {
            (Ok(operations), _) => {
                facts.push(Fact::new("available", true));
                facts.push(Fact::shown("operations", operations.clone(), operations.join(" ")));
            }
            (Err(_), refusal) => {
                let reason = refusal.unwrap_or_default();
                facts.push(Fact::shown("available", false, format!("no: {reason}")));
                facts.push(Fact::new("reason", reason));
            }
        }
        facts
    }
}
