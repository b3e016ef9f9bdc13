//! Parts of a document that are copies of something in the code or in the results, each announced by a comment on a line of its
//! own:
//!
//! - `<!-- sync: path/to/file.rs#name -->`: the code block after it equals the lines between `// readme:name`
//!   and `// /readme:name` in that file, less their common indentation (`#` does for `//`);
//! - `<!-- sync: crates -->`: the table after it has a row for each member of the workspace, with its
//!   description;
//! - `<!-- sync: features CRATE -->`: the table after it has a row for each public feature of that crate, and
//!   the rows of those switched on by default, and no others, say `(default)`;
//! - `<!-- sync: bench PART -->`: all up to `<!-- /sync -->` tells the committed results of the codec's benches; if PART is
//!   `io`, of the I/O engines', and if it begins with `gpu-`, of a GPU's.

use anyhow::{Context as _, Result, bail, ensure};

use crate::bench::{self, tables};
use crate::bench_gpu;
use crate::bench_io;
use crate::workspace::{Package, Project, Workspace};

/// A document as it should be, and what was wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) text: String,
    pub(crate) stale: Vec<String>,
}

/// Compares every marked part with its source.
///
/// # Errors
///
/// When a marker is malformed, has nothing to announce, or names a source that is not there.
pub(crate) fn sync(readme: &str, project: &Project) -> Result<Synced> {
    let read = |path: &str| project.sh.read_file(path).map_err(Into::into);
    let told = |part: &str| {
        if part == "io" {
            return Ok(bench_io::table::all(&bench_io::committed(project)?));
        }
        if part.starts_with("gpu-") {
            return bench_gpu::table::part(part, &bench_gpu::committed(project)?);
        }
        let text = tables::part(part, &bench::committed(project)?);
        text.with_context(|| format!("no such part; there are: {}", tables::PARTS.join(", ")))
    };
    let tell = |part: &str| told(part).map(|text| wrap(&text));
    sync_with(readme, &project.workspace, &Sources { read: &read, tell: &tell })
}

/// Columns that prose has in documents.
const WIDTH: usize = 120;

/// Breaks lines of prose that are too wide, one paragraph each; a table's and a picture's stay whole.
fn wrap(text: &str) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut width = 0;
        for (at, word) in line.split(' ').enumerate() {
            let len = word.chars().count();
            if at > 0 {
                let is_full = width + 1 + len > WIDTH && !line.starts_with(['|', '!']);
                wrapped.push(if is_full { '\n' } else { ' ' });
                width = if is_full { 0 } else { width + 1 };
            }
            wrapped.push_str(word);
            width += len;
        }
        wrapped.push('\n');
    }
    wrapped
}

/// Where copies come from, besides the workspace.
struct Sources<'a> {
    /// The content of a file.
    read: &'a dyn Fn(&str) -> Result<String>,
    /// A part of the committed results, by its name.
    tell: &'a dyn Fn(&str) -> Result<String>,
}

fn sync_with(readme: &str, workspace: &Workspace, sources: &Sources<'_>) -> Result<Synced> {
    let mut text = String::with_capacity(readme.len());
    let mut stale = Vec::new();
    let mut rest = readme;
    while let Some((line, after)) = next_line(rest) {
        text.push_str(line);
        rest = after;
        let Some(subject) = marker(line) else { continue };

        let context = || format!("sync: {subject}");
        let part = if let Some((path, name)) = subject.split_once('#') {
            let wanted = region(&(sources.read)(path).with_context(context)?, name).with_context(context)?;
            let block = Part::code(rest).with_context(context)?;
            (wanted != block.body).then_some((block, wanted))
        } else if subject == "crates" {
            let table = Part::table(rest).with_context(context)?;
            let wanted: Vec<_> = workspace.packages.iter().map(crate_row).collect();
            let mut found: Vec<_> =
                rows(table.body).map(|cells| (unlinked(cells[0]), cells[1].to_owned())).collect();
            found.sort();
            (wanted != found).then(|| (table, crate_table(table.body, workspace)))
        } else if let Some(name) = subject.strip_prefix("features ") {
            let package = workspace.packages.iter().find(|package| package.name == name);
            let package = package.context("no such crate").with_context(context)?;
            let table = Part::table(rest).with_context(context)?;
            if let Some(difference) = features_differ(package, table.body) {
                stale.push(format!("features of {name}: {difference}"));
            }
            None
        } else if let Some(name) = subject.strip_prefix("bench ") {
            let wanted = format!("\n{}\n", (sources.tell)(name).with_context(context)?);
            let span = Part::span(rest).with_context(context)?;
            (wanted != span.body).then_some((span, wanted))
        } else {
            bail!("sync: {subject}: neither `file#name`, `crates`, `features CRATE` nor `bench PART`");
        };

        if let Some((part, wanted)) = part {
            stale.push(format!("the part after `sync: {subject}` is out of date"));
            text.push_str(part.before);
            text.push_str(&wanted);
            rest = &rest[part.before.len() + part.body.len()..];
        }
    }
    Ok(Synced { text, stale })
}

/// A stretch of the README that a marker announces.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// What stands between the marker and the part proper: blank lines, an opening fence.
    before: &'a str,
    body: &'a str,
}

impl<'a> Part<'a> {
    /// A fenced code block at the start of `rest`.
    fn code(rest: &'a str) -> Result<Self> {
        let start = skip_blank(rest);
        let (fence, inside) = next_line(&rest[start..]).context("no code block follows")?;
        ensure!(fence.starts_with("```"), "no code block follows");
        let before = start + fence.len();
        let mut length = 0;
        while let Some((line, _)) = next_line(&inside[length..]) {
            if line.trim_end() == "```" {
                return Ok(Self { before: &rest[..before], body: &inside[..length] });
            }
            length += line.len();
        }
        bail!("the code block has no end")
    }

    /// All up to the mark of the end.
    fn span(rest: &'a str) -> Result<Self> {
        let end = rest.find("<!-- /sync -->").context("no `<!-- /sync -->` follows")?;
        Ok(Self { before: "", body: &rest[..end] })
    }

    /// A table at the start of `rest`, with its two head lines.
    fn table(rest: &'a str) -> Result<Self> {
        let start = skip_blank(rest);
        let mut length = 0;
        while let Some((line, _)) = next_line(&rest[start + length..]) {
            if !line.starts_with('|') {
                break;
            }
            length += line.len();
        }
        let part = Self { before: &rest[..start], body: &rest[start..start + length] };
        ensure!(part.body.lines().count() >= 2, "no table follows");
        ensure!(rows(part.body).all(|cells| cells.len() >= 2), "a row has fewer than two cells");
        Ok(part)
    }
}

/// Splits the first line off, with its line break.
fn next_line(text: &str) -> Option<(&str, &str)> {
    let end = text.find('\n').map_or(text.len(), |at| at + 1);
    (!text.is_empty()).then(|| text.split_at(end))
}

/// Length of the blank lines `text` starts with.
fn skip_blank(text: &str) -> usize {
    text.split_inclusive('\n').take_while(|line| line.trim().is_empty()).map(str::len).sum()
}

/// What a marker on this line announces.
fn marker(line: &str) -> Option<&str> {
    line.trim().strip_prefix("<!-- sync: ")?.strip_suffix(" -->").map(str::trim)
}

/// The lines between the marks `readme:name` and `/readme:name`, less their common indentation.
fn region(source: &str, name: &str) -> Result<String> {
    let is_mark = |line: &str, mark: &str| {
        let line = line.trim();
        line.strip_prefix("// ").or_else(|| line.strip_prefix("# ")).is_some_and(|rest| rest == mark)
    };
    let begin = format!("readme:{name}");
    let end = format!("/readme:{name}");
    let mut lines = source.lines().skip_while(|line| !is_mark(line, &begin));
    lines.next().with_context(|| format!("no line says `{begin}`"))?;
    let mut inside = Vec::new();
    loop {
        let line = lines.next().with_context(|| format!("no line says `{end}`"))?;
        if is_mark(line, &end) {
            break;
        }
        inside.push(line);
    }

    let indent_of = |line: &&str| line.len() - line.trim_start().len();
    let indent = inside.iter().filter(|line| !line.trim().is_empty()).map(indent_of).min().unwrap_or(0);
    Ok(inside.iter().map(|line| format!("{}\n", line.get(indent..).unwrap_or("").trim_end())).collect())
}

/// The cells of each row below a table's head.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().skip(2).map(|line| line.trim().trim_matches('|').split('|').map(str::trim).collect())
}

/// The text of a cell that may be code, a link, or both.
fn unlinked(cell: &str) -> String {
    let text = cell.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(cell, |(text, _)| text);
    text.trim_matches('`').to_owned()
}

fn crate_row(package: &Package) -> (String, String) {
    (package.name.clone(), package.description.clone().unwrap_or_default())
}

/// A table of crates under the head of the old one. Each links to its folder.
fn crate_table(old: &str, workspace: &Workspace) -> String {
    let head = old.split_inclusive('\n').take(2).map(str::to_owned);
    let rows = workspace.packages.iter().map(|package| {
        let (name, what) = crate_row(package);
        let dir = package.dir().strip_prefix(&workspace.workspace_root).unwrap_or_else(|_| package.dir());
        format!("| [`{name}`]({}) | {what} |\n", dir.display())
    });
    head.chain(rows).collect()
}

fn features_differ(package: &Package, table: &str) -> Option<String> {
    let mut wanted: Vec<_> =
        package.public_features().map(|name| (name.to_owned(), package.implies("default", name))).collect();
    let mut found: Vec<_> = rows(table)
        .map(|cells| (unlinked(cells[0]), cells[1..].iter().any(|cell| cell.contains("(default)"))))
        .collect();
    wanted.sort();
    found.sort();
    let show = |list: &[(String, bool)]| {
        let names = list.iter().map(|(name, on)| format!("{name}{}", if *on { " (default)" } else { "" }));
        names.collect::<Vec<_>>().join(", ")
    };
    (wanted != found).then(|| format!("the table has [{}], the crate has [{}]", show(&found), show(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::sample;

    const SOURCE: &str = "\
use a::b;
fn main() {
    // readme:queue
    let queue = Queue::new();
    if queue.is_empty() {

        queue.close();
    }
    // /readme:queue
}
";

    fn run(readme: &str) -> Result<Synced> {
        let read = |path: &str| {
            ensure!(path == "examples/a.rs", "no such file: {path}");
            Ok(SOURCE.into())
        };
        let tell = |part: &str| Ok(format!("results, {part}\n"));
        sync_with(readme, &sample(), &Sources { read: &read, tell: &tell })
    }

    fn error(readme: &str) -> String {
        format!("{:#}", run(readme).unwrap_err())
    }

    #[test]
    fn prose_is_as_wide_as_documents_are_and_tables_as_wide_as_they_must() {
        let (word, row) = ("1234567 ", "| a cell |".repeat(20));
        let wrapped = wrap(&format!("{}\n\n{row}\n", word.repeat(30).trim_end()));
        let widths: Vec<_> = wrapped.lines().map(str::len).collect();
        assert_eq!(widths, [119, 119, 0, row.len()]);
        assert_eq!(wrapped.split_whitespace().filter(|part| *part == word.trim_end()).count(), 30);
        // Two columns, six bytes.
        assert!(!wrap(&format!("{} é", "é".repeat(118))).trim_end().contains('\n'));
    }

    #[test]
    fn a_true_excerpt_is_left_alone() {
        let readme = "# T\n\n<!-- sync: examples/a.rs#queue -->\n\n```rust\nlet queue = Queue::new();\n\
                      if queue.is_empty() {\n\n    queue.close();\n}\n```\nend\n";
        assert_eq!(run(readme).unwrap(), Synced { text: readme.into(), stale: vec![] });
    }

    #[test]
    fn a_stale_excerpt_is_told_and_mended() {
        let readme = "<!-- sync: examples/a.rs#queue -->\n```rust\nlet old = 1;\n```\nend";
        let synced = run(readme).unwrap();
        assert_eq!(synced.stale, ["the part after `sync: examples/a.rs#queue` is out of date"]);
        assert!(synced.text.starts_with("<!-- sync: examples/a.rs#queue -->\n```rust\nlet queue = "));
        assert!(synced.text.ends_with("}\n```\nend"));
        assert!(run(&synced.text).unwrap().stale.is_empty());
    }

    #[test]
    fn two_excerpts_of_one_file_are_both_seen() {
        let one = "<!-- sync: examples/a.rs#queue -->\n```\nold\n```\n";
        assert_eq!(run(&one.repeat(2)).unwrap().stale.len(), 2);
    }

    #[test]
    fn a_marker_must_announce_something() {
        assert!(error("<!-- sync: examples/a.rs#queue -->\ntext\n").contains("no code block follows"));
        assert!(error("<!-- sync: examples/a.rs#queue -->\n").contains("no code block follows"));
        assert!(error("<!-- sync: examples/a.rs#queue -->\n```\nx\n").contains("has no end"));
        assert!(error("<!-- sync: crates -->\n\ntext\n").contains("no table follows"));
        assert!(error("<!-- sync: crates -->\n| a |\n|---|\n| b |\n").contains("fewer than two cells"));
    }

    #[test]
    fn a_marker_must_name_a_source_that_exists() {
        assert!(error("<!-- sync: b.rs#queue -->\n```\n```\n").contains("no such file: b.rs"));
        assert!(error("<!-- sync: examples/a.rs#x -->\n```\n```\n").contains("no line says `readme:x`"));
        assert!(error("<!-- sync: features none -->\n| a | b |\n|-|-|\n").contains("no such crate"));
        assert!(error("<!-- sync: weather -->\n").contains("neither"));
    }

    #[test]
    fn results_fill_all_up_to_their_end() {
        let readme = "<!-- sync: bench brief -->\nold\nlines\n<!-- /sync -->\nrest\n";
        let synced = run(readme).unwrap();
        assert_eq!(synced.text, "<!-- sync: bench brief -->\n\nresults, brief\n\n<!-- /sync -->\nrest\n");
        assert_eq!(run(&synced.text).unwrap().stale, [""; 0]);
        assert!(error("<!-- sync: bench brief -->\nold\n").contains("no `<!-- /sync -->` follows"));
    }

    #[test]
    fn a_region_must_end() {
        assert!(region("// readme:a\nlet x;\n", "a").unwrap_err().to_string().contains("`/readme:a`"));
        assert_eq!(region("  # readme:a\n  x = 1\n  # /readme:a\n", "a").unwrap(), "x = 1\n");
    }

    #[test]
    fn crate_rows_may_be_linked_and_in_any_order() {
        let readme = "<!-- sync: crates -->\n| crate | what |\n|---|---|\n| `xtask` | Project chores |\n\
                      | [`ds-core`](ds-core) | The queue |\n| ds-cli | The program | more |\n";
        assert_eq!(run(readme).unwrap().stale, [""; 0]);
    }

    #[test]
    fn a_stale_crate_table_is_rewritten_under_its_head() {
        let readme = "<!-- sync: crates -->\n| Crate | What |\n|---|---|\n| `gone` | Old |\n\nend\n";
        let synced = run(readme).unwrap();
        assert_eq!(synced.stale.len(), 1);
        let wanted = "<!-- sync: crates -->\n| Crate | What |\n|---|---|\n| [`ds-cli`](ds-cli) | The program |\n\
                      | [`ds-core`](ds-core) | The queue |\n| [`xtask`](xtask) | Project chores |\n\nend\n";
        assert_eq!(synced.text, wanted);
    }

    #[test]
    fn feature_rows_agree_in_name_and_default() {
        let table = |alloc: &str, sim: &str| {
            format!(
                "<!-- sync: features ds-core -->\n| feature | what |\n|---|---|\n| `std` | std (default) |\n\
                 | `alloc` | {alloc} |\n| `sim` | {sim} |\n"
            )
        };
        assert_eq!(run(&table("implied (default)", "faults")).unwrap().stale, [""; 0]);
        let stale = run(&table("not marked", "faults")).unwrap().stale;
        assert!(
            stale[0].starts_with("features of ds-core: the table has [alloc, sim, std (default)]"),
            "{stale:?}"
        );
    }
}
