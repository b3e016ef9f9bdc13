//! What is published must hold together: a package has its licences, depends on no crate that nobody can download, and
//! its sources name no file that stayed in the repository.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::workspace::{Package, Project};

/// Files that every package has.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// What a line of code says before the path of a file, which is relative to the folder of the line's own file.
const NAMES_A_FILE: [&str; 5] =
    ["#[path = \"", ", path = \"", "include!(\"", "include_str!(\"", "include_bytes!(\""];

/// Fails, naming each fault, unless all packages that would be published hold together.
pub(crate) fn check(project: &Project) -> Result<()> {
    let packages = &project.workspace.packages;
    let published: Vec<_> = packages.iter().filter(|package| package.is_published()).collect();
    let mut wrong = dependencies(packages);
    for package in &published {
        let name = &package.name;
        let list = cmd!(project.sh, "cargo package --list --allow-dirty --quiet --package {name}").quiet();
        let files: BTreeSet<PathBuf> = list.read()?.lines().map(PathBuf::from).collect();
        let mut faults = licences(&files);
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
            faults.extend(strays(file, &project.sh.read_file(package.dir().join(file))?, &files));
        }
        wrong.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }

    for line in &wrong {
        eprintln!("{line}");
    }
    ensure!(wrong.is_empty(), "{} faults of what would be published", wrong.len());
    println!("{} packages hold together", published.len());
    Ok(())
}

/// Returns a sentence for each dependency of a published crate without which nobody could download it.
fn dependencies(packages: &[Package]) -> Vec<String> {
    let unpublished: BTreeSet<_> =
        packages.iter().filter(|package| !package.is_published()).map(|package| &package.name).collect();
    let mut wrong = Vec::new();
    for package in packages.iter().filter(|package| package.is_published()) {
        let kept = package.dependencies.iter().filter(|dependency| dependency.is_packaged());
        for dependency in kept.filter(|dependency| unpublished.contains(&dependency.name)) {
            wrong.push(format!("{}: depends on {}, which is not published", package.name, dependency.name));
        }
    }
    wrong
}

fn licences(files: &BTreeSet<PathBuf>) -> Vec<String> {
    let missing = LICENCES.iter().filter(|name| !files.contains(Path::new(name)));
    missing.map(|name| format!("lacks {name}")).collect()
}

/// Returns a sentence for each file that the code of `file` names and that is not among the package's `files`.
fn strays(file: &Path, code: &str, files: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, number) in code.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with("//")) {
        let named = NAMES_A_FILE.iter().flat_map(|before| line.split(before).skip(1));
        for path in named.filter_map(|rest| Some(rest.split_once('"')?.0)) {
            let there = resolve(file, path).is_some_and(|path| files.contains(&path));
            if !there {
                wrong.push(format!("{}:{number}: {path} is not in the package", file.display()));
            }
        }
    }
    wrong
}

/// What `path` in `file` means, from the root of the package; `None` if it leads out of that.
fn resolve(file: &Path, path: &str) -> Option<PathBuf> {
    let mut resolved = file.parent()?.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::CurDir => {}
            Component::ParentDir => resolved.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::sample;

    fn files(names: &[&str]) -> BTreeSet<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_published_crate_needs_no_unpublished_one() {
        // In the sample ds-core takes xtask for its tests only, and ds-cli takes ds-core.
        let mut packages = sample().packages;
        assert_eq!(dependencies(&packages), [""; 0]);
        for (name, kind, requirement) in
            [("xtask", None, "*"), ("xtask", Some("build"), "^0.1.0"), ("xtask", Some("dev"), "^0.1.0")]
        {
            packages[0].depend_on(name, kind, requirement);
            assert_eq!(dependencies(&packages), ["ds-cli: depends on xtask, which is not published"]);
            packages[0].dependencies.pop();
        }
        packages[2].depend_on("xtask", None, "^0.1.0");
        assert_eq!(dependencies(&packages), [""; 0], "what is not published may need anything");
    }

    #[test]
    fn a_package_has_both_licences() {
        assert_eq!(licences(&files(&["LICENSE-APACHE", "LICENSE-MIT", "src/lib.rs"])), [""; 0]);
        assert_eq!(licences(&files(&["LICENSE-MIT"])), ["lacks LICENSE-APACHE"]);
    }

    #[test]
    fn files_that_stay_behind_are_named_with_the_line() {
        let code = "//! `#[path = \"../gone.rs\"]` in a comment names nothing.\n\
                    #[path = \"../../other/tests/common.rs\"]\n\
                    mod common;\n    \
                    #[path = \"kept.rs\"]\n    \
                    mod kept;\n\
                    #[cfg_attr(test, path = \"left.rs\")]\n\
                    mod chosen;\n\
                    const README: (&str, &[u8]) = (include_str!(\"../README.md\"), include_bytes!(\"/etc/x\"));\n";
        let there = files(&["tests/io.rs", "tests/kept.rs", "README.md"]);
        assert_eq!(
            strays(Path::new("tests/io.rs"), code, &there),
            [
                "tests/io.rs:2: ../../other/tests/common.rs is not in the package",
                "tests/io.rs:6: left.rs is not in the package",
                "tests/io.rs:8: /etc/x is not in the package",
            ]
        );
        // Present where it lies, but left out of the package.
        let fewer = files(&["tests/io.rs", "README.md"]);
        assert!(
            strays(Path::new("tests/io.rs"), code, &fewer)[1].ends_with(":4: kept.rs is not in the package")
        );
    }

    #[test]
    fn paths_are_followed_up_to_the_root_of_the_package() {
        let resolve = |path| resolve(Path::new("src/decode/efforts.rs"), path);
        assert_eq!(resolve("./a.rs"), Some("src/decode/a.rs".into()));
        assert_eq!(resolve("../../tests/support/a.rs"), Some("tests/support/a.rs".into()));
        assert_eq!(resolve("../../../tests/a.rs"), None);
        assert_eq!(resolve("/tests/a.rs"), None);
    }
}
