//! Horizontal bars in groups, each with its label, its value and how far it varied.

use super::{FAINT, begin, colour, step, text};

const WIDTH: f64 = 760.0;
/// Where bars begin: labels stand before.
const LEFT: f64 = 250.0;
/// Where the longest bar ends: its value stands behind.
const RIGHT: f64 = 700.0;
const ROW: f64 = 21.0;
const HEAD: f64 = 56.0;

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Before the bar.
    pub label: String,
    /// Its length; a negative one is drawn as nothing and told as it is.
    pub value: f64,
    /// The least and the most that was measured.
    pub range: (f64, f64),
    /// Bars of one kind have one number, which chooses their colour.
    pub kind: usize,
}

/// Bars that are compared with each other.
#[derive(Debug, Clone)]
pub struct Group {
    /// Above the bars.
    pub name: String,
    /// From above.
    pub bars: Vec<Bar>,
}

/// The plot.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What is shown, in one line.
    pub title: String,
    /// How it was measured, in one line.
    pub subtitle: String,
    /// The unit of all values.
    pub unit: String,
    /// From above.
    pub groups: Vec<Group>,
}

impl Bars {
    /// The plot as SVG.
    pub fn svg(&self) -> String {
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let most = bars()
            .map(|bar| bar.value.max(bar.range.1))
            .fold(1.0, f64::max);
        let scale = |value: f64| LEFT + value.max(0.0) / most * (RIGHT - LEFT);
        let rows = self
            .groups
            .iter()
            .map(|group| group.bars.len() as f64 + 1.5)
            .sum::<f64>();
        let bottom = HEAD + rows * ROW;
        let mut svg = begin(WIDTH as u32, bottom as u32 + 30, &self.title);
        svg += &text(
            8.0,
            20.0,
            "start",
            " font-size=\"16\" font-weight=\"600\"",
            &self.title,
        );
        svg += &text(8.0, 40.0, "start", "", &self.subtitle);
        let step = step(most);
        for mark in 0..=(most / step) as u32 {
            let value = f64::from(mark) * step;
            let x = scale(value);
            svg += &format!(
                "<line x1=\"{x:.1}\" y1=\"{HEAD:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{FAINT}\"/>\n"
            );
            let label = if mark == 0 {
                format!("0 {}", self.unit)
            } else {
                format!("{value}")
            };
            svg += &text(x, bottom + 18.0, "middle", " font-size=\"11\"", &label);
        }
        let mut y = HEAD;
        for group in &self.groups {
            svg += &text(
                8.0,
                y + ROW * 0.85,
                "start",
                " font-weight=\"600\"",
                &group.name,
            );
            y += ROW;
            for bar in &group.bars {
                svg += &drawn(bar, y, &scale);
                y += ROW;
            }
            y += ROW / 2.0;
        }
        svg + "</svg>\n"
    }
}

fn drawn(bar: &Bar, y: f64, scale: &impl Fn(f64) -> f64) -> String {
    let (middle, end) = (y + ROW / 2.0, scale(bar.value));
    let (least, most) = (scale(bar.range.0), scale(bar.range.1));
    let mut svg = text(LEFT - 8.0, middle + 4.5, "end", "", &bar.label);
    svg += &format!(
        "<rect x=\"{LEFT:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{}\"/>\n",
        y + 3.0,
        (end - LEFT).max(1.0),
        ROW - 6.0,
        colour(bar.kind),
    );
    svg += &format!(
        "<path d=\"M{least:.1} {middle:.1}H{most:.1}M{least:.1} {:.1}v6M{most:.1} {:.1}v6\" stroke=\"{}\" fill=\"none\"/>\n",
        middle - 3.0,
        middle - 3.0,
        super::TEXT,
    );
    svg + &text(
        most.max(end) + 6.0,
        middle + 4.5,
        "start",
        " font-weight=\"600\"",
        &format!("{:.1}", bar.value),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_is_drawn_in_proportion() {
        let bar = |label: &str, value: f64| Bar {
            label: label.to_owned(),
            value,
            range: (value - 1.0, value),
            kind: 0,
        };
        let svg = Bars {
            title: "t & u".to_owned(),
            subtitle: String::new(),
            unit: "µs".to_owned(),
            groups: vec![Group {
                name: "g".to_owned(),
                bars: vec![bar("whole", 90.0), bar("half", 45.0)],
            }],
        }
        .svg();
        assert!(svg.contains("t &amp; u"));
        assert!(svg.contains(">90.0<") && svg.contains(">45.0<"));
        assert!(
            svg.contains("width=\"450.0\"") && svg.contains("width=\"225.0\""),
            "{svg}"
        );
        assert!(svg.trim_end().ends_with("</svg>"));
    }
}
