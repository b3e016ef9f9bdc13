//! What a measurement was taken on.

use std::thread;

use anyhow::Result;
use ds_bench::results::Machine;
use xshell::cmd;

use crate::workspace::Project;

/// Describes this machine; `name` overrides what documents call it.
pub(super) fn describe(project: &Project, name: Option<&str>) -> Result<Machine> {
    // Not there on every system, and not the same on every architecture.
    let info = project.sh.read_file("/proc/cpuinfo").unwrap_or_default();
    let cores = thread::available_parallelism()?.get();
    Ok(Machine {
        name: name.map_or_else(|| call(&info, cores), str::to_owned),
        cpu: field(&info, "model name").unwrap_or(std::env::consts::ARCH).to_owned(),
        cores,
        system: cmd!(project.sh, "uname -sr").quiet().read()?,
    })
}

/// Today, in UTC.
pub(super) fn date(project: &Project) -> Result<String> {
    Ok(cmd!(project.sh, "date -u +%F").quiet().read()?)
}

/// The commit that is checked out, with a `+` if files differ from it.
pub(super) fn commit(project: &Project) -> String {
    let sh = &project.sh;
    let read = |command: xshell::Cmd<'_>| command.quiet().ignore_stderr().read();
    match read(cmd!(sh, "git rev-parse --short=12 HEAD")) {
        Ok(commit) => {
            let clean = read(cmd!(sh, "git status --porcelain --untracked-files=no"))
                .is_ok_and(|changes| changes.is_empty());
            commit + if clean { "" } else { "+" }
        }
        Err(_) => "unknown".into(),
    }
}

/// A name made of what the kernel says about the processor.
fn call(info: &str, cores: usize) -> String {
    let is_virtual =
        field(info, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let kind = if is_virtual { "a virtual machine" } else { "a machine" };
    let cores = if cores == 1 { "one core".into() } else { format!("{cores} cores") };
    let cpu = field(info, "model name").unwrap_or(std::env::consts::ARCH);
    let megahertz = field(info, "cpu MHz").and_then(|value| value.parse::<f64>().ok());
    let speed = megahertz.map_or_else(String::new, |value| format!(" ({:.1} GHz)", value / 1000.0));
    format!("{kind} with {cores}: {cpu}{speed}")
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_called_by_its_processor() {
        let info =
            "processor\t: 0\nmodel name\t: AMD EPYC\ncpu MHz\t\t: 2596.130\nflags\t\t: fpu hypervisor lm\n";
        assert_eq!(call(info, 2), "a virtual machine with 2 cores: AMD EPYC (2.6 GHz)");
        assert!(call("", 1).starts_with("a machine with one core: "));
    }
}
