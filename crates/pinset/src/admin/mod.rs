//! Text for administrators: tables for a terminal, metrics for Prometheus, pages of long
//! lists.

mod metric;
mod page;
mod table;
pub mod tcp_table;

pub use metric::Metric;
pub use page::{EntryKey, EntryKeys, Page, PageRequest};
pub use table::Table;
