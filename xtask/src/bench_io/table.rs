//! The results as tables of a document: what a reader compares, and no absolute figure but the rival's.

use std::fmt::Write as _;

use super::{Entry, Results};

/// Everything, with what it was taken of.
pub(crate) fn all(results: &Results) -> String {
    let Results { machine, date, commit, rounds, seconds, core_round_trip_ns: cores, .. } = results;
    let mut text = format!(
        "On {} ({}), {date}, at commit {commit}: medians of {rounds} rounds of {seconds} s. Reads per second over the \
         rival's in the same run; in brackets the CPU time per read, user and kernel, over its. From core to core and back a cache line took \
         {:.0} ns, {:.0} at the least.\n",
        machine.name, machine.system, cores.median, cores.min
    );
    for (batch, title) in [(false, "A depth is kept"), (true, "Batches are waited for")] {
        let entries: Vec<&Entry> = results.results.iter().filter(|entry| entry.cell.batch == batch).collect();
        text += &table(title, &entries);
    }
    text
}

/// A row for each cell, a column for each contestant; each cell's entries are together, and its rival is the first.
fn table(title: &str, entries: &[&Entry]) -> String {
    let mut rows = entries.chunk_by(|a, b| a.cell == b.cell).peekable();
    let Some(first) = rows.peek() else { return String::new() };
    let names: String = first.iter().map(|entry| format!(" `{}` |", entry.contestant)).collect();
    let mut text = format!("\n| {title} |{names}\n|---|{}\n", "---|".repeat(first.len()));
    for row in rows {
        let Some((rival, others)) = row.split_first() else { continue };
        let cells: String = others.iter().map(|entry| format!(" {} |", compared(entry, rival))).collect();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "| {} | {} |{cells}", name(rival), thousands(rival.run.iops));
    }
    text
}

fn name(entry: &Entry) -> String {
    let how = match (entry.cell.batch, entry.cell.depth) {
        (false, depth) => format!("{depth} in flight"),
        (true, 1) => "one at a time".into(),
        (true, depth) => format!("{depth} at a time"),
    };
    format!("{}, {how}", entry.cell.reads())
}

fn compared(entry: &Entry, rival: &Entry) -> String {
    if !entry.valid {
        return "invalid".into();
    }
    format!("{:.2} ({:.2})", entry.over_rival, entry.run.cpu_ns / rival.run.cpu_ns)
}

fn thousands(iops: f64) -> String {
    if iops < 10_000.0 { format!("{:.1} k/s", iops / 1e3) } else { format!("{:.0} k/s", iops / 1e3) }
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Run};
    use super::*;

    fn entry(cell: Cell, contestant: &str, iops: f64, valid: bool) -> Entry {
        let run = Run { iops, cpu_ns: 1e9 / iops, mean_depth: 1.0 };
        Entry { cell, contestant: contestant.into(), run, over_rival: iops / 1000.0, valid }
    }

    #[test]
    fn a_row_compares_with_its_own_rival() {
        let cell = Cell { block_bytes: 4096, direct: false, depth: 64, batch: true, cold: false };
        let single = Cell { depth: 1, direct: true, ..cell };
        let entries = [
            entry(cell, "pread", 1000.0, true),
            entry(cell, "cpu-1", 1500.0, true),
            entry(single, "pread", 1000.0, true),
            entry(single, "cpu-1", 500.0, false),
        ];
        let wanted = "\n| Title | `pread` | `cpu-1` |\n|---|---|---|\n\
            | 4 KiB hot, 64 at a time | 1.0 k/s | 1.50 (0.67) |\n\
            | 4 KiB O_DIRECT, one at a time | 1.0 k/s | invalid |\n";
        assert_eq!(table("Title", &entries.iter().collect::<Vec<_>>()), wanted);
        assert_eq!(table("Title", &[]), "");
        assert_eq!(thousands(612_345.0), "612 k/s");
    }
}
