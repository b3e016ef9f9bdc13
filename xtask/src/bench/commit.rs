//! What a measurement was taken of.

use xshell::cmd;

use crate::workspace::Project;

/// The commit that is checked out, with a `+` if files differ from it.
pub(crate) fn current(project: &Project) -> String {
    let sh = &project.sh;
    let read = |command: xshell::Cmd<'_>| command.quiet().ignore_stderr().read();
    match read(cmd!(sh, "git rev-parse --short=12 HEAD")) {
        Ok(commit) => {
            let clean = read(cmd!(sh, "git status --porcelain --untracked-files=no"))
                .is_ok_and(|changes| changes.is_empty());
            commit + if clean { "" } else { "+" }
        }
        Err(_) => "unknown".into(),
    }
}
