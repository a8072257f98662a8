//! A metric in Prometheus' text format.

use std::fmt::{Display, Write};

use crate::escape::escape;

/// A metric: its head, and a line for each set of labels.
pub struct Metric {
    name: &'static str,
    text: String,
}

impl Metric {
    /// One without values. `kind` is a word of Prometheus: `counter`, `gauge`.
    pub fn new(name: &'static str, kind: &str, help: &str) -> Self {
        let text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Self { name, text }
    }

    /// Adds a value.
    pub fn add(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        let mut before = '{';
        for (label, value) in labels {
            let value = label_value(value);
            // Writing into a String does not fail.
            let _ = write!(self.text, "{before}{label}=\"{value}\"");
            before = ',';
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.text
    }
}

/// Escapes a label as for a terminal, and `\` and `"` for Prometheus.
fn label_value(value: &str) -> String {
    escape(value.as_bytes())
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_with_control_characters_is_escaped() {
        let mut metric = Metric::new("m", "gauge", "Help.");
        metric.add(&[("a", "x\"y\\z\n%s"), ("b", "ç")], 7);
        metric.add(&[], 8);
        let wanted = "# HELP m Help.\n# TYPE m gauge\n\
            m{a=\"x\\\"y\\\\x5cz\\\\x0a%s\",b=\"ç\"} 7\nm 8\n";
        assert_eq!(metric.finish(), wanted);
    }
}
