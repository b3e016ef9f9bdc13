//! The public interface of the crates that others embed, as a committed list: a change to it shows in a patch, whether it
//! was meant or not.

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use crate::tools::{CARGO_PUBLIC_API, NIGHTLY, Tool};
use crate::workspace::Project;

/// What making a list takes. The compiler tells of interfaces in a form that is not stable yet.
pub(crate) const NEEDS: &[&Tool] = &[&NIGHTLY, &CARGO_PUBLIC_API];

/// Crates with a committed list.
const LISTED: &[&str] = &["ds-gdeflate"];

/// Fails, showing the difference, unless the lists are those of the code.
pub(crate) fn check(project: &Project) -> Result<()> {
    let mut changed = Vec::new();
    for name in LISTED {
        let (path, list) = (path(name), list(project, name)?);
        let committed = project.sh.read_file(&path)?;
        let (gone, new) = difference(&committed, &list);
        if committed != list {
            eprintln!("{path} is not the interface of {name}:");
            gone.iter().for_each(|line| eprintln!("- {line}"));
            new.iter().for_each(|line| eprintln!("+ {line}"));
            changed.push(*name);
        }
    }
    if !changed.is_empty() {
        bail!("the interface of {} has changed: `cargo xtask api` lists it anew", changed.join(", "));
    }
    Ok(())
}

/// Writes the lists.
pub(crate) fn write(project: &Project) -> Result<()> {
    for name in LISTED {
        let path = path(name);
        project.sh.write_file(&path, list(project, name)?)?;
        println!("wrote {path}");
    }
    Ok(())
}

fn path(name: &str) -> String {
    format!("docs/api/{name}.txt")
}

/// Every public item with all features on, one a line; blanket and automatic implementations left out.
fn list(project: &Project, name: &str) -> Result<String> {
    let toolchain = NIGHTLY.name;
    let list =
        cmd!(project.sh, "rustup run {toolchain} cargo public-api --package {name} --all-features -ss")
            .quiet()
            .read()
            .with_context(|| format!("cannot list the interface of {name}"))?;
    Ok(list + "\n")
}

/// The lines that only `old` has, and those that only `new` has.
fn difference<'a>(old: &'a str, new: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let only = |here: &'a str, there: &str| {
        here.lines().filter(|line| !there.lines().any(|other| other == *line)).collect()
    };
    (only(old, new), only(new, old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_what_one_side_has_alone() {
        assert_eq!(difference("a\nb\n", "b\nc\n"), (vec!["a"], vec!["c"]));
        assert_eq!(difference("a\n", "a\n"), (vec![], vec![]));
    }
}
