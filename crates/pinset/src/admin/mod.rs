//! Text for those who operate it: tables for a terminal, metrics for Prometheus.

mod metric;
mod table;

pub use metric::Metric;
pub use table::Table;
