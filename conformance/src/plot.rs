//! Plots for documents: plain SVG text that reads well on light and on dark pages, without script or font files.

mod bars;
mod course;
mod lines;

pub use bars::{Bar, Bars, Group};
pub use course::Course;
pub use lines::{Line, Lines, Panel};

/// Text: enough contrast with white and with near-black pages.
const TEXT: &str = "#768390";
/// Axes and grids.
const FAINT: &str = "#76839055";
/// The lines of one panel, and the bars of one kind, told apart. Each is readable on light and dark pages.
const COLOURS: [&str; 6] = [
    "#2f81f7", "#d29922", "#8b949e", "#3fb950", "#db61a2", "#a371f7",
];

/// A colour by number; more than there are begin anew.
fn colour(number: usize) -> &'static str {
    COLOURS[number % COLOURS.len()]
}

/// Begins an SVG of that size, with a title for who can't see it.
fn begin(width: u32, height: u32, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{TEXT}\">\n<title>{}</title>\n",
        escaped(title)
    )
}

/// Text at a place; `anchor` is `start`, `middle` or `end`, `more` further attributes.
fn text(x: f64, y: f64, anchor: &str, more: &str, content: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{more}>{}</text>\n",
        escaped(content)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A round number of units between two marks of an axis that reaches to `most`, so that there are at most eight.
fn step(most: f64) -> f64 {
    let mut step = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if most / (step * factor) <= 8.0 {
                return step * factor;
            }
        }
        step *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_few_round_marks() {
        assert_eq!(step(7.0), 1.0);
        assert_eq!(step(93.0), 20.0);
        assert_eq!(step(400.0), 50.0);
        assert_eq!(step(12_000.0), 2000.0);
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
    }
}
