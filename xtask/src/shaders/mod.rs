//! Compiles the shaders of ds-vulkan, and describes them in Rust.
//!
//! What comes of it is committed, for whoever builds the crate has no shader compiler. The description lets the crate check its
//! structures against the shaders' blocks when it is compiled: see `ds-vulkan/src/pipeline/constants.rs`.
//!
//! No optimiser: Debian's makes invalid modules of valid ones now and then, and drivers optimise by themselves. The validator has
//! the last word on everything.

mod reflect;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use twox_hash::XxHash3_64;
use xshell::cmd;

use self::reflect::Reflection;
use crate::tools::{GLSLANG, RUSTFMT, SPIRV_TOOLS, Tool};
use crate::workspace::Project;

pub(crate) const NEEDS: &[&Tool] = &[&GLSLANG, &SPIRV_TOOLS, &RUSTFMT];

/// Where the sources are; `*.comp` are shaders, and what they include lies beside them.
const SOURCES: &str = "ds-vulkan/shaders";
const DESCRIPTION: &str = "ds-vulkan/src/pipeline/shaders.rs";

/// The least Vulkan that the crate asks for.
const TARGET: &str = "vulkan1.2";

/// A file that is to be, with its content.
struct Made {
    path: PathBuf,
    content: Vec<u8>,
}

/// Compiles all shaders and writes what is to be committed.
pub(crate) fn write(project: &Project) -> Result<()> {
    let made = make(project)?;
    for stale in stale(project, &made)? {
        fs::remove_file(&stale).with_context(|| format!("cannot remove {}", stale.display()))?;
    }
    for Made { path, content } in made {
        if fs::read(&path).ok().as_ref() != Some(&content) {
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Compiles all shaders and compares.
///
/// # Errors
///
/// Each file that is not what it should be is named.
pub(crate) fn check(project: &Project) -> Result<()> {
    let made = make(project)?;
    let differs = |made: &&Made| fs::read(&made.path).ok().as_ref() != Some(&made.content);
    let mut wrong: Vec<_> = made.iter().filter(differs).map(|made| made.path.display().to_string()).collect();
    wrong.extend(stale(project, &made)?.into_iter().map(|path| path.display().to_string()));
    if !wrong.is_empty() {
        bail!("not what the shaders come to: {}; run `cargo xtask shaders`", wrong.join(", "));
    }
    Ok(())
}

/// Compiled shaders whose sources are gone.
fn stale(project: &Project, made: &[Made]) -> Result<Vec<PathBuf>> {
    let there = files(&compiled(project), "spv")?;
    Ok(there.into_iter().filter(|path| made.iter().all(|made| made.path != *path)).collect())
}

fn compiled(project: &Project) -> PathBuf {
    project.workspace.workspace_root.join(SOURCES).join("spirv")
}

/// Files of a folder with this extension, in order.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .filter(|path| path.as_ref().is_ok_and(|path| path.extension().is_some_and(|e| e == extension)))
        .collect::<Result<_>>()?;
    files.sort();
    Ok(files)
}

fn make(project: &Project) -> Result<Vec<Made>> {
    let sh = &project.sh;
    let sources = project.workspace.workspace_root.join(SOURCES);
    let scratch = sh.create_temp_dir()?;
    let includes = files(&sources, "glsl")?.iter().map(fs::read).collect::<Result<Vec<_>, _>>()?.concat();
    let mut made = Vec::new();
    let mut shaders = Vec::new();
    for source in files(&sources, "comp")? {
        let name = source.file_stem().and_then(|name| name.to_str()).context("a shader without a name")?;
        let spirv = scratch.path().join(name).with_extension("spv");
        let said = cmd!(sh, "glslangValidator -V --quiet --target-env {TARGET} -o {spirv} {source}");
        said.quiet().run().with_context(|| format!("{name} does not compile"))?;
        cmd!(sh, "spirv-val --target-env {TARGET} --scalar-block-layout {spirv}")
            .quiet()
            .run()
            .with_context(|| format!("{name} compiles to SPIR-V that is not valid"))?;
        let code = fs::read(&spirv)?;
        let reflection = Reflection::of(&code).with_context(|| format!("cannot describe {name}"))?;
        // Includes count as part of every source: which ones a shader takes is not worth finding out.
        let hash = XxHash3_64::oneshot(&[fs::read(&source)?, includes.clone()].concat());
        shaders.push((name.to_owned(), hash, reflection));
        made.push(Made { path: compiled(project).join(name).with_extension("spv"), content: code });
    }
    let description = cmd!(sh, "rustfmt --edition 2024").stdin(describe(&shaders)).quiet().read()? + "\n";
    let path = project.workspace.workspace_root.join(DESCRIPTION);
    made.push(Made { path, content: description.into_bytes() });
    Ok(made)
}

fn describe(shaders: &[(String, u64, Reflection)]) -> String {
    let mut text = String::from(
        "//! Our shaders, as `cargo xtask shaders` has compiled and described them. Not to be edited.\n\n\
         use super::shader::Shader;\n",
    );
    for (name, hash, reflection) in shaders {
        let upper = name.to_uppercase();
        let _ = write!(
            text,
            "\n/// `{name}.comp`, of a source (with all includes) whose XXH3 is `{hash:016x}`.\n\
             pub(crate) static {upper}: Shader = Shader {{\n    \
                 name: {name:?},\n    \
                 spirv: include_bytes!(\"../../shaders/spirv/{name}.spv\"),\n    \
                 push_constants: &{:?},\n    \
                 #[cfg(test)]\n    \
                 constants: &{:?},\n    \
                 local_size: {:?},\n    \
                 #[cfg(test)]\n    \
                 capabilities: &{:?},\n\
             }};\n",
            reflection.push_constants, reflection.constants, reflection.local_size, reflection.capabilities
        );
    }
    let all: Vec<_> = shaders.iter().map(|(name, ..)| format!("&{}", name.to_uppercase())).collect();
    let _ = write!(
        text,
        "\n/// All of them.\n#[cfg(test)]\npub(crate) static ALL: &[&Shader] = &[{}];\n",
        all.join(", ")
    );
    text
}
