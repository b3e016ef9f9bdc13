//! What a measurement was taken on, and when.

use std::fs::read_to_string;
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::results::Machine;

/// Describes this machine; `name` overrides what documents call it.
pub fn describe(name: Option<&str>) -> Machine {
    // Not there on every system, and not the same on every architecture.
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let release = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = available_parallelism().map_or(1, usize::from);
    Machine {
        name: name.map_or_else(|| call(&info, cores), str::to_owned),
        cpu: field(&info, "model name").unwrap_or(std::env::consts::ARCH).to_owned(),
        cores,
        system: format!("Linux {}", release.trim()),
    }
}

/// Today, in UTC, as `YYYY-MM-DD`.
pub fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(since.as_secs() / 86_400)
}

/// The date so many days after the first of January 1970.
fn date(days: u64) -> String {
    // Years that begin in March have their leap day last; 400 of them have 146 097 days, and the first such period began 719 468
    // days before 1970.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months from March on have 153 days, whichever five in a row.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) =
        (400 * era + year + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02}")
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

    #[test]
    fn a_name_that_is_given_replaces_that_alone() {
        let (ours, named) = (describe(None), describe(Some("the fast one")));
        assert_eq!(named.name, "the fast one");
        assert!(ours.name.contains(&ours.cpu), "{}", ours.name);
        assert_eq!((named.cpu, named.cores, &named.system), (ours.cpu, ours.cores, &ours.system));
        assert!(named.cores > 0 && named.system.len() > "Linux ".len(), "{}", named.system);
    }

    #[test]
    fn today_is_after_this_was_written_and_sorts_as_text() {
        assert!(("2025-01-01".into()..="9999-12-31".to_owned()).contains(&today()), "{}", today());
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, text) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (11_322, "2000-12-31"),
            (20_513, "2026-03-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(days), text);
        }
    }
}
