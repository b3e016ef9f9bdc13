//! `ds doctor`: what this machine offers each engine, and what it does not.
//!
//! Looking changes nothing: probes open no file for writing that outlives them and need no privileges.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

mod engines;
mod machine;
mod storage;
mod uring;
mod vulkan;

/// One thing found out.
struct Fact {
    key: &'static str,
    value: Value,
    text: String,
}

impl Fact {
    /// A fact whose text is its value.
    fn new(key: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Bool(true) => "yes".into(),
            Value::Bool(false) => "no".into(),
            Value::Null => "unknown".into(),
            other => other.to_string(),
        };
        Self { key, value, text }
    }

    /// A fact shown to people in other words than to programs.
    fn shown(key: &'static str, value: impl Into<Value>, text: impl Into<String>) -> Self {
        Self { key, value: value.into(), text: text.into() }
    }
}

/// Facts that belong together.
struct Section {
    key: &'static str,
    facts: Vec<Fact>,
}

/// Prints what there is to know, with `path` standing for the storage of interest.
///
/// # Errors
///
/// A `path` that cannot be looked at; otherwise what cannot be found out is reported as unknown.
pub fn run(path: &Path, json: bool) -> Result<()> {
    let uring = uring::probe();
    let sections = [
        Section { key: "machine", facts: machine::facts() },
        Section { key: "storage", facts: storage::facts(path)? },
        Section { key: "io_uring", facts: uring.facts() },
        Section { key: "vulkan", facts: vulkan::facts() },
        Section { key: "engines", facts: engines::facts() },
    ];
    let mut out = io::stdout().lock();
    let text = if json { as_json(&sections) } else { as_text(&sections) };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::stdout)
}

fn as_json(sections: &[Section]) -> String {
    let object =
        |facts: &[Fact]| facts.iter().map(|f| (f.key.to_owned(), f.value.clone())).collect::<Map<_, _>>();
    let all: Map<_, _> =
        sections.iter().map(|s| (s.key.to_owned(), Value::Object(object(&s.facts)))).collect();
    format!("{:#}\n", Value::Object(all))
}

fn as_text(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        text.push_str(&format!("{}\n", section.key));
        for fact in &section.facts {
            text.push_str(&format!("  {:<22} {}\n", fact.key.replace('_', " "), fact.text));
        }
    }
    text
}
