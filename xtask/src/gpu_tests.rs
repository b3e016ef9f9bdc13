//! The Vulkan tests as programs to be carried to a machine that has a GPU and no toolchain.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::cmd;

use crate::workspace::Project;

/// What runs there: every test of ds-vulkan, and of the runtime what is about devices.
const PACKAGES: [(&str, &[&str]); 2] =
    [("ds-vulkan", &["--lib", "--tests"]), ("ds-runtime", &["--test", "vulkan", "--test", "registered"])];

/// Where the vectors are that one of them reads.
const VECTORS: &str = "ds-gdeflate/tests/vectors";

/// A script that runs these, whatever fails. It names them: what else lies in the folder may be an earlier version's.
fn script(tests: &[String]) -> String {
    SCRIPT.replace("TESTS", &tests.join(" "))
}

const SCRIPT: &str = r#"#!/bin/sh
# Runs the Vulkan tests on this machine's device; see docs/vulkan.md for the variables that they heed.
# Arguments go to every test program: `--nocapture`, or part of a test's name.
# A program that takes longer than DS_LIMIT seconds (300 unless told) is ended, and what it was doing is told.
cd "$(dirname "$0")" || exit 1
export DS_REQUIRE_VULKAN=1 DS_VECTORS="$PWD/vectors"
limit=${DS_LIMIT:-300}

# What each thread of a process is doing: its name, what it waits for, its system call, or "running"; stacks where there is a debugger.
threads() {
    for task in "/proc/$1/task"/*; do
        echo "  $(cat "$task/comm"): $(cat "$task/wchan" 2>&1) $(cat "$task/syscall" 2>&1)"
    done
    if command -v gdb >/dev/null; then gdb -p "$1" -batch -ex "thread apply all backtrace" 2>&1; fi
}

# Runs a program. One that hangs is not to hide what the others find: it ends after the limit, as 124.
limited() {
    "$@" &
    program=$!
    (
        # Looked at each second, lest a sleep outlive the run.
        left=$limit
        while [ "$left" -gt 0 ] && kill -0 "$program" 2>/dev/null; do
            sleep 1
            left=$((left - 1))
        done
        kill -0 "$program" 2>/dev/null || exit 0
        echo "HANGS: after $limit s these are the threads of $*"
        threads "$program"
        kill -KILL "$program"
        exit 124
    ) &
    watch=$!
    wait "$program"
    status=$?
    wait "$watch" || status=$?
    return "$status"
}

failed=
for test in TESTS; do
    echo "== $test"
    limited "tests/$test" "$@"
    status=$?
    if [ "$status" = 124 ]; then
        echo "== $test, one test after the other"
        for name in $("tests/$test" --list --format terse "$@" | sed -n 's/: test$//p'); do
            limited "tests/$test" --exact "$name" || failed="$failed $name($?)"
        done
    fi
    [ "$status" = 0 ] || failed="$failed $test($status)"
done
if [ -n "$failed" ]; then
    echo "FAILED:$failed"
    exit 1
fi
echo "all passed"
"#;

/// Builds the tests and puts them into `folder`, with what they read and a script that runs them.
///
/// # Errors
///
/// When something does not build, or the folder cannot be written.
pub(crate) fn write(project: &Project, folder: &Path) -> Result<()> {
    let folder = &std::path::absolute(folder)?;
    let tests = folder.join("tests");
    fs::create_dir_all(&tests).with_context(|| format!("cannot make {}", tests.display()))?;
    let mut names = Vec::new();
    for (package, targets) in PACKAGES {
        for Program { target, executable } in build(project, package, targets)? {
            let name = if target.kind.iter().any(|kind| kind == "lib") { "unit" } else { &target.name };
            let name = format!("{package}-{name}");
            let into = tests.join(&name);
            fs::copy(&executable, &into).with_context(|| format!("cannot write {}", into.display()))?;
            // A quarter of the size, and the names in backtraces stay.
            cmd!(project.sh, "strip --strip-debug {into}").quiet().run()?;
            names.push(name);
        }
    }
    let vectors = folder.join("vectors");
    fs::create_dir_all(&vectors)?;
    for entry in fs::read_dir(project.workspace.workspace_root.join(VECTORS))? {
        let entry = entry?;
        fs::copy(entry.path(), vectors.join(entry.file_name()))?;
    }
    let run = folder.join("run.sh");
    fs::write(&run, script(&names))?;
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755))?;
    println!("{} test programs: carry {} and run {}", names.len(), folder.display(), run.display());
    Ok(())
}

/// Builds a package's tests.
fn build(project: &Project, package: &str, targets: &[&str]) -> Result<Vec<Program>> {
    let sh = &project.sh;
    let format = ["--no-run", "--message-format", "json-render-diagnostics"];
    let said = cmd!(sh, "cargo test --package {package} --all-features {targets...} {format...}").read()?;
    programs(&said)
}

/// The test programs that Cargo says it has built.
fn programs(said: &str) -> Result<Vec<Program>> {
    let messages = said.lines().map(serde_json::from_str);
    let messages: Vec<Message> = messages.collect::<Result<_, _>>().context("cannot read what Cargo said")?;
    Ok(messages
        .into_iter()
        .filter_map(|message| match message {
            Message { profile: Some(Profile { test: true }), target: Some(target), executable } => {
                Some(Program { target, executable: executable? })
            }
            _ => None,
        })
        .collect())
}

/// A test program.
#[derive(Debug)]
struct Program {
    target: Target,
    executable: PathBuf,
}

/// The part we read of what Cargo says.
#[derive(Deserialize)]
struct Message {
    profile: Option<Profile>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_of_the_tests_that_were_built() {
        let text = script(&["ds-vulkan-unit".into(), "ds-vulkan-mutants".into()]);
        assert!(text.contains("for test in ds-vulkan-unit ds-vulkan-mutants; do"), "{text}");
    }

    #[test]
    fn a_program_that_hangs_is_told_with_its_threads_and_hides_nothing() {
        let folder = std::env::temp_dir().join(format!("gpu-tests-{}", std::process::id()));
        let tests = folder.join("tests");
        fs::create_dir_all(&tests).unwrap();
        let hangs = r#"case "$*" in *--list*) echo "good: test"; echo "bad: test";; *good) echo "good runs";; *) exec sleep 60;; esac"#;
        for (path, text) in [
            (tests.join("hangs"), hangs),
            (tests.join("fails"), "exit 3"),
            (tests.join("passes"), "echo \"passes: $*\""),
            (folder.join("run.sh"), script(&["hangs".into(), "fails".into(), "passes".into()]).as_str()),
        ] {
            let text = if text.starts_with("#!") { text.into() } else { format!("#!/bin/sh\n{text}\n") };
            // By another process: a child that another test starts meanwhile would have it open for writing, and then it cannot run.
            let write = r#"printf %s "$2" > "$1" && chmod 755 "$1""#;
            let mut sh = std::process::Command::new("sh");
            assert!(sh.args(["-c", write, "sh"]).arg(&path).arg(&text).status().unwrap().success());
        }
        let mut run = std::process::Command::new("sh");
        let output = run.arg(folder.join("run.sh")).arg("--nocapture").env("DS_LIMIT", "3").output().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains("HANGS: after 3 s these are the threads of tests/hangs --nocapture\n  sleep: "),
            "{text}"
        );
        assert!(text.contains("good runs") && text.contains("passes: --nocapture"), "{text}");
        assert!(text.ends_with("FAILED: bad(124) hangs(124) fails(3)\n"), "{text}");
    }

    #[test]
    fn test_programs_are_found_among_what_cargo_says() {
        let said = r#"{"reason":"compiler-artifact","target":{"name":"ash","kind":["lib"]},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","target":{"name":"ds_vulkan","kind":["lib"]},"profile":{"test":true},"executable":"/t/ds_vulkan-1"}
{"reason":"compiler-artifact","target":{"name":"mutants","kind":["test"]},"profile":{"test":true},"executable":"/t/mutants-2"}
{"reason":"build-finished","success":true}"#;
        let found = programs(said).unwrap();
        let names: Vec<_> = found.iter().map(|program| program.target.name.as_str()).collect();
        assert_eq!(names, ["ds_vulkan", "mutants"]);
        assert_eq!(found[1].executable, Path::new("/t/mutants-2"));
    }
}
