//! Charts of lines in SVG, with logarithmic axes. Colors are those of the reader's light or
//! dark theme; there are no scripts and no fonts of ours.

use std::fmt::Write;

/// The size of a chart, and of what is around its lines.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 132.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 48.0;

const STYLE: &str = "\
svg { background: #ffffff; font: 13px sans-serif; --text: #1f2328; --grid: #d1d9e0; \
--c0: #b35900; --c1: #0550ae; --c2: #d4a72c; --c3: #1a7f37 }
@media (prefers-color-scheme: dark) { svg { background: #0d1117; --text: #e6edf3; \
--grid: #3d444d; --c0: #f0883e; --c1: #58a6ff; --c2: #e3b341; --c3: #3fb950 } }
text { fill: var(--text) } .title { font-weight: bold } .end { text-anchor: end } \
.middle { text-anchor: middle }
.grid { stroke: var(--grid) } .line { fill: none; stroke-width: 2 }
";

/// A line of a chart.
#[derive(Debug)]
pub struct Series {
    /// Its name, beside its last point.
    pub name: String,
    /// Its points, from left to right; all numbers are above 0.
    pub points: Vec<(f64, f64)>,
}

/// A chart. Its texts have no characters that XML escapes.
#[derive(Debug)]
pub struct Chart<'a> {
    /// What is above it.
    pub title: &'a str,
    /// What is counted from left to right.
    pub x: &'a str,
    /// Its lines; the first four have colors.
    pub series: &'a [Series],
}

/// A logarithmic axis: whole powers of ten, and where they are.
struct Axis {
    first: i32,
    last: i32,
    begin: f64,
    end: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone, begin: f64, end: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::MIN_POSITIVE, f64::max);
        let first = least.min(most).log10().floor() as i32;
        Self {
            first,
            last: (most.log10().ceil() as i32).max(first + 1),
            begin,
            end,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.begin + part * (self.end - self.begin)
    }

    /// The powers of ten, each with its place and its label.
    fn ticks(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        (self.first..=self.last).map(|power| {
            let label = match power {
                ..=-1 => format!("{:.*}", power.unsigned_abs() as usize, 10_f64.powi(power)),
                0..=3 => format!("{}", 10_f64.powi(power)),
                _ => format!("10<tspan dy=\"-5\" font-size=\"10\">{power}</tspan>"),
            };
            (self.at(10_f64.powi(power)), label)
        })
    }
}

impl Chart<'_> {
    /// Returns the chart as an SVG file.
    pub fn svg(&self) -> String {
        let points = self.series.iter().flat_map(|series| &series.points);
        let x = Axis::of(points.clone().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Axis::of(points.map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             role=\"img\">\n<title>{0}</title>\n<style>\n{STYLE}</style>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"22\">{0}</text>\n",
            self.title
        );
        let mut add = |line: String| {
            svg.push_str(&line);
            svg.push('\n');
        };
        for (at, label) in x.ticks() {
            add(grid((at, y.begin), (at, y.end)));
            add(text("middle", at, y.begin + 18.0, &label));
        }
        for (at, label) in y.ticks() {
            add(grid((x.begin, at), (x.end, at)));
            add(text("end", x.begin - 8.0, at + 4.0, &label));
        }
        add(text(
            "middle",
            (x.begin + x.end) / 2.0,
            HEIGHT - 10.0,
            self.x,
        ));
        for (number, series) in self.series.iter().enumerate() {
            add(series.line(number, &x, &y));
        }
        for (at, number) in self.labels(&y) {
            let name = self.series.get(number).map_or("", |series| &series.name);
            add(format!(
                "<text x=\"{:.1}\" y=\"{at:.1}\" style=\"fill: var(--c{number})\">{name}</text>",
                self.end_of(number, &x) + 10.0
            ));
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn end_of(&self, number: usize, x: &Axis) -> f64 {
        let last = self
            .series
            .get(number)
            .and_then(|series| series.points.last());
        last.map_or(x.end, |point| x.at(point.0))
    }

    /// The height of each series' name, beside its last point, and none upon another.
    fn labels(&self, y: &Axis) -> Vec<(f64, usize)> {
        const LINE: f64 = 16.0;
        let ends = self
            .series
            .iter()
            .enumerate()
            .filter_map(|(number, series)| {
                let end = series.points.last()?;
                Some((y.at(end.1) + 4.0, number))
            });
        let mut labels: Vec<(f64, usize)> = ends.collect();
        labels.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = TOP;
        for (at, _) in &mut labels {
            *at = at.max(free);
            free = *at + LINE;
        }
        labels
    }
}

impl Series {
    fn line(&self, number: usize, x: &Axis, y: &Axis) -> String {
        let mut path = String::new();
        let mut dots = String::new();
        for (at, point) in self.points.iter().enumerate() {
            let (x, y) = (x.at(point.0), y.at(point.1));
            let command = if at == 0 { 'M' } else { 'L' };
            // Writing to a string can't fail.
            let _ = write!(path, "{command}{x:.1} {y:.1}");
            let _ = write!(dots, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        }
        format!(
            "<g style=\"fill: var(--c{number}); stroke: var(--c{number})\">\
             <path class=\"line\" d=\"{path}\"/>{dots}</g>"
        )
    }
}

fn grid(from: (f64, f64), to: (f64, f64)) -> String {
    format!(
        "<path class=\"grid\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
        from.0, from.1, to.0, to.1
    )
}

fn text(class: &str, x: f64, y: f64, text: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_shows_each_series_within_its_frame() {
        let series = [("stock", 2.0), ("ours", 0.5)].map(|(name, y)| Series {
            name: name.to_owned(),
            points: vec![(10.0, y), (1e7, y * 100.0)],
        });
        let chart = Chart {
            title: "Delay, ms",
            x: "PINs",
            series: &series,
        };
        let svg = chart.svg();
        for text in [
            "Delay, ms",
            ">PINs<",
            ">stock<",
            ">ours<",
            "prefers-color-scheme: dark",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        // From 10 to 10^7, and from 0.1 to 1000.
        assert!(svg.contains("M64.0 222.2L508.0 84.2"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 4);
    }

    #[test]
    fn names_of_series_do_not_overlap() {
        let series = ["a", "b", "c"].map(|name| Series {
            name: name.to_owned(),
            points: vec![(1.0, 1.0), (10.0, 5.0)],
        });
        let chart = Chart {
            title: "",
            x: "",
            series: &series,
        };
        let y = Axis::of([1.0, 5.0].into_iter(), HEIGHT - BOTTOM, TOP);
        let labels = chart.labels(&y);
        assert!(
            labels.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 16.0),
            "{labels:?}"
        );
    }
}
