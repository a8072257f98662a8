//! When entries were wrong, in as much memory as [`MAX_FAILURE_TIMES`] of them need.

/// The most failures of one key with times of their own, in milliseconds. Of more,
/// the two closest to each other get the time of the later one: they count for
/// longer, never for less.
pub(super) const MAX_FAILURE_TIMES: usize = 128;

/// Times and how many failures came then, oldest first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Cells(Vec<(u64, u32)>);

impl Cells {
    /// Those read from the database; `None` if they can't be ours.
    pub(super) fn restored(cells: Vec<(u64, u32)>) -> Option<Self> {
        let right = cells.len() <= MAX_FAILURE_TIMES
            && cells.iter().all(|(_, count)| *count > 0)
            && cells.is_sorted_by_key(|(time, _)| *time);
        right.then_some(Self(cells))
    }

    /// Each time and how many failures came then.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.0.iter().copied()
    }

    /// The number of failures.
    pub(super) fn count(&self) -> u32 {
        self.iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// When the last one came.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last().map(|(time, _)| *time)
    }

    /// Forgets those that came before `since`.
    pub(super) fn forget(&mut self, since: u64) {
        let gone = self.0.partition_point(|(time, _)| *time < since);
        self.0.drain(..gone);
    }

    /// Forgets all, and their memory.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// One more, now.
    pub(super) fn add(&mut self, now: u64) {
        match self.0.last_mut() {
            Some((time, count)) if *time >= now => *count = count.saturating_add(1),
            _ => self.0.push((now, 1)),
        }
        if self.0.len() > MAX_FAILURE_TIMES {
            self.merge();
        }
    }

    fn merge(&mut self) {
        let gaps = self.0.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let closest = gaps.enumerate().min_by_key(|(_, gap)| *gap);
        if let Some((at, _)) = closest {
            let (_, count) = self.0.remove(at);
            self.0[at].1 = self.0[at].1.saturating_add(count);
        }
    }
}
