//! The results as a chart: a bar for each contestant in each cell, as long as its speed over that of the cell's rival.

use std::fmt::Write as _;

use super::{Entry, Results};

const ROW: usize = 18;
const LEFT: usize = 220;
/// Pixels for the rival's speed.
const UNIT: f64 = 260.0;
/// Bars longer than this are cut, and say so by their number.
const LONGEST: f64 = 2.0;

/// Draws it.
pub(crate) fn draw(results: &Results) -> String {
    let height = results.results.len() * ROW + 40;
    let width = LEFT + (UNIT * LONGEST) as usize + 60;
    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing into a string cannot fail.
        let _ = writeln!(svg, "{text}");
    };
    line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">"#
    ));
    line(format_args!(r#"<rect width="100%" height="100%" fill="white"/>"#));
    line(format_args!(
        r#"<text x="8" y="18">Random reads per second over fio's io_uring engine (grey), or over a plain pread loop (brown)</text>"#
    ));
    for (n, Entry { cell, contestant, over_rival, valid, .. }) in results.results.iter().enumerate() {
        let (y, bar) = (30 + n * ROW, UNIT * over_rival.min(LONGEST));
        let text = y + ROW - 6;
        let colour = match (contestant.as_str(), *valid) {
            (_, false) => "#cccccc",
            ("fio", _) => "#888888",
            ("pread" | "pread-2" | "shared-2", _) => "#bbaa77",
            _ => "#3377bb",
        };
        let name = cell.name();
        line(format_args!(r#"<text x="8" y="{text}">{name}, {contestant}</text>"#));
        line(format_args!(
            r#"<rect x="{LEFT}" y="{y}" width="{bar:.1}" height="{}" fill="{colour}"/>"#,
            ROW - 4
        ));
        line(format_args!(r#"<text x="{:.1}" y="{text}">{over_rival:.2}</text>"#, LEFT as f64 + bar + 4.0));
    }
    let one = LEFT as f64 + UNIT;
    line(format_args!(
        r#"<line x1="{one}" x2="{one}" y1="26" y2="{height}" stroke="black" stroke-dasharray="3"/>"#
    ));
    line(format_args!("</svg>"));
    svg
}
