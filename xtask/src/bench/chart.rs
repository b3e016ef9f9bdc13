//! Results as a chart: one panel for each comparison, in each panel a group of bars for every class and one for the
//! geometric mean.

use anyhow::{Result, anyhow};
use ds_bench::results::{Bench, Encode, Results, geometric_mean};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::tables;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Colours that are told apart on light and on dark ground, and by people who see fewer of them.
const COLOURS: [RGBColor; 5] = [
    RGBColor(140, 149, 159),
    RGBColor(75, 139, 245),
    RGBColor(240, 140, 35),
    RGBColor(35, 165, 130),
    RGBColor(170, 110, 220),
];
const INK: RGBColor = RGBColor(87, 96, 106);
const GRID: RGBColor = RGBColor(128, 136, 146);

/// Ground and text follow the reader's choice; where style sheets are not understood, the ground shows through.
const STYLE: &str = "<style>svg{background:#fff}text{fill:#24292f}\
    @media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}}</style>\n";

// All in pixels.
const WIDTH: i32 = 1120;
const MARGIN: i32 = 16;
const NAMES: i32 = 110;
const HEAD: i32 = 62;
const FOOT: i32 = 26;
const BAR: i32 = 10;
const GAP: i32 = 8;
/// Room for the number behind the longest bar.
const NUMBER: i32 = 48;

/// One comparison.
struct Panel {
    title: String,
    /// What each bar of a group stands for.
    series: Vec<String>,
    /// Groups of bars; the last is the mean.
    groups: Vec<(String, Vec<f64>)>,
    show: fn(f64) -> String,
    /// Where neither side is ahead, and what to call it.
    even: (f64, String),
}

/// Draws `results` as SVG.
pub(crate) fn draw(results: &Results) -> Result<String> {
    let panels: Vec<_> = [
        decode_panel(&results.decode, "Decoding the reference's streams: times as fast"),
        decode_panel(&results.deflate, "Decoding, each its own format: times as fast"),
        encode_panel(
            results,
            "Encoding: times as fast",
            Encode::faster,
            geometric_mean,
            |value| format!("{value:.2}x"),
            1.0,
        ),
        encode_panel(
            results,
            "Encoding: per cent smaller",
            |row| 100.0 * (1.0 - row.relative_size()),
            mean_saving,
            |value| format!("{:.2}", (value * 100.0).round() / 100.0 + 0.0),
            0.0,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();

    let rows: Vec<i32> =
        panels.chunks(2).map(|row| row.iter().map(Panel::height).max().unwrap_or(0)).collect();
    let height = HEAD / 2 + rows.iter().sum::<i32>() + MARGIN;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        let heading = format!("{}, {}", results.machine.name, results.date);
        write(&root, &heading, (MARGIN, MARGIN), 13, HPos::Left, FontStyle::Normal)?;
        let mut top = HEAD / 2;
        for (pair, row_height) in panels.chunks(2).zip(rows) {
            for (panel, left) in pair.iter().zip([0, WIDTH / 2]) {
                panel.draw(&root, left, top)?;
            }
            top += row_height;
        }
        root.present().map_err(|error| anyhow!("{error}"))?;
    }
    let body = svg.find('>').map_or(0, |end| end + 2).min(svg.len());
    svg.insert_str(body, STYLE);
    Ok(svg)
}

fn decode_panel(bench: &Bench, title: &str) -> Option<Panel> {
    let level = tables::main_level(bench)?;
    let rows = bench.decode.iter().filter(|row| row.level == level);
    let mut groups: Vec<_> = rows.map(|row| (row.class.clone(), row.faster().collect::<Vec<_>>())).collect();
    let series = bench.simd();
    let means = (0..series.len()).filter_map(|index| tables::mean_decode(bench, level, index));
    groups.push(("geometric mean".into(), means.collect()));
    Some(Panel {
        title: format!("{title} (level {level})"),
        series: series.into_iter().map(|simd| tables::title(simd).to_owned()).collect(),
        groups,
        show: |value| format!("{value:.2}x"),
        even: (1.0, bench.rival.version.clone()),
    })
}

fn encode_panel(
    results: &Results,
    title: &str,
    value: fn(&Encode) -> f64,
    mean: impl Fn(Vec<f64>) -> f64,
    show: fn(f64) -> String,
    even: f64,
) -> Option<Panel> {
    let rows = &results.encode.encode;
    let first = rows.first()?.level;
    let classes = rows.iter().filter(|row| row.level == first).map(|row| &row.class);
    let mut groups: Vec<_> = classes
        .map(|class| {
            (class.clone(), rows.iter().filter(|row| row.class == *class).map(value).collect::<Vec<_>>())
        })
        .collect();
    let count = groups.first()?.1.len();
    let means = (0..count)
        .map(|index| mean(groups.iter().filter_map(|(_, values)| values.get(index)).copied().collect()));
    let means = means.collect();
    groups.push(("geometric mean".into(), means));
    let class = &groups[0].0;
    let series = rows.iter().filter(|row| row.class == *class).map(|row| format!("level {}", row.level));
    let series = series.collect();
    Some(Panel {
        title: title.into(),
        series,
        groups,
        show,
        even: (even, results.encode.rival.version.clone()),
    })
}

/// The geometric mean of sizes, as per cent smaller.
fn mean_saving(savings: Vec<f64>) -> f64 {
    100.0 * (1.0 - geometric_mean(savings.into_iter().map(|saving| 1.0 - saving / 100.0)))
}

impl Panel {
    fn group_height(&self) -> i32 {
        self.series.len() as i32 * BAR + GAP
    }

    fn height(&self) -> i32 {
        HEAD + self.groups.len() as i32 * self.group_height() + FOOT + MARGIN
    }

    fn draw(&self, root: &Area<'_>, left: i32, top: i32) -> Result<()> {
        let (x0, x1) = (left + MARGIN + NAMES, left + WIDTH / 2 - MARGIN - NUMBER);
        let (y0, y1) = (top + HEAD, top + HEAD + self.groups.len() as i32 * self.group_height());
        let values = || self.groups.iter().flat_map(|(_, values)| values.iter().copied());
        let high = values().fold(self.even.0, f64::max);
        let low = values().fold(0.0, f64::min);
        let step = grid_step(high - low);
        let x = |value: f64| x0 + ((value - low) / (high - low) * f64::from(x1 - x0)).round() as i32;

        write(root, &self.title, (left + MARGIN, top + 14), 16, HPos::Left, FontStyle::Bold)?;
        self.draw_legend(root, left + MARGIN, top + 38)?;

        for tick in (low / step).ceil() as i64..=(high / step).floor() as i64 {
            let value = tick as f64 * step;
            line(root, x(value), y0, y1, GRID.mix(0.25).stroke_width(1))?;
            write(root, &shortest(value), (x(value), y1 + 12), 11, HPos::Center, FontStyle::Normal)?;
        }
        for (index, (name, values)) in self.groups.iter().enumerate() {
            let y = y0 + index as i32 * self.group_height() + GAP / 2;
            let is_mean = index + 1 == self.groups.len();
            let style = if is_mean { FontStyle::Bold } else { FontStyle::Normal };
            let middle = y + values.len() as i32 * BAR / 2;
            if is_mean {
                let frame = [(left + MARGIN, y - GAP / 2), (left + WIDTH / 2 - MARGIN, y1)];
                root.draw(&Rectangle::new(frame, GRID.mix(0.12).filled()))
                    .map_err(|error| anyhow!("{error}"))?;
            }
            write(root, name, (x0 - 8, middle), 12, HPos::Right, style)?;
            for (bar, &value) in values.iter().enumerate() {
                let y = y + bar as i32 * BAR;
                let ends = (x(value.min(0.0)), x(value.max(0.0)));
                let shape = Rectangle::new([(ends.0, y + 1), (ends.1, y + BAR - 1)], colour(bar).filled());
                root.draw(&shape).map_err(|error| anyhow!("{error}"))?;
                write(root, &(self.show)(value), (ends.1 + 4, y + BAR / 2), 10, HPos::Left, style)?;
            }
        }
        line(root, x(self.even.0), y0 - 4, y1, INK.stroke_width(2))?;
        Ok(())
    }

    fn draw_legend(&self, root: &Area<'_>, mut x: i32, y: i32) -> Result<()> {
        for (index, name) in self.series.iter().enumerate() {
            let swatch = Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour(index).filled());
            root.draw(&swatch).map_err(|error| anyhow!("{error}"))?;
            write(root, name, (x + 15, y), 12, HPos::Left, FontStyle::Normal)?;
            x += 30 + 7 * name.len() as i32;
        }
        line(root, x + 3, y - 6, y + 6, INK.stroke_width(2))?;
        write(root, &self.even.1, (x + 12, y), 12, HPos::Left, FontStyle::Normal)
    }
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// A round distance between lines of the grid, for at most eight of them.
fn grid_step(range: f64) -> f64 {
    let unit = 10_f64.powf((range / 8.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * unit)
        .into_iter()
        .find(|step| range / step <= 8.0)
        .unwrap_or(range)
}

/// A number on the axis, without zeros at its end.
fn shortest(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn line(root: &Area<'_>, x: i32, top: i32, bottom: i32, style: ShapeStyle) -> Result<()> {
    root.draw(&PathElement::new([(x, top), (x, bottom)], style)).map_err(|error| anyhow!("{error}"))
}

/// Writes `text` beside or around a point at half its height.
fn write(
    root: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: u32,
    horizontal: HPos,
    style: FontStyle,
) -> Result<()> {
    let font = FontDesc::new(FontFamily::SansSerif, f64::from(size), style);
    let style = font.color(&INK).pos(Pos::new(horizontal, VPos::Center));
    root.draw(&Text::new(text.to_owned(), at, style)).map_err(|error| anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tables::tests::sample;

    #[test]
    fn every_class_rival_and_mean_is_drawn() {
        let svg = draw(&sample()).unwrap();
        for text in
            ["geometric mean", "rival 1.0", "other 2.0", "AVX-512", "4.00x", "0.50x", "1.00", "level 12"]
        {
            assert!(svg.contains(text), "no '{text}'");
        }
        assert!(svg.contains("<style>"));
        assert_eq!(svg, draw(&sample()).unwrap(), "the same results give the same chart");
    }

    #[test]
    fn the_grid_has_round_steps() {
        assert_eq!([0.9, 6.0, 12.0, 33.0].map(grid_step), [0.2, 1.0, 2.0, 5.0]);
        assert_eq!([0.5, 2.0, 10.0, -1.0].map(shortest), ["0.5", "2", "10", "-1"]);
    }

    #[test]
    fn mean_of_savings_is_that_of_sizes() {
        assert!((mean_saving(vec![10.0, 10.0]) - 10.0).abs() < 1e-9);
    }
}
