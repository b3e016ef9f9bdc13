//! The engines by name: offered, or why not. The runtime is asked for each; what it says is what a program would get.

use core::num::NonZeroUsize;
use std::path::PathBuf;

use ds_runtime::{Builder, CodecKind, IoKind, Runtime};
use serde_json::json;

use super::Fact;
use super::uring::Uring;

pub(super) fn facts(uring: &Uring) -> Vec<Fact> {
    let on_machine = match uring.refusal() {
        None => "this machine would allow it".into(),
        Some(reason) => format!("this machine would refuse it: {reason}"),
    };
    let loader = match vulkan_loader() {
        Some(path) => format!("the Vulkan loader is at {}", path.display()),
        None => "no Vulkan loader (libvulkan.so.1) was found".into(),
    };
    vec![
        engine(
            "cpu",
            |builder| builder.io(IoKind::Cpu).codec(CodecKind::Cpu),
            "reads and decodes on threads",
        ),
        engine("uring", |builder| builder.io(IoKind::Uring), &on_machine),
        engine("vulkan", |builder| builder.codec(CodecKind::Vulkan), &loader),
    ]
}

/// Starts a runtime with the engine, as small as can be, and lets it go again.
fn engine(name: &'static str, choose: impl Fn(Builder) -> Builder, note: &str) -> Fact {
    let builder = Runtime::builder().workers(NonZeroUsize::MIN).codec_workers(NonZeroUsize::MIN);
    let (offered, why) = match choose(builder).build() {
        Ok(_) => (true, note.to_owned()),
        Err(error) => (false, format!("{error} ({note})")),
    };
    let text = format!("{}: {why}", if offered { "offered" } else { "not offered" });
    Fact::shown(name, json!({ "offered": offered, "why": why }), text)
}

/// Looks where the dynamic linker usually does. The loader is not loaded: that would run drivers.
fn vulkan_loader() -> Option<PathBuf> {
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    let fixed = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/run/opengl-driver/lib"];
    let in_triple = ["/lib", "/usr/lib"].map(|dir| PathBuf::from(dir).join(&triple));
    let chosen = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    std::env::split_paths(&chosen)
        .filter(|dir| !dir.as_os_str().is_empty())
        .chain(in_triple)
        .chain(fixed.map(PathBuf::from))
        .map(|dir| dir.join("libvulkan.so.1"))
        .find(|path| path.exists())
}
