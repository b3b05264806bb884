//! A run as a drawing (SVG): faults, availability, throughput and latency, one below the other over one axis of time.
//!
//! The drawing names classes, and the page that holds it gives them colours, so that it follows light and dark. Every
//! mark has a title, which browsers show under the pointer: no script is needed.

use core::fmt::{Display, Write};
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use minijinja::HtmlEscape;

use super::series::{Slice, round_down, round_up};
use super::timeline::Span;
use crate::base::time::{Duration, Instant};
use crate::sim::percentiles::Percentiles;

/// From left to right, in units of the drawing: labels, then time, then a margin.
const WIDTH: f64 = 1040.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 14.0;
/// From top to bottom: the row of one fault, the title of a panel, and what is between panels.
const ROW: f64 = 17.0;
const TITLE: f64 = 22.0;
const GAP: f64 = 16.0;
/// The page has so many colours for kinds of faults.
const COLOURS: usize = 6;
/// The height of what is not all, however small a share it is: one failure is seen.
const SEEN: f64 = 1.5;

/// What is drawn.
pub struct Chart<'a> {
    pub end: Instant,
    pub spans: &'a [Span],
    pub slices: &'a [Slice],
}

/// A class of the page, and what it stands for.
type Legend<'a> = [(&'a str, &'a str)];

impl Chart<'_> {
    /// The drawing, as one `svg` element.
    pub fn draw(&self) -> String {
        let mut pen = Pen { chart: self, svg: String::new(), y: 2.0 };
        pen.timeline();
        let panels = pen.y;
        pen.availability();
        pen.throughput();
        pen.latency("latency of gets", |slice| slice.reads);
        pen.latency("latency of puts and deletes", |slice| slice.writes);
        pen.axis();
        let height = pen.y;
        pen.pointed(panels, height - GAP);
        let svg = format!("{}{}{}", self.grid(height), self.shades(height - GAP), pen.svg);
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"The run over time\">\n{svg}</svg>"
        )
    }

    fn x(&self, at: Instant) -> f64 {
        let share = at.0 as f64 / self.end.0.max(1) as f64;
        LEFT + share.min(1.0) * (WIDTH - LEFT - RIGHT)
    }

    /// Where a span is drawn: at least so wide that it is seen.
    fn stretch(&self, span: &Span) -> (f64, f64) {
        let from = self.x(span.from).min(WIDTH - RIGHT - 2.0);
        (from, (self.x(span.to) - from).max(2.0))
    }

    /// The class of a kind of faults: kinds are numbered in the order in which they first occur.
    fn class(&self, kind: &str) -> String {
        let mut kinds: Vec<&str> = Vec::new();
        for span in self.spans.iter().filter(|span| span.kind != "calm") {
            if !kinds.contains(&span.kind) {
                kinds.push(span.kind);
            }
        }
        match kinds.iter().position(|known| *known == kind) {
            Some(number) => format!("fault{}", number % COLOURS),
            None => "calm".into(),
        }
    }

    /// Moments on the axis of time.
    fn ticks(&self) -> impl Iterator<Item = Instant> {
        let step = round_up((self.end.0 / 10).max(1));
        (0..=self.end.0 / step).map(move |number| Instant(number * step))
    }

    fn grid(&self, height: f64) -> String {
        let mut svg = String::new();
        for at in self.ticks() {
            let x = self.x(at);
            mark(&mut svg, format_args!("<path class=\"grid\" d=\"M{x:.1} 0V{:.1}\"/>", height - GAP));
        }
        svg
    }

    /// Faults are seen behind everything else.
    fn shades(&self, height: f64) -> String {
        let mut svg = String::new();
        for span in self.spans {
            let ((x, width), class) = (self.stretch(span), self.class(span.kind));
            mark(
                &mut svg,
                format_args!(
                    "<rect class=\"shade {class}\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
                ),
            );
        }
        svg
    }
}

/// Draws from top to bottom.
struct Pen<'a> {
    chart: &'a Chart<'a>,
    svg: String,
    /// How far it has come.
    y: f64,
}

impl Pen<'_> {
    /// One row for each label, in the order in which labels first occur.
    fn timeline(&mut self) {
        let mut labels: Vec<&str> = Vec::new();
        for span in self.chart.spans {
            if !labels.contains(&span.label.as_str()) {
                labels.push(&span.label);
            }
        }
        for label in labels {
            self.label(self.y + ROW - 5.0, HtmlEscape(label));
            for span in self.chart.spans.iter().filter(|span| span.label == label) {
                let ((x, width), class) = (self.chart.stretch(span), self.chart.class(span.kind));
                let (y, height, note) = (self.y + 3.0, ROW - 5.0, HtmlEscape(&span.note));
                mark(
                    &mut self.svg,
                    format_args!(
                        "<rect class=\"bar {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                     height=\"{height:.1}\" rx=\"2\"><title>{} {note}</title></rect>",
                        HtmlEscape(label)
                    ),
                );
            }
            self.y += ROW;
        }
    }

    /// The frame of a panel, and where its drawing ends.
    fn panel(&mut self, title: &str, height: f64, legend: &Legend) -> f64 {
        self.y += GAP;
        let base = self.y + TITLE - 8.0;
        mark(
            &mut self.svg,
            format_args!("<text class=\"title\" x=\"{LEFT}\" y=\"{base:.1}\">{title}</text>"),
        );
        let mut x = WIDTH - RIGHT;
        for (class, name) in legend.iter().rev() {
            x -= name.chars().count() as f64 * 7.0;
            mark(&mut self.svg, format_args!("<text x=\"{x:.1}\" y=\"{base:.1}\">{name}</text>"));
            x -= 15.0;
            let y = base - 9.0;
            mark(
                &mut self.svg,
                format_args!(
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"10\" height=\"10\" rx=\"2\"/>"
                ),
            );
            x -= 14.0;
        }
        self.y += TITLE + height;
        self.y
    }

    fn label(&mut self, y: f64, text: impl Display) {
        let x = LEFT - 8.0;
        mark(&mut self.svg, format_args!("<text class=\"label\" x=\"{x}\" y=\"{y:.1}\">{text}</text>"));
    }

    /// A line across the panel, with what it stands for.
    fn rule(&mut self, y: f64, text: impl Display) {
        let right = WIDTH - RIGHT;
        mark(&mut self.svg, format_args!("<path class=\"rule\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
        self.label(y + 4.0, text);
    }

    /// What lies between two heights in each slice. Slices that have none leave a gap.
    fn area(&mut self, class: &str, of: impl Fn(&Slice) -> Option<(f64, f64)>) {
        let mut path = String::new();
        let drawn: Vec<(&Slice, Option<(f64, f64)>)> =
            self.chart.slices.iter().map(|slice| (slice, of(slice))).collect();
        for run in drawn.chunk_by(|a, b| a.1.is_some() == b.1.is_some()) {
            let steps = run.iter().filter_map(|(slice, bounds)| Some((slice, (*bounds)?)));
            let mut start = "M";
            for (slice, (_, top)) in steps.clone() {
                let (from, to) = (self.chart.x(slice.from), self.chart.x(slice.to));
                mark(&mut path, format_args!("{start}{from:.1} {top:.1}H{to:.1}"));
                start = "L";
            }
            for (slice, (bottom, _)) in steps.rev() {
                let (from, to) = (self.chart.x(slice.from), self.chart.x(slice.to));
                mark(&mut path, format_args!("L{to:.1} {bottom:.1}H{from:.1}"));
            }
            if start == "L" {
                path.push('Z');
            }
        }
        mark(&mut self.svg, format_args!("<path class=\"{class}\" d=\"{}\"/>", path.replace('\n', "")));
    }

    fn availability(&mut self) {
        const HEIGHT: f64 = 70.0;
        let legend = [("ok", "succeeded"), ("failed", "did not")];
        let bottom = self.panel("availability", HEIGHT, &legend);
        let top = bottom - HEIGHT;
        let level = |slice: &Slice| {
            let failed = 10_000 - slice.classes.availability()?;
            let depth = failed as f64 / 10_000.0 * HEIGHT;
            Some(top + if slice.classes.ok == slice.classes.total() { 0.0 } else { depth.max(SEEN) })
        };
        self.area("ok", |slice| Some((bottom, level(slice)?)));
        self.area("failed", |slice| Some((level(slice)?, top)));
        for (share, text) in [(0.0, "100%"), (0.5, "50%"), (1.0, "0%")] {
            self.rule(top + share * HEIGHT, text);
        }
    }

    fn throughput(&mut self) {
        const HEIGHT: f64 = 90.0;
        let totals = self.chart.slices.iter().map(|slice| slice.per_second(slice.classes.total()));
        let most = round_up(totals.max().unwrap_or(0).max(1));
        let legend = [("ok", "ok"), ("rejected", "rejected"), ("unknown", "unknown")];
        let bottom = self.panel("operations per second, by outcome", HEIGHT, &legend);
        let y = |slice: &Slice, count: u64| bottom - slice.per_second(count) as f64 / most as f64 * HEIGHT;
        let band = |slice: &Slice, below: u64, count: u64| {
            (count > 0).then(|| (y(slice, below), y(slice, below + count)))
        };
        self.area("ok", |slice| band(slice, 0, slice.classes.ok));
        self.area("rejected", |slice| band(slice, slice.classes.ok, slice.classes.rejected));
        self.area("unknown", |slice| {
            band(slice, slice.classes.ok + slice.classes.rejected, slice.classes.unknown)
        });
        for (share, text) in [(0, String::from("0")), (1, format!("{}", most / 2)), (2, format!("{most}"))] {
            // Half of 1 or 5 is no whole number, and so few are no scale.
            if share != 1 || most.is_multiple_of(2) {
                self.rule(bottom - f64::from(share) / 2.0 * HEIGHT, text);
            }
        }
    }

    /// Bands of percentiles over a logarithmic axis.
    fn latency(&mut self, title: &str, of: impl Fn(&Slice) -> Option<Percentiles>) {
        const HEIGHT: f64 = 120.0;
        let legend = [("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("max", "max")];
        let bottom = self.panel(title, HEIGHT, &legend);
        let all = || self.chart.slices.iter().filter_map(&of);
        let (low, high) = (all().map(|of| of.p50).min(), all().map(|of| of.max).max());
        let (low, high) = (round_down(low.unwrap_or(0).max(1)), round_up(high.unwrap_or(1).max(1)));
        let high = high.max(low.saturating_mul(10));
        let y = |value: u64| {
            let share = (log2(value.max(low)) - log2(low)) / (log2(high) - log2(low));
            bottom - share * HEIGHT
        };
        self.area("max", |slice| of(slice).map(|of| (y(of.p99), y(of.max))));
        self.area("p99", |slice| of(slice).map(|of| (y(of.p90), y(of.p99))));
        self.area("p90", |slice| of(slice).map(|of| (y(of.p50), y(of.p90))));
        self.area("p50", |slice| of(slice).map(|of| (y(of.p50) + 1.0, y(of.p50) - 1.0)));
        for value in scale(low, high) {
            self.rule(y(value), Duration(value));
        }
    }

    fn axis(&mut self) {
        self.y += GAP;
        for at in self.chart.ticks() {
            let (x, y) = (self.chart.x(at), self.y - 2.0);
            let at = if at == Instant::ZERO { "0".into() } else { format!("{at}") };
            mark(&mut self.svg, format_args!("<text class=\"tick\" x=\"{x:.1}\" y=\"{y:.1}\">{at}</text>"));
        }
        self.y += 4.0;
    }

    /// What each slice says under the pointer.
    fn pointed(&mut self, top: f64, bottom: f64) {
        for slice in self.chart.slices {
            let (x, to) = (self.chart.x(slice.from), self.chart.x(slice.to));
            let (width, height) = (to - x, bottom - top);
            mark(
                &mut self.svg,
                format_args!(
                    "<rect class=\"pointed\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
                 <title>{}</title></rect>",
                    told(slice)
                ),
            );
        }
    }
}

/// A slice in words.
fn told(slice: &Slice) -> String {
    let classes = slice.classes;
    let mut lines = vec![
        format!("{} to {}", slice.from, slice.to),
        format!("{} ok, {} rejected, {} unknown", classes.ok, classes.rejected, classes.unknown),
    ];
    for (name, latency) in [("gets", slice.reads), ("puts and deletes", slice.writes)] {
        if let Some(Percentiles { p50, p90, p99, max, .. }) = latency {
            let [p50, p90, p99, max] = [p50, p90, p99, max].map(Duration);
            lines.push(format!("{name}: p50 {p50}, p90 {p90}, p99 {p99}, max {max}"));
        }
    }
    lines.join("\n")
}

fn mark(svg: &mut String, mark: core::fmt::Arguments<'_>) {
    writeln!(svg, "{mark}").expect("a String takes everything");
}

/// The binary logarithm, linear between powers of two: at most 0.09 too small, and the same on every machine.
fn log2(value: u64) -> f64 {
    let whole = value.max(1).ilog2();
    f64::from(whole) + value.max(1) as f64 / (1u64 << whole) as f64 - 1.0
}

/// Round values from `low` to `high`, both round: all of them, or the powers of ten if that is too many.
fn scale(low: u64, high: u64) -> Vec<u64> {
    let mut values = vec![low];
    while let Some(last) = values.last().copied().filter(|last| *last < high) {
        values.push(round_up(last + 1));
    }
    if values.len() > 8 {
        values.retain(|value| 10u64.pow(value.ilog10()) == *value);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::report::stats::Classes;

    fn slice(number: u64, ok: u64) -> Slice {
        let latency =
            Percentiles { p50: 2_000_000, p90: 3_000_000, p99: 4_000_000, p999: 5_000_000, max: 60_000_000 };
        Slice {
            from: Instant(number * 1_000_000_000),
            to: Instant((number + 1) * 1_000_000_000),
            classes: Classes { ok, rejected: 1, unknown: 0 },
            reads: (ok > 0).then_some(latency),
            writes: None,
        }
    }

    #[test]
    fn a_drawing_is_well_formed_and_escapes_what_it_is_told() {
        let slices = [slice(0, 10), slice(1, 0), slice(2, 5)];
        let span = Span {
            drawn: false,
            kind: "partition",
            label: "n1 > n2".into(),
            from: Instant(500_000_000),
            to: Instant(900_000_000),
            note: "<script>".into(),
        };
        let svg = Chart { end: Instant(3_000_000_000), spans: &[span], slices: &slices }.draw();
        let parsed = roxmltree::Document::parse(&svg).expect("well-formed XML");
        assert!(!svg.contains("<script>") && svg.contains("n1 &gt; n2"), "{svg}");
        let of_class = |class: &str| {
            parsed.descendants().filter(|node| node.attribute("class") == Some(class)).collect::<Vec<_>>()
        };
        // A gap where nothing succeeded: two runs of slices, so two paths in one.
        let p99 = of_class("p99").into_iter().find_map(|node| node.attribute("d")).expect("drawn");
        assert_eq!(p99.matches('M').count(), 2, "{p99}");
        assert_eq!(of_class("pointed").len(), 3);
        assert_eq!(of_class("bar fault0").len(), 1);
    }

    #[test]
    fn the_logarithm_grows_and_is_exact_at_powers_of_two() {
        assert_eq!((log2(1), log2(8), log2(12)), (0.0, 3.0, 3.5));
        assert!((1..5000).all(|value| log2(value) < log2(value + 1)));
    }

    #[test]
    fn scales_are_round() {
        assert_eq!(scale(1, 10), [1, 2, 5, 10]);
        assert_eq!(scale(2, 5_000), [10, 100, 1_000]);
    }
}
