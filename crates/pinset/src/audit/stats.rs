//! Counts of call outcomes, for the CLI, AMI and Prometheus.

use std::collections::BTreeMap;

use crate::call::dialog::Status;

/// The most names with counts of their own: a dialplan may use any number of
/// lists (`Authenticate(/pins/${EXTEN})`). Later ones are counted under
/// [`OTHERS`].
const MAX_NAMES: usize = 1000;

/// The name of the common count. No section of `authenticate.conf` and no list has
/// this name.
pub const OTHERS: &str = "(others)";

/// The counts of one PIN set or list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// The number of calls with this outcome.
    pub outcomes: BTreeMap<Status, u64>,
    /// How many entries were verified.
    pub entries: u64,
}

/// All counts, by the names of PIN sets and lists. They begin at nothing with
/// each load.
#[derive(Default)]
pub struct Stats(BTreeMap<String, Counts>);

impl Stats {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Counts one call.
    pub fn count(&mut self, name: &str, outcome: Status, entries: u32) {
        let room = self.0.len() < MAX_NAMES || self.0.contains_key(name);
        let name = if room { name } else { OTHERS };
        let counts = self.0.entry(name.to_owned()).or_default();
        *counts.outcomes.entry(outcome).or_default() += 1;
        counts.entries += u64::from(entries);
    }

    /// All that is counted, in the order of the names.
    pub fn all(&self) -> &BTreeMap<String, Counts> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_counted_where_it_belongs() {
        let mut stats = Stats::new();
        stats.count("a", Status::Success, 2);
        stats.count("a", Status::Success, 1);
        stats.count("a", Status::Locked, 0);
        stats.count("b", Status::Failure, 3);
        let a = &stats.all()["a"];
        assert_eq!(a.outcomes[&Status::Success], 2);
        assert_eq!(a.outcomes[&Status::Locked], 1);
        assert_eq!((a.outcomes.len(), a.entries), (2, 3));
        assert_eq!(stats.all()["b"].entries, 3);
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let mut stats = Stats::new();
        for list in 0..MAX_NAMES + 5 {
            stats.count(&format!("/pins/{list}"), Status::Failure, 1);
        }
        stats.count("/pins/0", Status::Failure, 1);
        assert_eq!(stats.all().len(), MAX_NAMES + 1);
        assert_eq!(stats.all()[OTHERS].entries, 5);
        assert_eq!(stats.all()["/pins/0"].entries, 2);
    }
}
