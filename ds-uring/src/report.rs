//! What an engine got.

use core::fmt;
use core::num::NonZeroUsize;

use ds_engine::Warning;
use rustix::io::Errno;

use crate::features::Features;

/// How an engine was set up in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Rings there are.
    pub rings: NonZeroUsize,
    /// Operations each can have in the kernel at once.
    pub depth: NonZeroUsize,
    /// What the kernel granted of what was asked for, and all rings still have.
    pub features: Features,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rings = if self.rings == NonZeroUsize::MIN { "ring" } else { "rings" };
        write!(f, "{} {rings} of depth {}, features {}", self.rings, self.depth, self.features)
    }
}

/// What there is to warn of, each once.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    filed: Vec<&'static str>,
    /// Those that nobody has been told of.
    news: Vec<Warning>,
}

impl Complaints {
    pub(crate) fn file(&mut self, what: &'static str, errno: Errno) {
        if !self.filed.contains(&what) {
            self.filed.push(what);
            self.news.push(Warning { engine: "uring", what, errno: errno.raw_os_error() });
        }
    }

    /// A feature cannot be had. If nobody asked for it on purpose, nobody need be told.
    pub(crate) fn go_without(&mut self, feature: Features, errno: Errno) {
        if let Some(regret) = feature.regret() {
            self.file(regret, errno);
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Warning> {
        core::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_line() {
        let report = |rings| Report {
            rings: NonZeroUsize::new(rings).unwrap(),
            depth: NonZeroUsize::new(8).unwrap(),
            features: Features::SQPOLL,
        };
        assert_eq!(report(1).to_string(), "1 ring of depth 8, features sqpoll");
        assert_eq!(report(3).to_string(), "3 rings of depth 8, features sqpoll");
    }

    #[test]
    fn each_is_told_once_and_what_costs_nothing_is_not_missed() {
        let mut complaints = Complaints::default();
        for _ in 0..2 {
            complaints.go_without(Features::UNCACHED, Errno::OPNOTSUPP);
            complaints.go_without(Features::NO_SQARRAY, Errno::INVAL);
        }
        assert_eq!(complaints.take().len(), 1);
        complaints.go_without(Features::UNCACHED, Errno::OPNOTSUPP);
        assert!(complaints.take().is_empty());
        assert!((Features::ALL - Features::DEFAULT).each().all(|feature| feature.regret().is_some()));
    }
}
