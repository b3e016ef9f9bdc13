//! Our own crates, as `cargo metadata` describes them.
//!
//! Checks ask this module rather than keep lists of their own, so that a new crate, feature or example is
//! checked from the day it is added.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::{Shell, cmd};

/// What every chore works with.
pub(crate) struct Project {
    /// Runs commands from the workspace root.
    pub(crate) sh: Shell,
    pub(crate) workspace: Workspace,
    /// Whether a run ends at its first failure, down to the single test.
    pub(crate) fail_fast: bool,
    /// Whether what a step built for itself alone goes when it has passed.
    pub(crate) tidy: bool,
}

impl Project {
    /// Opens the project this program was built from.
    pub(crate) fn open() -> Result<Self> {
        let sh = Shell::new()?;
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        sh.change_dir(here.parent().context("xtask lies at the root of the file system")?);
        crate::tools::extend_path(&sh)?;
        let workspace = Workspace::load(&sh)?;
        Ok(Self { sh, workspace, fail_fast: false, tidy: false })
    }
}

/// The workspace: its members in name order, and where things lie.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_default_members: Vec<String>,
    pub(crate) target_directory: PathBuf,
    pub(crate) workspace_root: PathBuf,
}

/// One member of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    pub(crate) rust_version: Option<String>,
    pub(crate) manifest_path: PathBuf,
    /// Each feature with what it switches on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
    pub(crate) dependencies: Vec<Dependency>,
    /// Registries it may go to: `None` is any, an empty list is `publish = false`.
    publish: Option<Vec<String>>,
}

/// Something Cargo builds out of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    kind: Vec<String>,
    #[serde(default)]
    crate_types: Vec<String>,
}

/// A package that another one takes.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or none where it is part of what is built.
    kind: Option<String>,
    /// Versions that will do: `*` where none is named.
    req: String,
}

impl Workspace {
    /// Asks Cargo about the workspace that holds this program's sources.
    pub(crate) fn load(sh: &Shell) -> Result<Self> {
        let json = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
        Self::parse(&json)
    }

    fn parse(json: &str) -> Result<Self> {
        let mut workspace: Self =
            serde_json::from_str(json).context("cannot read what `cargo metadata` said")?;
        workspace.packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(workspace)
    }

    /// Library crates that other people can depend on.
    pub(crate) fn published_libraries(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_published() && package.has_library())
    }

    /// Names of the programs `cargo run` can mean at the workspace root.
    pub(crate) fn default_binaries(&self) -> Vec<&str> {
        let is_default = |package: &&Package| self.workspace_default_members.contains(&package.id);
        self.packages
            .iter()
            .filter(is_default)
            .flat_map(|package| package.targets_of("bin"))
            .map(|target| target.name.as_str())
            .collect()
    }
}

impl Package {
    /// The folder that holds the package.
    pub(crate) fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or_else(|| Path::new(""))
    }

    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    pub(crate) fn has_library(&self) -> bool {
        self.targets_of("lib").next().is_some()
    }

    /// Targets of one kind: `lib`, `bin`, `example`.
    pub(crate) fn targets_of(&self, kind: &str) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |target| target.kind.iter().any(|k| k == kind))
    }

    /// Features a user chooses from: neither `default` nor private ones (`__name`).
    pub(crate) fn public_features(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str).filter(|name| *name != "default" && !name.starts_with("__"))
    }

    /// Whether switching `feature` on switches `wanted` on.
    pub(crate) fn implies(&self, feature: &str, wanted: &str) -> bool {
        // Cargo refuses features that name each other in a circle, so this ends.
        feature == wanted
            || self
                .features
                .get(feature)
                .is_some_and(|list| list.iter().any(|next| self.implies(next, wanted)))
    }
}

impl Target {
    /// Whether it can be run; an example may also be a library that others open.
    pub(crate) fn is_program(&self) -> bool {
        self.crate_types.iter().any(|kind| kind == "bin")
    }
}

impl Dependency {
    /// Whether the package of whoever takes it names it. Of what only tests need, Cargo leaves out what has no version.
    pub(crate) fn is_packaged(&self) -> bool {
        self.kind.as_deref() != Some("dev") || self.req != "*"
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    impl Package {
        /// Adds a dependency, as Cargo tells of it.
        pub(crate) fn depend_on(&mut self, name: &str, kind: Option<&str>, requirement: &str) {
            let (name, kind, req) = (name.into(), kind.map(str::to_owned), requirement.into());
            self.dependencies.push(Dependency { name, kind, req });
        }
    }

    /// A workspace of three crates: a library with features, a program, and one that is not published.
    pub(crate) fn sample() -> Workspace {
        Workspace::parse(include_str!("workspace/sample.json")).unwrap()
    }

    #[test]
    fn members_come_in_name_order() {
        let names: Vec<_> = sample().packages.into_iter().map(|package| package.name).collect();
        assert_eq!(names, ["ds-cli", "ds-core", "xtask"]);
    }

    #[test]
    fn published_libraries_leave_out_programs_and_chores() {
        let workspace = sample();
        let names: Vec<_> = workspace.published_libraries().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["ds-core"]);
    }

    #[test]
    fn default_binaries_are_those_of_default_members() {
        assert_eq!(sample().default_binaries(), ["ds"]);
    }

    #[test]
    fn private_features_are_not_offered() {
        let workspace = sample();
        let core = &workspace.packages[1];
        assert_eq!(core.public_features().collect::<Vec<_>>(), ["alloc", "sim", "std"]);
    }

    #[test]
    fn features_imply_what_they_reach() {
        let workspace = sample();
        let core = &workspace.packages[1];
        assert!(core.implies("sim", "std"));
        assert!(core.implies("sim", "alloc"));
        assert!(!core.implies("alloc", "std"));
    }
}
