//! Tests that change their whole process, or look at all of it, and so have one of their own.

use std::process::Command;

/// Says to a process that it is one for a single test.
const MARK: &str = "DS_TEST_ALONE";

/// Runs the test of that name again in a process of its own, with these variables set. Returns whether this is that process.
///
/// # Panics
/// If the test fails there.
pub(crate) fn alone(name: &str, variables: &[(&str, &str)]) -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", name, "--nocapture"]).env(MARK, "1").envs(variables.iter().copied());
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    if said.contains("SKIPPED") {
        eprintln!("{said}");
    }
    false
}
