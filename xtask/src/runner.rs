//! Runs named steps one after the other, and tells in the end how each went.

use core::time::Duration;
use std::time::Instant;

use anyhow::Result;

use crate::tools::{self, Provision, Tool};
use crate::workspace::Project;

/// One check of the project.
pub(crate) struct Step {
    /// One word, as typed after `--only`.
    pub(crate) name: &'static str,
    /// What the step proves, in a line.
    pub(crate) about: &'static str,
    pub(crate) needs: &'static [&'static Tool],
    /// Folders below the target directory that no other step builds in.
    pub(crate) builds: &'static [&'static str],
    pub(crate) run: fn(&Project) -> Result<Ending>,
}

/// How a step that did not fail came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Passed,
    /// Left undone for this reason, which is no fault of the project.
    Skipped(String),
}

#[derive(Debug)]
enum Verdict {
    Ended(Ending),
    Failed(String),
    /// Not begun: these tools are missing.
    Missing(String),
    /// Not begun: an earlier step failed and the run was to stop there.
    NotReached,
}

struct Record {
    name: &'static str,
    verdict: Verdict,
    took: Duration,
}

/// Provides what `steps` need, runs them all and prints a table.
///
/// Returns whether every step passed or was skipped. A step without the tools it requires counts as failed: a
/// run that left something out for want of them must not look like a run that checked it.
pub(crate) fn run(project: &Project, steps: &[&Step], provision: Provision) -> Result<bool> {
    let begun = Instant::now();
    // A step that must go without says so in its place; the others run.
    let _ = tools::provide(&project.sh, &needs(steps), provision);
    let provided = begun.elapsed();

    let mut records: Vec<Record> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let stop = project.fail_fast && records.iter().any(|record| record.verdict.is_failure());
        let begun = Instant::now();
        let verdict = if stop {
            Verdict::NotReached
        } else if let Some(verdict) = unequipped(project, step) {
            verdict
        } else {
            println!("\n==> {}/{} {}: {}", index + 1, steps.len(), step.name, step.about);
            match (step.run)(project).and_then(|ending| tidied(project, step, ending)) {
                Ok(ending) => Verdict::Ended(ending),
                Err(error) => Verdict::Failed(format!("{error:#}")),
            }
        };
        records.push(Record { name: step.name, verdict, took: begun.elapsed() });
        if let Some(last) = records.last() {
            println!("{}", row(last));
        }
    }

    print!("\n{}", summary(provided, &records));
    Ok(!records.iter().any(|record| record.verdict.is_failure()))
}

/// Removes what a step that did not fail has built for itself alone, if the run is to be tidy.
fn tidied(project: &Project, step: &Step, ending: Ending) -> Result<Ending> {
    if project.tidy {
        for folder in step.builds {
            project.sh.remove_path(project.workspace.target_directory.join(folder))?;
        }
    }
    Ok(ending)
}

/// What becomes of a step that lacks tools.
fn unequipped(project: &Project, step: &Step) -> Option<Verdict> {
    let names = tools::missing(&project.sh, step.needs)?;
    let required: Vec<_> = step.needs.iter().copied().filter(|tool| tool.is_required()).collect();
    Some(match tools::missing(&project.sh, &required) {
        Some(names) => Verdict::Missing(names),
        None => Verdict::Ended(Ending::Skipped(format!("without {names}"))),
    })
}

/// Every tool that one of `steps` needs, each once.
pub(crate) fn needs(steps: &[&Step]) -> Vec<&'static Tool> {
    let mut needs: Vec<&Tool> = Vec::new();
    for &tool in steps.iter().flat_map(|step| step.needs) {
        if !needs.iter().any(|known| known.name == tool.name) {
            needs.push(tool);
        }
    }
    needs
}

impl Verdict {
    const fn is_failure(&self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

fn row(record: &Record) -> String {
    let (word, note) = match &record.verdict {
        Verdict::Ended(Ending::Passed) => ("passed", ""),
        Verdict::Ended(Ending::Skipped(why)) => ("SKIPPED", why.as_str()),
        Verdict::Failed(why) => ("FAILED", why.as_str()),
        Verdict::Missing(names) => ("MISSING", names.as_str()),
        Verdict::NotReached => ("not run", ""),
    };
    format!("{:<12} {word:<8} {:>7.1} s  {note}", record.name, record.took.as_secs_f64())
        .trim_end()
        .to_owned()
}

fn summary(provided: Duration, records: &[Record]) -> String {
    let total = provided + records.iter().map(|record| record.took).sum::<Duration>();
    let count =
        |wanted: fn(&Verdict) -> bool| records.iter().filter(|record| wanted(&record.verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Ended(Ending::Passed)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Ended(Ending::Skipped(_))));
    let failed = count(Verdict::is_failure);

    let mut lines = vec![format!("{:<12} {:<8} {:>9}", "step", "result", "time")];
    lines.push(format!("{:<12} {:<8} {:>7.1} s", "(tools)", "", provided.as_secs_f64()));
    lines.extend(records.iter().map(row));
    lines.push(format!("{:<12} {:<8} {:>7.1} s", "total", "", total.as_secs_f64()));
    lines.push(String::new());
    lines.push(format!("steps: {passed} passed, {failed} failed, {skipped} skipped"));
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &'static str, verdict: Verdict) -> Record {
        Record { name, verdict, took: Duration::from_millis(1500) }
    }

    #[test]
    fn summary_counts_what_could_not_run_as_failed() {
        let records = [
            record("fmt", Verdict::Ended(Ending::Passed)),
            record("advisories", Verdict::Ended(Ending::Skipped("no database".into()))),
            record("test", Verdict::Failed("exit code 101".into())),
            record("valgrind", Verdict::Missing("valgrind".into())),
            record("docs", Verdict::NotReached),
        ];
        let text = summary(Duration::from_secs(1), &records);
        assert!(text.ends_with("\nsteps: 1 passed, 3 failed, 1 skipped\n"), "{text}");
        assert!(text.contains("total                     8.5 s"), "{text}");
        assert!(text.contains("advisories   SKIPPED      1.5 s  no database"), "{text}");
    }
}
