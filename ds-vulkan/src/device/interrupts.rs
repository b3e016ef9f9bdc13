//! Which processors a device interrupts, and how to keep off them.
//!
//! When a submission is over the device interrupts a processor, and what the kernel does there then takes a while: 30 microseconds,
//! where that was measured (an H200 in a virtual machine). A thread that looks for something on just that processor is held up by it
//! each time, and the kernel moves no thread for that reason.

use core::fmt;
use std::fs;
use std::path::Path;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where a device is on the PCI bus. As text it is what the kernel calls it: `0000:01:00.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// The domain.
    pub domain: u32,
    /// The bus.
    pub bus: u32,
    /// The device.
    pub device: u32,
    /// The function.
    pub function: u32,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

/// Interrupts of a device, all together, from which on it shows which of them tell of submissions: drivers have several, and some fire only
/// when they start.
const TELLING: u64 = 256;
/// One of a device's interrupts that makes less than this part of what the most frequent one makes does not count.
const RARE: u64 = 16;

/// Processors that the device at that address interrupts, those first that it does most often; none if the kernel does not say, or it has
/// hardly interrupted anybody yet.
pub(super) fn processors(address: PciAddress) -> Vec<usize> {
    let device = Path::new("/sys/bus/pci/devices").join(address.to_string());
    processors_of(&device, Path::new("/proc/irq"), Path::new("/sys/kernel/irq"))
}

/// The same of a device's folder, where each interrupt has a folder in `routes` and in `counts`.
fn processors_of(device: &Path, routes: &Path, counts: &Path) -> Vec<usize> {
    let messages = fs::read_dir(device.join("msi_irqs")).into_iter().flatten().flatten();
    let mut numbers: Vec<_> = messages.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    if numbers.is_empty() {
        // One without messages has a line, or, as 0, none.
        let line = fs::read_to_string(device.join("irq")).unwrap_or_default();
        numbers.extend(Some(line.trim().to_owned()).filter(|line| line != "0"));
    }
    let text = |of: &Path, number, what| fs::read_to_string(of.join(number).join(what)).unwrap_or_default();
    let count = |number| -> u64 {
        let each = text(counts, number, "per_cpu_count");
        each.trim().split(',').filter_map(|count| count.parse::<u64>().ok()).sum()
    };
    let mut counted: Vec<_> = numbers.iter().map(|number| (count(number), number)).collect();
    counted.sort_unstable_by(|a, b| b.cmp(a));
    let most = counted.first().map_or(0, |&(most, _)| most);
    let mut found = Vec::new();
    if most < TELLING {
        return found;
    }
    for (_, number) in counted.into_iter().filter(|&(count, _)| count >= most / RARE) {
        for processor in parse(&text(routes, number, "effective_affinity_list")) {
            if !found.contains(&processor) {
                found.push(processor);
            }
        }
    }
    found
}

/// Numbers as the kernel lists them: `0,4-6`. What is none is left out.
fn parse(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse::<usize>().ok()?.min(CpuSet::MAX_CPU - 1))
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

/// Fewest processors to keep to: for an engine's threads and for who waits for them.
pub(super) const LEAST: u32 = 4;

/// Keeps the calling thread off these processors, the first of them first, as long as `least` others are left to it. Returns whether it is
/// kept off the first.
pub(super) fn keep_off(busy: &[usize], least: u32) -> bool {
    let Ok(mut mine) = sched_getaffinity(None) else { return false };
    let before = mine.count();
    for &processor in busy {
        if mine.is_set(processor) && mine.count() > least {
            mine.unset(processor);
        }
    }
    let moved = mine.count() == before || sched_setaffinity(None, &mine).is_ok();
    moved && busy.first().is_some_and(|&first| !mine.is_set(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn addresses_are_written_as_the_kernel_does() {
        let address = PciAddress { domain: 0, bus: 0x41, device: 6, function: 1 };
        assert_eq!(address.to_string(), "0000:41:06.1");
    }

    #[test]
    fn lists_are_numbers_and_ranges() {
        assert_eq!(parse("14\n"), [14]);
        assert_eq!(parse("0,4-6,9\n"), [0, 4, 5, 6, 9]);
        assert_eq!(parse("\n"), []);
        assert_eq!(parse("x,3,4-y,99999999999999999999"), [3]);
        assert_eq!(
            parse("1022-18446744073709551615"),
            [1022, 1023],
            "no list is longer than there are processors"
        );
    }

    #[test]
    fn every_message_counts_or_else_the_line() {
        let root = tempfile::tempdir().unwrap();
        let [device, routes, counts] = ["device", "routes", "counts"].map(|name| root.path().join(name));
        let found = || processors_of(&device, &routes, &counts);
        let interrupt = |number: u32, list, count: &str| {
            put(&routes.join(format!("{number}/effective_affinity_list")), list);
            put(&counts.join(format!("{number}/per_cpu_count")), count);
        };
        assert_eq!(found(), [], "a device that is not there");
        put(&device.join("irq"), "0\n");
        interrupt(0, "7\n", "9999\n");
        assert_eq!(found(), [], "no line");
        put(&device.join("irq"), "11\n");
        assert_eq!(found(), [], "a line of which nothing is said");
        interrupt(11, "3\n", "200,57\n");
        assert_eq!(found(), [3]);
        for (number, list) in [(40, "14"), (41, "2,14"), (42, "5")] {
            put(&device.join(format!("msi_irqs/{number}")), "msix\n");
            interrupt(number, list, "0,6,0\n");
        }
        assert_eq!(found(), [], "they have hardly been used");
        interrupt(40, "14", "0,1600,0\n");
        interrupt(41, "2,14", "0,0,99\n");
        interrupt(42, "5", "90,10,0\n");
        assert_eq!(found(), [14, 5], "one that is rare does not count, and the most frequent comes first");
    }

    #[test]
    fn a_thread_keeps_off_as_long_as_enough_is_left() {
        let mine = |set: &CpuSet| (0..CpuSet::MAX_CPU).filter(|&n| set.is_set(n)).collect::<Vec<_>>();
        let now = move || sched_getaffinity(None).map(|set| mine(&set)).unwrap_or_default();
        let test = move || {
            let all = now();
            assert!(!keep_off(&[], 1));
            assert!(!keep_off(&all, all.len() as u32));
            assert_eq!(now(), all, "too few would be left");
            let there_are_more = all.len() > 1;
            assert_eq!(keep_off(&all, 1), there_are_more);
            assert_eq!(now(), all[all.len().saturating_sub(1)..], "one is left, the last");
            assert_eq!(keep_off(&all[..1], 1), there_are_more, "it is off already");
        };
        std::thread::spawn(test).join().unwrap();
    }
}
