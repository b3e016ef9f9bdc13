//! The committed results of `ds bench gpu`, which documents quote. They are measured on a machine with a GPU, by
//! `ds bench gpu --output`, and copied here.
//!
//! [`table`] shows them.

pub(crate) mod table;

use anyhow::{Context as _, Result, ensure};
use ds_bench::gpu::{Results, SCHEMA};

use crate::workspace::Project;

/// The committed results.
pub(crate) const JSON: &str = "docs/bench/gpu.json";

/// The committed results.
///
/// # Errors
///
/// If they cannot be read, are of another version of their format, or are no GPU's.
pub(crate) fn committed(project: &Project) -> Result<Results> {
    let text = project.sh.read_file(JSON)?;
    parse(&text).with_context(|| JSON)
}

fn parse(text: &str) -> Result<Results> {
    let results: Results = serde_json::from_str(text)?;
    ensure!(results.schema == SCHEMA, "is of format {}, not {SCHEMA}", results.schema);
    ensure!(!results.device.software, "{} is software: its figures are not a GPU's", results.device.name);
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Results of nothing, of such a device.
    pub(super) fn results(software: bool) -> String {
        format!(
            r#"{{"schema": "{SCHEMA}", "date": "2026-11-21", "command": "ds bench gpu", "version": "0.1.0",
            "machine": {{"name": "a machine", "cpu": "a processor", "cores": 16, "system": "Linux"}},
            "device": {{"name": "A GPU", "kind": "discrete", "software": {software}, "driver": "A driver 1", "api": "1.4",
            "uuid": "0", "subgroup_sizes": [32, 32], "decoder": "32 lanes", "transfer_queue": true, "host_import": true,
            "interrupted_processors": []}},
            "rival": {{"not_measured": {{"why": "it is a test"}}}}, "content": "a pack", "size": 1, "rounds": 15}}"#
        )
    }

    #[test]
    fn software_is_no_gpu() {
        assert_eq!(parse(&results(false)).unwrap().device.name, "A GPU");
        let refused = parse(&results(true)).unwrap_err().to_string();
        assert!(refused.contains("A GPU is software"), "{refused}");
        let older = results(false).replace(SCHEMA, "ds-runtime/bench-gpu/0");
        assert!(parse(&older).unwrap_err().to_string().contains("bench-gpu/0"));
    }
}
