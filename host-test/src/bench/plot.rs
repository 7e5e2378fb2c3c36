//! The report as a picture: one line a scenario, from the median to the slowest, on a logarithmic axis of time.

use std::fmt::Write as _;

use super::report::{Measured, Report};
use super::table::{grouped, time};

/// Sizes in pixels.
const WIDTH: f64 = 1080.0;
const TOP: f64 = 92.0;
const ROW: f64 = 30.0;
const BOTTOM: f64 = 62.0;
/// Where the axis begins and ends; right of it stand the columns.
const LEFT: f64 = 300.0;
const RIGHT: f64 = 780.0;
/// Right edges of the columns.
const COLUMNS: [(f64, &str); 3] = [(868.0, "p50"), (958.0, "req/s"), (1056.0, "fuel")];

const INK: &str = "#1c2733";
const PALE: &str = "#667788";
const GRID: &str = "#e3e8ee";
const SPREAD: &str = "#9db8d6";
const MEDIAN: &str = "#1f5fa8";
const TAIL: &str = "#c2571a";

/// A logarithmic axis over decades of nanoseconds.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// Whole decades round everything that is shown, one at least.
    fn over(report: &Report) -> Self {
        let mut least = f64::INFINITY;
        let mut most = 0.0f64;
        for Measured { times, .. } in &report.scenarios {
            let slowest = times.p999.or(times.p99).unwrap_or(times.p50);
            least = least.min(exponent(times.p50.as_secs_f64()));
            most = most.max(exponent(slowest.as_secs_f64()));
        }
        let from = if least.is_finite() {
            least.floor()
        } else {
            3.0
        };
        Self {
            from,
            to: most.ceil().max(from + 1.0),
        }
    }

    fn x(&self, seconds: f64) -> f64 {
        let share = (exponent(seconds) - self.from) / (self.to - self.from);
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }
}

/// Decimal exponent of a time in nanoseconds; shorter than one counts as one.
fn exponent(seconds: f64) -> f64 {
    (seconds * 1e9).max(1.0).log10()
}

impl Report {
    /// The report as an SVG picture that needs nothing else.
    pub fn to_svg(&self) -> String {
        let axis = Axis::over(self);
        let mut svg = String::new();
        let drawn = self.draw(&axis, &mut svg);
        debug_assert!(drawn.is_ok(), "a String takes everything");
        svg
    }

    /// The picture and the table as a page that needs nothing else.
    pub fn to_html(&self) -> String {
        let title = format!("host-test bench: {}", escaped(&self.filter));
        let (svg, table) = (self.to_svg(), escaped(&self.to_string()));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <style>body{{margin:2rem auto;max-width:{WIDTH}px;color:{INK};font-family:system-ui,sans-serif}}\
             pre{{overflow-x:auto;font-size:.85rem}}svg{{max-width:100%;height:auto}}</style>\n{svg}\n<pre>{table}</pre>\n</html>\n"
        )
    }

    fn draw(&self, axis: &Axis, svg: &mut String) -> std::fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "a handful of scenarios")]
        let floor = TOP + ROW * self.scenarios.len().max(1) as f64;
        let height = floor + BOTTOM;
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"{INK}\">"
        )?;
        writeln!(
            svg,
            "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
        )?;
        writeln!(
            svg,
            "<text x=\"24\" y=\"32\" font-size=\"18\" font-weight=\"600\">{} in host-test</text>",
            escaped(&self.filter)
        )?;
        writeln!(
            svg,
            "<text x=\"24\" y=\"54\" fill=\"{PALE}\">whole requests, one thread, without a network</text>"
        )?;
        legend(svg)?;
        grid(svg, axis, floor)?;
        for (right, title) in COLUMNS {
            let y = TOP - 10.0;
            writeln!(
                svg,
                "<text x=\"{right}\" y=\"{y}\" text-anchor=\"end\" font-weight=\"600\">{title}</text>"
            )?;
        }
        let mut y = TOP + ROW / 2.0;
        for measured in &self.scenarios {
            row(svg, axis, measured, y)?;
            y += ROW;
        }
        writeln!(svg, "</svg>")
    }
}

fn legend(svg: &mut String) -> std::fmt::Result {
    let y = 50.0;
    let mut x = 560.0;
    for (mark, text, width) in [
        (circle(x, y), "median", 80.0),
        (tick(x + 80.0, y, SPREAD), "99 of 100", 100.0),
        (tick(x + 180.0, y, TAIL), "999 of 1000 took no longer", 0.0),
    ] {
        let (at, base) = (x + 10.0, y + 4.5);
        writeln!(
            svg,
            "{mark}<text x=\"{at}\" y=\"{base}\" fill=\"{PALE}\">{text}</text>"
        )?;
        x += width;
    }
    Ok(())
}

fn grid(svg: &mut String, axis: &Axis, floor: f64) -> std::fmt::Result {
    let mut exponent = axis.from;
    while exponent <= axis.to + 0.001 {
        let x = axis.x(10f64.powf(exponent) / 1e9);
        let (top, label_y) = (TOP - 4.0, floor + 20.0);
        let label = decade(exponent);
        writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{floor}\" stroke=\"#c5ced8\"/>\
             <text x=\"{x:.1}\" y=\"{label_y}\" text-anchor=\"middle\">{label}</text>"
        )?;
        if exponent + 1.0 <= axis.to + 0.001 {
            for step in 2..10 {
                let x = axis.x(f64::from(step) * 10f64.powf(exponent) / 1e9);
                writeln!(
                    svg,
                    "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{floor}\" stroke=\"{GRID}\" stroke-width=\"0.7\"/>"
                )?;
            }
        }
        exponent += 1.0;
    }
    let (middle, y) = ((LEFT + RIGHT) / 2.0, floor + 44.0);
    writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{PALE}\">time of one request (logarithmic)</text>"
    )
}

/// `1 µs`, `10 ms`: the power of ten in nanoseconds.
fn decade(exponent: f64) -> String {
    let (unit, of) = match exponent {
        nanos if nanos < 3.0 => ("ns", 0.0),
        micros if micros < 6.0 => ("µs", 3.0),
        millis if millis < 9.0 => ("ms", 6.0),
        _ => ("s", 9.0),
    };
    format!("{:.0} {unit}", 10f64.powf(exponent - of))
}

fn row(svg: &mut String, axis: &Axis, measured: &Measured, y: f64) -> std::fmt::Result {
    let Measured { count, times } = measured;
    let base = y + 4.5;
    let (name_x, median_x) = (LEFT - 16.0, axis.x(times.p50.as_secs_f64()));
    writeln!(
        svg,
        "<text x=\"{name_x}\" y=\"{base}\" text-anchor=\"end\">{}</text>",
        escaped(&count.scenario)
    )?;
    if let Some(slowest) = times.p999.or(times.p99) {
        let x = axis.x(slowest.as_secs_f64());
        writeln!(
            svg,
            "<line x1=\"{median_x:.1}\" x2=\"{x:.1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{SPREAD}\" stroke-width=\"4\"/>"
        )?;
    }
    if let Some(p99) = times.p99 {
        writeln!(svg, "{}", tick(axis.x(p99.as_secs_f64()), y, SPREAD))?;
    }
    if let Some(p999) = times.p999 {
        writeln!(svg, "{}", tick(axis.x(p999.as_secs_f64()), y, TAIL))?;
    }
    writeln!(svg, "{}", circle(median_x, y))?;
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let cells = [
        time(times.p50),
        grouped(times.per_second()),
        grouped(count.fuel as f64),
    ];
    for ((right, _), cell) in COLUMNS.iter().zip(cells) {
        writeln!(
            svg,
            "<text x=\"{right}\" y=\"{base}\" text-anchor=\"end\">{cell}</text>"
        )?;
    }
    Ok(())
}

fn circle(x: f64, y: f64) -> String {
    format!("<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"5\" fill=\"{MEDIAN}\"/>")
}

fn tick(x: f64, y: f64, colour: &str) -> String {
    let (top, low) = (y - 7.0, y + 7.0);
    format!(
        "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{low}\" stroke=\"{colour}\" stroke-width=\"2.5\"/>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn the_axis_covers_everything_in_whole_decades() {
        let report = report(&[("a", 1, 12), ("b", 1, 700)]);
        let axis = Axis::over(&report);
        assert_eq!((axis.from, axis.to), (4.0, 7.0));
        assert_eq!(axis.x(1e-5), LEFT);
        assert_eq!(axis.x(1e-2), RIGHT);
        assert!((axis.x(1e-4) - (LEFT + (RIGHT - LEFT) / 3.0)).abs() < 0.01);
        assert_eq!(
            (decade(4.0), decade(6.0)),
            ("10 µs".to_owned(), "1 ms".to_owned())
        );
    }

    #[test]
    fn every_scenario_is_in_the_picture_and_names_are_escaped() {
        let report = report(&[("a <b> & \"c\"", 1234, 12), ("d", 1, 700)]);
        let svg = report.to_svg();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("a &lt;b&gt; &amp; &quot;c&quot;") && !svg.contains("<b>"));
        assert!(svg.contains("1,234") && svg.contains("time of one request"));
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        let html = report.to_html();
        assert!(html.contains("<svg ") && html.contains("<pre>scenario"));
        assert!(
            !html.contains("http://") || html.matches("http").count() == 1,
            "no links but the namespace"
        );
    }

    #[test]
    fn a_report_without_scenarios_draws_an_empty_axis() {
        assert!(report(&[]).to_svg().contains("1 µs"));
    }
}
