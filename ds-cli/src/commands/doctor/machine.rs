//! Kernel, processor, memory and limits.

use std::fs;

use rustix::process::{Resource, getrlimit};
use serde_json::Value;

use super::Fact;
use crate::units;

pub(super) fn facts() -> Vec<Fact> {
    let uname = rustix::system::uname();
    let cores = std::thread::available_parallelism().map_or(Value::Null, |n| n.get().into());
    vec![
        Fact::new("kernel", uname.release().to_string_lossy().into_owned()),
        Fact::new("architecture", uname.machine().to_string_lossy().into_owned()),
        Fact::new("cores", cores),
        cpu_features(),
        Fact::new("page_size", rustix::param::page_size()),
        huge_pages(),
        limit("open_files_limit", Resource::Nofile, |n| n.to_string()),
        limit("locked_memory_limit", Resource::Memlock, units::bytes),
    ]
}

/// The features a decoder can make use of.
fn cpu_features() -> Fact {
    let features = detected();
    let text = if features.is_empty() { "none known to this program".into() } else { features.join(" ") };
    Fact::shown("cpu_features", features, text)
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vec<&'static str> {
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vbmi", is_x86_feature_detected!("avx512vbmi")),
    ];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(target_arch = "aarch64")]
fn detected() -> Vec<&'static str> {
    let all = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected() -> Vec<&'static str> {
    Vec::new()
}

/// Whether large buffers get huge pages: `always`, on request (`madvise`), or `never`.
fn huge_pages() -> Fact {
    let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok();
    let chosen = setting.as_deref().and_then(|text| text.split('[').nth(1)?.split(']').next());
    Fact::new("transparent_huge_pages", chosen.map_or(Value::Null, Value::from))
}

fn limit(key: &'static str, resource: Resource, show: fn(u64) -> String) -> Fact {
    let limit = getrlimit(resource);
    let show = |n: Option<u64>| n.map_or_else(|| "unlimited".to_owned(), show);
    let text = match (limit.current, limit.maximum) {
        (current, maximum) if current == maximum => show(current),
        (current, maximum) => format!("{} (can be raised to {})", show(current), show(maximum)),
    };
    Fact::shown(key, limit.current.map_or(Value::Null, Value::from), text)
}
