//! `cargo xtask bench codec`: our codec beside its rivals, as a table, a file of results, a chart, and the README's
//! section on speed.
//!
//! What measures are the benches of `ds-gdeflate`, `ds-libdeflate` and `ds-cli`, each a process of its own. This module gives them
//! something to measure on ([`corpus`]), puts their results together with what they were taken of ([`commit`]), and
//! shows them ([`tables`], [`chart`]).

pub(crate) mod chart;
pub(crate) mod commit;
mod corpus;
pub(crate) mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use ds_bench::machine;
use ds_bench::results::{self, Corpus, Results, SCHEMA};
use serde::de::DeserializeOwned;
use xshell::cmd;

use crate::readme;
use crate::workspace::Project;

/// The committed results, which documents quote.
pub(crate) const JSON: &str = "docs/bench/codec.json";
/// The committed chart of them.
pub(crate) const SVG: &str = "docs/bench/codec.svg";

/// What a quick run leaves out: most tiles, and rounds.
const QUICK_STRIDE: usize = 16;
const QUICK_ROUNDS: usize = 5;

const ENCODE_ROUNDS: usize = 3;
const DECODE_ROUNDS: usize = 7;
const STREAM_ROUNDS: usize = 45;

/// What to measure, and where it goes.
#[derive(Args)]
pub(crate) struct CodecArgs {
    /// Measure on this folder: each .bin file in it is a class, and so is each folder
    #[arg(long, value_name = "FOLDER")]
    corpus: Option<PathBuf>,
    /// Build the corpus in this folder first (some 480 MB of Debian packages), with the script in ../shared
    #[arg(long, value_name = "FOLDER", conflicts_with = "corpus")]
    build_corpus: Option<PathBuf>,
    /// Levels of instructions to measure, slowest first; all that this machine has if absent
    #[arg(long, value_name = "LIST")]
    simd: Option<String>,
    /// Levels of the reference encoder whose streams are decoded
    #[arg(long, value_name = "LIST", default_value = "1,9,12")]
    decode_levels: String,
    /// Levels at which the encoders are compared
    #[arg(long, value_name = "LIST", default_value = "1,6,9,12")]
    encode_levels: String,
    /// Take every 16th tile only: a look, within a minute
    #[arg(long)]
    quick: bool,
    /// The machine, as documents are to name it
    #[arg(long, value_name = "TEXT")]
    machine: Option<String>,
    /// Put results and chart where the documents quote them (docs/bench), and bring the documents in line
    #[arg(long, conflicts_with = "quick")]
    readme: bool,
}

impl CodecArgs {
    /// The command as others can type it: it names no folder of this machine.
    fn command(&self) -> String {
        let mut words = vec!["cargo xtask bench codec".to_owned()];
        if self.corpus.is_some() || self.build_corpus.is_some() {
            words.push("--corpus FOLDER".into());
        }
        words.extend(self.simd.as_ref().map(|list| format!("--simd {list}")));
        for (option, list, usual) in [
            ("--decode-levels", &self.decode_levels, "1,9,12"),
            ("--encode-levels", &self.encode_levels, "1,6,9,12"),
        ] {
            if list != usual {
                words.push(format!("{option} {list}"));
            }
        }
        if self.quick {
            words.push("--quick".into());
        }
        words.join(" ")
    }
}

/// Measures, shows and writes.
pub(crate) fn codec(project: &Project, args: &CodecArgs) -> Result<()> {
    let commit = commit::current(project);
    ensure!(
        !args.readme || !commit.ends_with('+'),
        "documents quote figures of committed code: commit first"
    );
    let folder = project.workspace.target_directory.join("bench");
    fs::create_dir_all(&folder)?;
    let corpus = match (&args.corpus, &args.build_corpus) {
        (Some(corpus), _) => corpus.canonicalize().with_context(|| corpus.display().to_string())?,
        (None, Some(corpus)) => corpus::build(project, corpus)?,
        (None, None) => corpus::generate(project, &folder.join("assets"))?,
    };
    // Compiled before, so that no compiler runs beside a measurement.
    cmd!(project.sh, "cargo bench --package ds-gdeflate --package ds-libdeflate --package ds-cli --no-run")
        .quiet()
        .run()?;

    let bench = |package: &str, name: &str, levels: &str, rounds: usize| -> Result<PathBuf> {
        println!("\n==> {name}");
        let json = folder.join(format!("{name}.json"));
        let stride = if args.quick { QUICK_STRIDE } else { 1 };
        let rounds = if args.quick { QUICK_ROUNDS } else { rounds };
        let mut command = cmd!(project.sh, "cargo bench --quiet --package {package} --bench {name}")
            .env("DS_CORPUS", &corpus)
            .env("DS_LEVELS", levels)
            .env("DS_ROUNDS", rounds.to_string())
            .env("DS_STRIDE", stride.to_string())
            .env("DS_JSON", &json)
            .env_remove("DS_SIMD")
            .env_remove("DS_FRIENDLY");
        if let Some(simd) = &args.simd {
            command = command.env("DS_SIMD", simd);
        }
        command.quiet().run()?;
        Ok(json)
    };
    let results = Results {
        schema: SCHEMA.into(),
        date: machine::today(),
        command: args.command(),
        commit,
        rustc: cmd!(project.sh, "rustc --version").quiet().read()?,
        machine: machine::describe(args.machine.as_deref()),
        corpus: Corpus {
            generated: args.corpus.is_none() && args.build_corpus.is_none(),
            stride: if args.quick { QUICK_STRIDE } else { 1 },
        },
        decode: read(&bench("ds-gdeflate", "decode", &args.decode_levels, DECODE_ROUNDS)?)?,
        deflate: read(&bench("ds-libdeflate", "deflate", "9", DECODE_ROUNDS)?)?,
        encode: read(&bench("ds-gdeflate", "encode", &args.encode_levels, ENCODE_ROUNDS)?)?,
        stream: Some(read(&bench("ds-cli", "stream", "9", STREAM_ROUNDS)?)?),
    };
    println!("\n{}", tables::summary(&results));

    let (json, svg) = if args.readme {
        (project.workspace.workspace_root.join(JSON), project.workspace.workspace_root.join(SVG))
    } else {
        (folder.join("codec.json"), folder.join("codec.svg"))
    };
    fs::write(&json, serde_json::to_string_pretty(&results)? + "\n")?;
    fs::write(&svg, chart::draw(&results)?)?;
    println!("wrote {} and {}", json.display(), svg.display());
    if args.readme {
        readme::write(project)?;
    }
    Ok(())
}

/// What a bench wrote.
fn read<T: DeserializeOwned>(json: &Path) -> Result<T> {
    results::read(json).with_context(|| json.display().to_string())
}

/// The results that the documents quote.
pub(crate) fn committed(project: &Project) -> Result<Results> {
    let json = project.sh.read_file(JSON)?;
    let results: Results = serde_json::from_str(&json).context(JSON)?;
    ensure!(results.schema == SCHEMA, "{JSON} is '{}', and not '{SCHEMA}'", results.schema);
    Ok(results)
}

#[cfg(test)]
mod tests {
    use crate::cli::{BenchVerb, Cli, Verb};
    use clap::Parser as _;

    fn command(line: &str) -> String {
        let words = ["xtask", "bench", "codec"].into_iter().chain(line.split_whitespace());
        let Verb::Bench { what: BenchVerb::Codec(args) } = Cli::try_parse_from(words).unwrap().verb else {
            panic!("not the bench verb")
        };
        args.command()
    }

    #[test]
    fn the_command_on_record_names_no_folder() {
        assert_eq!(command("--readme"), "cargo xtask bench codec");
        assert_eq!(
            command("--corpus /home/me/assets --quick --simd scalar --machine mine"),
            "cargo xtask bench codec --corpus FOLDER --simd scalar --quick"
        );
        assert_eq!(
            command("--build-corpus x --encode-levels 1"),
            "cargo xtask bench codec --corpus FOLDER --encode-levels 1"
        );
    }
}
