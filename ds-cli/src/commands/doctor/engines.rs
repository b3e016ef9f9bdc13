//! The engines by name: offered, or why not. The runtime is asked for each; what it says is what a program would get.

use core::num::NonZeroUsize;

use ds_runtime::{Builder, CodecKind, IoKind, Runtime};
use serde_json::json;

use super::Fact;

pub(super) fn facts() -> Vec<Fact> {
    vec![
        engine(
            "cpu",
            |builder| builder.io(IoKind::Cpu).codec(CodecKind::Cpu),
            "reads and decodes on threads",
        ),
        engine("uring", |builder| builder.io(IoKind::Uring), "reads by io_uring"),
        auto(),
        engine("vulkan", |builder| builder.codec(CodecKind::Vulkan), "copies and decodes by a Vulkan device"),
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

/// What `auto` comes to here.
fn auto() -> Fact {
    const KEY: &str = "auto";
    match Runtime::builder().workers(NonZeroUsize::MIN).codec_workers(NonZeroUsize::MIN).build() {
        Ok(runtime) => {
            let selection = runtime.selection();
            let refused: Vec<_> = selection.refused.iter().map(ToString::to_string).collect();
            let mut text = format!("{} reads, {} decodes", selection.io, selection.codec);
            for refusal in &selection.refused {
                // A runtime is given its device by the program, and none is here: what that means to who runs `ds`.
                text.push_str(&match refusal.engine {
                    "vulkan" => "; vulkan only into a device's memory".to_owned(),
                    _ => format!("; not {refusal}"),
                });
            }
            Fact::shown(
                KEY,
                json!({ "io": selection.io, "codec": selection.codec, "refused": refused }),
                text,
            )
        }
        Err(error) => Fact::shown(KEY, json!(null), format!("nothing: {error}")),
    }
}
