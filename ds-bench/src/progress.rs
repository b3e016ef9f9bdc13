//! How far a bench has come: a bar on a terminal, above which finished lines scroll; elsewhere the lines alone.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts the classes measured.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for `steps` steps.
    pub fn new(name: &str, steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta} left: {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    /// No bar; lines alone.
    pub fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Says what is measured now.
    pub fn begin(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
        self.0.tick();
    }

    /// Counts a step that is done.
    pub fn done(&self) {
        self.0.inc(1);
    }

    /// Prints a line of the result, to standard output.
    pub fn line(&self, line: impl AsRef<str>) {
        self.0.suspend(|| println!("{}", line.as_ref()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_and_the_bar_goes_with_its_owner() {
        let progress = Progress::new("decode", 3);
        let bar = progress.0.clone();
        progress.begin("mesh");
        assert_eq!((bar.prefix(), bar.message()), ("decode".into(), "mesh".into()));
        assert_eq!((bar.position(), bar.length()), (0, Some(3)), "begun is not done");
        progress.done();
        progress.done();
        assert_eq!((bar.position(), bar.is_finished()), (2, false));
        drop(progress);
        assert!(bar.is_finished(), "also of a bench that ended early");
    }

    #[test]
    fn a_hidden_bar_counts_for_nobody() {
        let progress = Progress::hidden();
        progress.begin("mesh");
        progress.done();
        assert!(progress.0.is_hidden() && progress.0.length().is_none());
    }
}
