//! Lines over sizes that grow by powers of ten, in panels side by side.

use super::{FAINT, begin, colour, text};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 360.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 284.0;

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// In the legend.
    pub name: String,
    /// Size (at least 1) and value.
    pub points: Vec<(f64, f64)>,
}

/// Lines over one another.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Above it.
    pub name: String,
    /// All panels have the same lines in the same order.
    pub lines: Vec<Line>,
}

/// The plot. Values are ratios: 1 is what the smallest size costs.
#[derive(Debug, Clone)]
pub struct Lines {
    /// What is shown, in one line.
    pub title: String,
    /// How it was measured, in one line.
    pub subtitle: String,
    /// The ratios between which a line counts as flat; the band is shaded.
    pub flat: (f64, f64),
    /// From the left.
    pub panels: Vec<Panel>,
}

impl Lines {
    /// The plot as SVG.
    pub fn svg(&self) -> String {
        let mut svg = begin(WIDTH as u32, HEIGHT as u32, &self.title);
        svg += &text(
            8.0,
            20.0,
            "start",
            " font-size=\"16\" font-weight=\"600\"",
            &self.title,
        );
        svg += &text(8.0, 40.0, "start", "", &self.subtitle);
        let width = WIDTH / self.panels.len().max(1) as f64;
        for (number, panel) in self.panels.iter().enumerate() {
            let left = width * number as f64 + 46.0;
            svg += &self.panel(panel, left, width * (number as f64 + 1.0) - 28.0);
        }
        let legend = self.panels.first().map(|panel| panel.lines.as_slice());
        for (number, line) in legend.unwrap_or_default().iter().enumerate() {
            let (x, y) = (
                8.0 + (number % 3) as f64 * WIDTH / 3.0,
                BOTTOM + 48.0 + (number / 3) as f64 * 20.0,
            );
            svg += &format!(
                "<path d=\"M{x:.1} {:.1}h22\" stroke=\"{}\" stroke-width=\"2.5\"/>\n",
                y - 4.0,
                colour(number)
            );
            svg += &text(x + 28.0, y, "start", "", &line.name);
        }
        svg + "</svg>\n"
    }

    fn panel(&self, panel: &Panel, left: f64, right: f64) -> String {
        let points = || panel.lines.iter().flat_map(|line| &line.points);
        let largest = points().map(|(size, _)| *size).fold(10.0, f64::max);
        // The band with some room on both sides, and more where a line needs it.
        let room = self.flat.1 - self.flat.0;
        let low = points()
            .map(|(_, value)| *value)
            .fold(self.flat.0 - room / 5.0, f64::min);
        let high = points()
            .map(|(_, value)| *value)
            .fold(self.flat.1 + room / 5.0, f64::max);
        let x = |size: f64| left + size.max(1.0).log10() / largest.log10() * (right - left);
        let y = |value: f64| BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP);
        let mut svg = text(
            left,
            TOP - 14.0,
            "start",
            " font-weight=\"600\"",
            &panel.name,
        );
        svg += &format!(
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#3fb95022\"/>\n",
            y(self.flat.1),
            right - left,
            y(self.flat.0) - y(self.flat.1),
        );
        for value in [self.flat.0, 1.0, self.flat.1] {
            let at = y(value);
            svg += &format!(
                "<line x1=\"{left:.1}\" y1=\"{at:.1}\" x2=\"{right:.1}\" y2=\"{at:.1}\" stroke=\"{FAINT}\"/>\n"
            );
            svg += &text(
                left - 6.0,
                at + 4.0,
                "end",
                " font-size=\"11\"",
                &format!("{value:.2}"),
            );
        }
        for power in 0..=largest.log10().floor() as u32 {
            let size = 10_f64.powi(power as i32);
            svg += &text(
                x(size),
                BOTTOM + 18.0,
                "middle",
                " font-size=\"11\"",
                &thousands(size as u64),
            );
        }
        for (number, line) in panel.lines.iter().enumerate() {
            let path = line
                .points
                .iter()
                .map(|(size, value)| format!("{:.1},{:.1}", x(*size), y(*value)))
                .collect::<Vec<_>>()
                .join(" ");
            svg += &format!(
                "<polyline points=\"{path}\" fill=\"none\" stroke=\"{0}\" stroke-width=\"2\"/>\n",
                colour(number)
            );
            for (size, value) in &line.points {
                svg += &format!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{}\"/>\n",
                    x(*size),
                    y(*value),
                    colour(number)
                );
            }
        }
        svg
    }
}

/// `10000` as `10,000`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(thousands(100_000), "100,000");
    }

    #[test]
    fn every_point_is_drawn_and_named() {
        let line = |name: &str| Line {
            name: name.to_owned(),
            points: vec![(1.0, 1.0), (10.0, 1.02), (100.0, 1.5)],
        };
        let svg = Lines {
            title: "t".to_owned(),
            subtitle: "s".to_owned(),
            flat: (0.9, 1.1),
            panels: vec![
                Panel {
                    name: "fuel".to_owned(),
                    lines: vec![line("routes"), line("issuers")],
                },
                Panel {
                    name: "time".to_owned(),
                    lines: vec![line("routes"), line("issuers")],
                },
            ],
        }
        .svg();
        assert_eq!(svg.matches("<circle").count(), 12);
        assert_eq!(
            svg.matches(">routes<").count(),
            1,
            "one legend for all panels"
        );
        assert!(svg.contains(">0.90<") && svg.contains(">100<"));
        // What leaves the band is still inside the panel.
        assert!(!svg.contains("cy=\"-"), "{svg}");
    }
}
