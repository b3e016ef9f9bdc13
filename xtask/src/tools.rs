//! Programs, targets and components the checks need: whether they are here, and how to get them.
//!
//! Cargo tools go to a cache folder of their own, one folder for each version, and are found after everything
//! already on `PATH`: a tool that a developer has installed is used as it is and never replaced. They are
//! built without optimisation: they run for a second, and optimising them takes minutes.

use core::fmt;
use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

/// Something a check cannot do without.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// What it is needed for, as the end of "needed ...".
    pub(crate) why: &'static str,
    source: Source,
}

/// Where a tool comes from, which also tells how to see whether it is here.
#[derive(Debug)]
enum Source {
    /// A Debian package of the tool's name with a program of that name.
    Debian,
    /// A Debian package of the tool's name with this program, or this file.
    DebianWith { file: &'static str },
    /// A part of the Rust toolchain that holds this file, relative to the folder of host-side libraries.
    Component { file: &'static str },
    /// The standard library for another target, of the tool's name.
    Target,
    /// A Rust toolchain of the tool's name, with these components besides the least that there is.
    Toolchain { components: &'static [&'static str] },
    /// A crate of the tool's name with a program of that name.
    Crate { version: &'static str, args: &'static [&'static str] },
}

pub(crate) static RUSTFMT: Tool = Tool {
    name: "rustfmt",
    why: "to check formatting",
    source: Source::Component { file: "../../../../bin/rustfmt" },
};
pub(crate) static CLIPPY: Tool = Tool {
    name: "clippy",
    why: "to lint the code",
    source: Source::Component { file: "../../../../bin/cargo-clippy" },
};
pub(crate) static LLVM_TOOLS: Tool = Tool {
    name: "llvm-tools",
    why: "to read coverage profiles",
    source: Source::Component { file: "../bin/llvm-profdata" },
};
pub(crate) static X86_64_NONE: Tool = Tool {
    name: "x86_64-unknown-none",
    why: "to build the no_std crates where there is no std to link by accident",
    source: Source::Target,
};
pub(crate) static THUMBV7EM: Tool = Tool {
    name: "thumbv7em-none-eabi",
    why: "to build the no_std crates for 32 bits, without 64-bit atomics",
    source: Source::Target,
};
pub(crate) static AARCH64_LINUX: Tool =
    Tool { name: "aarch64-unknown-linux-gnu", why: "to build tests for AArch64", source: Source::Target };
pub(crate) static AARCH64_GCC: Tool = Tool {
    name: "gcc-aarch64-linux-gnu",
    why: "to link tests for AArch64, and to compile the reference codec for it",
    source: Source::DebianWith { file: "aarch64-linux-gnu-gcc" },
};
pub(crate) static AARCH64_LIBC: Tool = Tool {
    name: "libc6-dev-arm64-cross",
    why: "to link tests for AArch64, and to run them",
    source: Source::DebianWith { file: "/usr/aarch64-linux-gnu/lib/libc.so" },
};
pub(crate) static QEMU_USER: Tool = Tool {
    name: "qemu-user",
    why: "to run tests for AArch64",
    source: Source::DebianWith { file: "qemu-aarch64" },
};
pub(crate) static THUMBV7EM_HARD_FLOAT: Tool = Tool {
    name: "thumbv7em-none-eabihf",
    why: "to build the example for a microcontroller",
    source: Source::Target,
};
pub(crate) static WASM32: Tool = Tool {
    name: "wasm32-unknown-unknown",
    why: "to build the no_std crates for WebAssembly",
    source: Source::Target,
};
pub(crate) static QEMU_ARM: Tool =
    Tool { name: "qemu-system-arm", why: "to run the example for a microcontroller", source: Source::Debian };
/// The first release of the workspace's `rust-version`.
pub(crate) static OLDEST_RUST: Tool = Tool {
    name: "1.89.0",
    why: "to build the crates with the oldest Rust they promise to support",
    source: Source::Toolchain { components: &[] },
};
/// A nightly that Miri and the sanitizers are known to work in, and whose description of interfaces our tool reads.
pub(crate) static NIGHTLY: Tool = Tool {
    name: "nightly-2026-10-30",
    why: "to run tests under Miri and the address sanitizer, to fuzz, and to list public interfaces",
    source: Source::Toolchain { components: &["miri", "rust-src"] },
};
pub(crate) static VALGRIND: Tool =
    Tool { name: "valgrind", why: "to run the demo under a memory checker", source: Source::Debian };
pub(crate) static FIO: Tool =
    Tool { name: "fio", why: "to measure file I/O beside it", source: Source::Debian };
/// A Vulkan device of software, for machines without one.
pub(crate) static MESA_VULKAN: Tool = Tool {
    name: "mesa-vulkan-drivers",
    why: "to run the Vulkan engine's tests and examples",
    source: Source::DebianWith {
        file: if cfg!(target_arch = "aarch64") {
            "/usr/share/vulkan/icd.d/lvp_icd.aarch64.json"
        } else {
            "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"
        },
    },
};
pub(crate) static VULKAN_LOADER: Tool = Tool {
    name: "libvulkan1",
    why: "to find Vulkan drivers",
    source: Source::DebianWith {
        file: if cfg!(target_arch = "aarch64") {
            "/usr/lib/aarch64-linux-gnu/libvulkan.so.1"
        } else {
            "/usr/lib/x86_64-linux-gnu/libvulkan.so.1"
        },
    },
};
pub(crate) static VULKAN_VALIDATION: Tool = Tool {
    name: "vulkan-validationlayers",
    why: "to see whether the Vulkan engine keeps to the rules",
    source: Source::DebianWith { file: "/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json" },
};
pub(crate) static GLSLANG: Tool = Tool {
    name: "glslang-tools",
    why: "to compile shaders",
    source: Source::DebianWith { file: "glslangValidator" },
};
pub(crate) static SPIRV_TOOLS: Tool = Tool {
    name: "spirv-tools",
    why: "to validate compiled shaders",
    source: Source::DebianWith { file: "spirv-val" },
};
pub(crate) static CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    why: "to check the licences, sources and advisories of dependencies",
    source: Source::Crate { version: "0.20.2", args: &["--no-default-features"] },
};
pub(crate) static CARGO_LLVM_COV: Tool = Tool {
    name: "cargo-llvm-cov",
    why: "to measure line coverage",
    source: Source::Crate { version: "0.9.1", args: &[] },
};
pub(crate) static CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    why: "to build the fuzz targets",
    source: Source::Crate { version: "0.13.2", args: &[] },
};
pub(crate) static CARGO_PUBLIC_API: Tool = Tool {
    name: "cargo-public-api",
    why: "to list public interfaces",
    source: Source::Crate { version: "0.52.0", args: &[] },
};

/// Every tool that is a crate.
static CRATES: &[&Tool] = &[&CARGO_DENY, &CARGO_LLVM_COV, &CARGO_FUZZ, &CARGO_PUBLIC_API];

/// Whether missing tools are installed or only told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provision {
    Install,
    ReportOnly,
}

impl Tool {
    /// Whether the tool can be used as things are.
    pub(crate) fn is_present(&self, sh: &Shell) -> bool {
        match self.source {
            Source::Debian | Source::Crate { .. } => is_on_path(sh, self.name),
            Source::DebianWith { file } => is_on_path(sh, file),
            Source::Component { file } => {
                target_libdir(sh, None).is_some_and(|libdir| libdir.join(file).exists())
            }
            Source::Target => target_libdir(sh, Some(self.name)).is_some_and(|libdir| libdir.exists()),
            Source::Toolchain { components } => {
                let name = self.name;
                // Asked for an absent toolchain, rustup would go and fetch it.
                let listed = cmd!(sh, "rustup toolchain list").quiet().ignore_stderr().read();
                listed.is_ok_and(|list| lists(&list, name))
                    && (components.is_empty() || {
                        let list = cmd!(sh, "rustup component list --installed --toolchain {name}");
                        let listed = list.quiet().ignore_stderr().read();
                        listed.is_ok_and(|list| components.iter().all(|component| lists(&list, component)))
                    })
            }
        }
    }

    /// Whether a check without this tool has failed, not merely been skipped: a second Rust is not to be had
    /// where the first did not come from rustup.
    pub(crate) const fn is_required(&self) -> bool {
        !matches!(self.source, Source::Toolchain { .. })
    }

    fn install(&self, sh: &Shell) -> Result<()> {
        let name = self.name;
        match self.source {
            Source::Debian | Source::DebianWith { .. } => install_debian(sh, name),
            Source::Component { .. } => {
                require_rustup(sh)?;
                Ok(cmd!(sh, "rustup component add {name}").run()?)
            }
            Source::Target => {
                require_rustup(sh)?;
                Ok(cmd!(sh, "rustup target add {name}").run()?)
            }
            Source::Toolchain { components } => {
                require_rustup(sh)?;
                let with = components.iter().flat_map(|component| ["--component", component]);
                Ok(cmd!(sh, "rustup toolchain install {name} --profile minimal {with...} --no-self-update")
                    .run()?)
            }
            Source::Crate { version, args } => {
                let root = crate_root(name, version)?;
                cmd!(sh, "cargo install --locked --quiet --root {root} --version {version} {args...} {name}")
                    .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
                    .env("CARGO_PROFILE_RELEASE_LTO", "off")
                    .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
                    .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                    .env_remove("CARGO_TARGET_DIR")
                    .run()?;
                Ok(())
            }
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.source {
            Source::Debian | Source::DebianWith { .. } => "Debian package",
            Source::Component { .. } => "Rust component",
            Source::Target => "Rust target",
            Source::Toolchain { .. } => "Rust toolchain",
            Source::Crate { version, .. } => return write!(f, "{} {version} (crate)", self.name),
        };
        write!(f, "{} ({kind})", self.name)
    }
}

/// Makes sure of `tools`, installing what is missing if allowed.
///
/// # Errors
///
/// Names the tools that are missing in the end.
pub(crate) fn provide(sh: &Shell, tools: &[&Tool], provision: Provision) -> Result<()> {
    for tool in tools.iter().filter(|tool| !tool.is_present(sh)) {
        match provision {
            Provision::ReportOnly => eprintln!("missing: {tool}, needed {}", tool.why),
            Provision::Install => {
                eprintln!("installing {tool}, needed {}", tool.why);
                if let Err(error) = tool.install(sh) {
                    eprintln!("cannot install {tool}: {error:#}");
                }
            }
        }
    }
    match missing(sh, tools) {
        None => Ok(()),
        Some(names) => bail!("missing: {names}"),
    }
}

/// The names of those of `tools` that are not here, if any.
pub(crate) fn missing(sh: &Shell, tools: &[&Tool]) -> Option<String> {
    let names: Vec<_> = tools.iter().filter(|tool| !tool.is_present(sh)).map(|tool| tool.name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Prints each tool with its state; returns whether all are here in the end.
pub(crate) fn report(sh: &Shell, tools: &[&Tool], install: bool) -> bool {
    if install {
        // What could not be installed has been told of, and shows in the list below.
        let _ = provide(sh, tools, Provision::Install);
    }
    for tool in tools {
        let state = if tool.is_present(sh) { "here   " } else { "MISSING" };
        println!("{state}  {:42} {}", tool.to_string(), tool.why);
    }
    missing(sh, tools).is_none()
}

/// Puts the folders that [`Provision::Install`] installs Cargo tools to at the end of `PATH`.
pub(crate) fn extend_path(sh: &Shell) -> Result<()> {
    let old = sh.var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = env::split_paths(&old).collect();
    for tool in CRATES {
        if let Source::Crate { version, .. } = tool.source {
            dirs.push(crate_root(tool.name, version)?.join("bin"));
        }
    }
    sh.set_var("PATH", env::join_paths(dirs)?);
    Ok(())
}

/// Where one version of a Cargo tool is installed: a cache that outlives `cargo clean` and is shared by all
/// checkouts.
fn crate_root(name: &str, version: &str) -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => env::home_dir().context("no home directory to cache Cargo tools in")?.join(".cache"),
    };
    Ok(cache.join("ds-runtime").join(format!("{name}-{version}")))
}

/// Whether a list of rustup's has an item of that name, which it shows with a target behind it, or as it is.
fn lists(list: &str, name: &str) -> bool {
    let rest =
        |line: &str| line.strip_prefix(name).map(|rest| rest.is_empty() || rest.starts_with(['-', ' ']));
    list.lines().any(|line| rest(line) == Some(true))
}

/// Whether a program is there; an absolute path is looked for where it leads.
fn is_on_path(sh: &Shell, program: &str) -> bool {
    let path = sh.var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Where the toolchain in use keeps its libraries for `target` (the host if `None`), if it has any or not.
fn target_libdir(sh: &Shell, target: Option<&str>) -> Option<PathBuf> {
    let args = target.map(|target| ["--target", target]);
    let args = args.iter().flatten();
    let output = cmd!(sh, "rustc --print target-libdir {args...}").quiet().ignore_stderr().read();
    output.ok().map(PathBuf::from)
}

fn require_rustup(sh: &Shell) -> Result<()> {
    if !is_on_path(sh, "rustup") {
        bail!("this Rust was not installed by rustup: get it from where the Rust came from");
    }
    Ok(())
}

fn install_debian(sh: &Shell, package: &str) -> Result<()> {
    if !is_on_path(sh, "apt-get") {
        bail!("no apt-get here: install it with this system's package manager");
    }
    let is_root = cmd!(sh, "id -u").quiet().read()? == "0";
    let sudo = (!is_root).then_some("sudo");
    let apt_get = |args: &[&str]| {
        let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
        let mut words = sudo.into_iter().chain(words).chain(args.iter().copied());
        words.next().map_or(Ok(()), |program| sh.cmd(program).args(words).run())
    };
    // Without a fresh list, a new machine knows no package, or asks for versions that are gone.
    apt_get(&["update"])?;
    apt_get(&["install", "--yes", "--no-install-recommends", package])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_builds_this_test_is_present() {
        let sh = Shell::new().unwrap();
        assert!(is_on_path(&sh, "cargo"));
        assert!(target_libdir(&sh, None).unwrap().exists());
    }

    #[test]
    fn what_is_nowhere_is_missing_and_named() {
        let tool = Tool { name: "no-such-program", why: "for nothing", source: Source::Debian };
        let target = Tool { name: "no-such-target", why: "for nothing", source: Source::Target };
        let sh = Shell::new().unwrap();
        let error = provide(&sh, &[&tool, &target], Provision::ReportOnly).unwrap_err();
        assert_eq!(error.to_string(), "missing: no-such-program, no-such-target");
    }

    #[test]
    fn lists_are_searched_for_whole_names() {
        let list = "1.89.0-x86_64-unknown-linux-gnu (active)\nmiri-x86_64-unknown-linux-gnu\nrust-src\n";
        assert!(lists(list, "1.89.0") && lists(list, "miri") && lists(list, "rust-src"));
        assert!(!lists(list, "1.89") && !lists(list, "rust-s") && !lists(list, "clippy"));
    }

    #[test]
    fn versions_of_a_tool_do_not_share_a_folder() {
        assert_ne!(crate_root("tool", "1.0.0").unwrap(), crate_root("tool", "1.0.1").unwrap());
    }
}
