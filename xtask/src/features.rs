//! Which sets of features a package is built with.
//!
//! None, and each alone: a feature that leans on another without saying so shows, and the number of builds
//! grows with the features, not with their powerset.

use crate::workspace::Package;

/// Arguments for Cargo, one list for each set of features.
pub(crate) fn sets(package: &Package) -> Vec<Vec<&str>> {
    sets_where(package, |_| true)
}

/// As [`sets`], without the features that switch `excluded` on.
pub(crate) fn sets_without<'a>(package: &'a Package, excluded: &str) -> Vec<Vec<&'a str>> {
    sets_where(package, |feature| !package.implies(feature, excluded))
}

fn sets_where(package: &Package, allowed: impl Fn(&str) -> bool) -> Vec<Vec<&str>> {
    let none = vec!["--no-default-features"];
    let alone = package.public_features().filter(|feature| allowed(feature));
    let alone = alone.map(|feature| vec!["--no-default-features", "--features", feature]);
    core::iter::once(none).chain(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::sample;

    #[test]
    fn none_and_each_alone() {
        let workspace = sample();
        let sets: Vec<_> = sets(&workspace.packages[1]).iter().map(|set| set.join(" ")).collect();
        let alone = |feature| format!("--no-default-features --features {feature}");
        assert_eq!(sets, ["--no-default-features".into(), alone("alloc"), alone("sim"), alone("std")]);
    }

    #[test]
    fn features_that_need_std_are_left_out() {
        let workspace = sample();
        let sets = sets_without(&workspace.packages[1], "std");
        assert_eq!(
            sets,
            [vec!["--no-default-features"], vec!["--no-default-features", "--features", "alloc"]]
        );
    }

    #[test]
    fn a_package_without_features_has_one_set() {
        assert_eq!(sets(&sample().packages[0]).len(), 1);
    }
}
