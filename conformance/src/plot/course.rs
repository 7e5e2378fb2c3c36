//! One value over time.

use super::{FAINT, begin, colour, step, text};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 262.0;

/// The plot.
#[derive(Debug, Clone)]
pub struct Course {
    /// What is shown, in one line.
    pub title: String,
    /// What happened, in one line.
    pub subtitle: String,
    /// The beginning that is shaded, in minutes.
    pub shaded_to: f64,
    /// Minutes and values.
    pub points: Vec<(f64, f64)>,
}

impl Course {
    /// The plot as SVG. The value axis begins at zero, so that growth looks as large as it is.
    pub fn svg(&self) -> String {
        let right = WIDTH - 16.0;
        let largest = |of: fn(&(f64, f64)) -> f64| self.points.iter().map(of).fold(1.0, f64::max);
        let (long, high) = (largest(|point| point.0), largest(|point| point.1) * 1.1);
        let x = |minutes: f64| LEFT + minutes / long * (right - LEFT);
        let y = |value: f64| BOTTOM - value / high * (BOTTOM - TOP);
        let mut svg = begin(WIDTH as u32, HEIGHT as u32, &self.title);
        svg += &text(
            8.0,
            20.0,
            "start",
            " font-size=\"16\" font-weight=\"600\"",
            &self.title,
        );
        svg += &text(8.0, 40.0, "start", "", &self.subtitle);
        svg += &format!(
            "<rect x=\"{LEFT:.1}\" y=\"{TOP:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{FAINT}\"/>\n",
            x(self.shaded_to.min(long)) - LEFT,
            BOTTOM - TOP,
        );
        let mark = step(high);
        for number in 0..=(high / mark) as u32 {
            let value = f64::from(number) * mark;
            let at = y(value);
            svg += &format!(
                "<line x1=\"{LEFT:.1}\" y1=\"{at:.1}\" x2=\"{right:.1}\" y2=\"{at:.1}\" stroke=\"{FAINT}\"/>\n"
            );
            svg += &text(
                LEFT - 6.0,
                at + 4.0,
                "end",
                " font-size=\"11\"",
                &format!("{value:.0}"),
            );
        }
        let mark = step(long);
        for number in 0..=(long / mark) as u32 {
            let minutes = f64::from(number) * mark;
            svg += &text(
                x(minutes),
                BOTTOM + 18.0,
                "middle",
                " font-size=\"11\"",
                &format!("{minutes:.0} min"),
            );
        }
        let path = self
            .points
            .iter()
            .map(|(minutes, value)| format!("{:.1},{:.1}", x(*minutes), y(*value)))
            .collect::<Vec<_>>()
            .join(" ");
        svg += &format!(
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n",
            colour(0)
        );
        svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_inside() {
        let svg = Course {
            title: "t".to_owned(),
            subtitle: "s".to_owned(),
            shaded_to: 10.0,
            points: (0..60)
                .map(|n| (f64::from(n), 100.0 + f64::from(n)))
                .collect(),
        }
        .svg();
        let path = svg
            .split("points=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let points: Vec<&str> = path.unwrap().split(' ').collect();
        assert_eq!(points.len(), 60);
        for point in points {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!(
                (LEFT..WIDTH).contains(&x) && (TOP..=BOTTOM).contains(&y),
                "{point}"
            );
        }
        assert!(svg.contains(">0 min<") && svg.contains(">50 min<"));
    }
}
