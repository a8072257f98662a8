//! How much the Argon2id hashes of one number, or of one account, cost at most, and
//! whether a number has too many accounts.
//!
//! All entries of identified callers must cost the same, so that the response time
//! reveals nothing about the rows of a number or an account: those with fewer or
//! cheaper hashes, or none, are filled up to the most.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::error::TableError;
use super::hash;
use super::index::RowIndex;
use super::record::{CallerNumber, Record};
use super::signed::FoundBy;
use super::{Candidate, Rows};
use super::{MAX_ACCOUNTS, MAX_ARGON2ID_ROWS};
use crate::credential::secret::{Cost, CostParts, MAX_MEMORY_KIB, MAX_PASSES};

/// How many buckets of an index are checked in one step, which others wait for: with
/// Argon2id, all rows are read of each block that has one of a bucket.
const BUCKETS_PER_STEP: usize = 256;

/// The least memory that Argon2 takes, in KiB.
const LEAST_MEMORY: u32 = 8;

/// The memory that is recommended for Argon2id with two passes, in KiB (OWASP, Password
/// Storage).
const USUAL_MEMORY: u32 = 19 << 10;

/// The costs of the hashes that cost most together, the dearest first.
#[derive(Default)]
pub(super) struct Dearest {
    of_caller: Vec<Cost>,
    of_account: Vec<Cost>,
}

impl Dearest {
    /// Raises the costs to those of one hash of this work, if they are below it.
    pub(super) fn at_least(&mut self, dearest: u64) {
        // A row of a higher cost is refused.
        let dearest = dearest.min(u64::from(MAX_MEMORY_KIB) * u64::from(MAX_PASSES));
        for costs in [&mut self.of_caller, &mut self.of_account] {
            if work(costs) < dearest {
                *costs = one_hash(dearest);
            }
        }
    }
}

/// The costs of a hash of this work, with the memory that is recommended for one.
fn one_hash(total: u64) -> Vec<Cost> {
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    let memory = total.clamp(LEAST_MEMORY, USUAL_MEMORY);
    Cost::of((memory, total / memory, 1)).into_iter().collect()
}

/// Rows whose hashes are being weighed, a part at a time.
pub(super) struct Weighing {
    rows: Rows,
    stage: WeighStage,
    /// The next bucket of this stage.
    bucket: usize,
    /// The first row that is one too many.
    one_too_many: Option<u64>,
    /// A row whose account is one too many for its number.
    crowded: Option<Crowded>,
}

/// A line, and the number it is for.
type Crowded = (u64, String);

#[derive(Clone, Copy)]
enum WeighStage {
    Callers,
    Accounts,
    Over,
}

impl Weighing {
    pub(super) fn new(rows: Rows) -> Self {
        Self {
            stage: WeighStage::Callers,
            rows,
            bucket: 0,
            one_too_many: None,
            crowded: None,
        }
    }

    /// Does a part; false when all is done.
    pub(super) fn step(&mut self) -> bool {
        let index = match self.stage {
            WeighStage::Callers => &self.rows.indexes.callers,
            WeighStage::Accounts => &self.rows.indexes.accounts,
            WeighStage::Over => return false,
        };
        let begin = self.bucket;
        self.bucket = index.buckets().min(begin + BUCKETS_PER_STEP);
        let is_last = self.bucket == index.buckets();
        for bucket in begin..self.bucket {
            match self.stage {
                WeighStage::Callers => self.weigh_callers(bucket),
                WeighStage::Accounts | WeighStage::Over => self.weigh_accounts(bucket),
            }
        }
        if is_last {
            self.bucket = 0;
            self.stage = match self.stage {
                WeighStage::Callers if self.rows.argon2id > 0 => WeighStage::Accounts,
                WeighStage::Callers | WeighStage::Accounts | WeighStage::Over => WeighStage::Over,
            };
        }
        true
    }

    fn weigh_callers(&mut self, bucket: usize) {
        let has_many = self.rows.indexes.callers.entries_in(bucket) > MAX_ACCOUNTS;
        if has_many && self.crowded.is_none() {
            self.crowded = crowded(&self.rows, bucket);
        }
        if self.rows.argon2id > 0 {
            let index = &self.rows.indexes.callers;
            let weighed = weigh(groups(&self.rows, index, bucket, |row| row.caller));
            self.keep(weighed, |dearest| &mut dearest.of_caller);
        }
    }

    fn weigh_accounts(&mut self, bucket: usize) {
        let index = &self.rows.indexes.accounts;
        let account = |row: &Record<'_>| Some(row.account.to_vec());
        let weighed = weigh(groups(&self.rows, index, bucket, account));
        self.keep(weighed, |dearest| &mut dearest.of_account);
    }

    fn keep(&mut self, weighed: Weighed, of: impl Fn(&mut Dearest) -> &mut Vec<Cost>) {
        let dearest = of(&mut self.rows.dearest);
        if work(&weighed.dearest) > work(dearest) {
            *dearest = weighed.dearest;
        }
        let lines = [self.one_too_many, weighed.one_too_many].into_iter();
        self.one_too_many = lines.flatten().min();
    }

    /// The rows; what is not weighed yet is.
    ///
    /// # Errors
    ///
    /// One number or one account has more than [`MAX_ARGON2ID_ROWS`] rows with Argon2id, or
    /// one number more than [`MAX_ACCOUNTS`] accounts.
    pub(super) fn finish(mut self) -> Result<Rows, TableError> {
        while self.step() {}
        match (self.one_too_many, self.crowded) {
            (Some(line), _) => Err(TableError::TooManyArgon2idRows(line)),
            (None, Some((line, number))) => Err(TableError::TooManyAccounts(line, number)),
            (None, None) => Ok(self.rows),
        }
    }
}

/// Shows each row of a bucket, with what it is found by there.
fn for_each<K: Hash>(
    rows: &Rows,
    index: &RowIndex,
    bucket: usize,
    key: impl Fn(&Record<'_>) -> Option<K>,
    mut see: impl FnMut(&Record<'_>, K),
) {
    for block in index.bucket(bucket) {
        let mut block = rows.blocks.block(block);
        while let Some(row) = block.next() {
            let key = key(&row).filter(|key| index.is_in(hash(&rows.hasher, key), bucket));
            if let Some(key) = key {
                see(&row, key);
            }
        }
    }
}

/// Finds a number with more than [`MAX_ACCOUNTS`] accounts among the rows of a bucket.
fn crowded(rows: &Rows, bucket: usize) -> Option<Crowded> {
    let mut accounts: HashMap<CallerNumber, HashSet<Vec<u8>>> = HashMap::new();
    let mut crowded = None;
    let number = |row: &Record<'_>| row.caller;
    for_each(
        rows,
        &rows.indexes.callers,
        bucket,
        number,
        |row, number| {
            let accounts = accounts.entry(number).or_default();
            accounts.insert(row.account.to_vec());
            if accounts.len() > MAX_ACCOUNTS && crowded.is_none() {
                crowded = Some((row.line, number.text()));
            }
        },
    );
    crowded
}

/// The hashes of the rows of one identity.
#[derive(Default)]
struct Group {
    costs: Vec<CostParts>,
    one_too_many: Option<u64>,
}

/// The result of weighing some groups.
#[derive(Default)]
struct Weighed {
    dearest: Vec<Cost>,
    one_too_many: Option<u64>,
}

/// Groups the rows of a bucket by their identity: a number or an account.
fn groups<K: Hash + Eq>(
    rows: &Rows,
    index: &RowIndex,
    bucket: usize,
    identity: impl Fn(&Record<'_>) -> Option<K>,
) -> impl Iterator<Item = Group> {
    let mut groups: HashMap<K, Group> = HashMap::new();
    let is_slow = |row: &Record<'_>| row.secret.cost().and_then(|_| identity(row));
    for_each(rows, index, bucket, is_slow, |row, identity| {
        let group = groups.entry(identity).or_default();
        if group.costs.len() < MAX_ARGON2ID_ROWS {
            group.costs.extend(row.secret.cost());
        } else {
            group.one_too_many = group.one_too_many.or(Some(row.line));
        }
    });
    groups.into_values()
}

fn weigh(groups: impl Iterator<Item = Group>) -> Weighed {
    let mut weighed = Weighed::default();
    for group in groups {
        let costs: Vec<Cost> = group.costs.into_iter().filter_map(Cost::of).collect();
        if work(&costs) > work(&weighed.dearest) {
            weighed.dearest = costs;
            weighed
                .dearest
                .sort_by_key(|cost| std::cmp::Reverse(cost.work()));
        }
        let lines = [weighed.one_too_many, group.one_too_many].into_iter();
        weighed.one_too_many = lines.flatten().min();
    }
    weighed
}

fn work(costs: &[Cost]) -> u64 {
    costs.iter().map(|cost| u64::from(cost.work())).sum()
}

impl Rows {
    /// Returns the costs to spend in addition to the hashes of these rows, which are all
    /// Argon2id rows of one number or account, so that each entry costs as much as the
    /// dearest one.
    pub fn filler(&self, by: FoundBy, own: &[Candidate]) -> Vec<Cost> {
        let dearest = match by {
            FoundBy::Pin => return Vec::new(),
            FoundBy::Caller => &self.dearest.of_caller,
            FoundBy::Account => &self.dearest.of_account,
        };
        let own: Vec<Cost> = own.iter().filter_map(|row| row.secret.cost()).collect();
        fill(dearest, work(dearest).saturating_sub(work(&own)))
    }
}

/// Costs that are together as much work as is missing: those of the dearest, and a
/// rest.
fn fill(dearest: &[Cost], mut missing: u64) -> Vec<Cost> {
    let mut filler = Vec::new();
    for cost in dearest {
        let work = u64::from(cost.work());
        if work <= missing {
            filler.push(cost.clone());
            missing -= work;
        }
    }
    let Some((memory, _, _)) = dearest.first().map(Cost::parts) else {
        return filler;
    };
    let missing = u32::try_from(missing).unwrap_or(u32::MAX);
    let (passes, rest) = (missing / memory, missing % memory);
    if passes > 0 {
        filler.extend(Cost::of((memory, passes, 1)));
    }
    if rest > 0 {
        filler.extend(Cost::of((rest.max(LEAST_MEMORY), 1, 1)));
    }
    filler
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn costs(parts: &[(u32, u32)]) -> Vec<Cost> {
        let parts = parts.iter();
        let mut costs: Vec<Cost> = parts
            .filter_map(|(memory, passes)| Cost::of((*memory, *passes, 1)))
            .collect();
        costs.sort_by_key(|cost| std::cmp::Reverse(cost.work()));
        costs
    }

    proptest! {
        #[test]
        fn filler_and_own_hashes_cost_as_much_as_the_dearest(
            dearest in prop::collection::vec((8..65_536_u32, 1..=10_u32), 1..=MAX_ARGON2ID_ROWS),
            own in prop::collection::vec((8..65_536_u32, 1..=10_u32), 0..=MAX_ARGON2ID_ROWS),
        ) {
            let (one, other) = (costs(&dearest), costs(&own));
            let (dearest, own) = if work(&one) >= work(&other) { (one, other) } else { (other, one) };
            let filler = fill(&dearest, work(&dearest) - work(&own));
            let cost = work(&own) + work(&filler);
            let least = u64::from(LEAST_MEMORY);
            prop_assert!((work(&dearest)..work(&dearest) + least).contains(&cost), "{}", cost);
            prop_assert!(filler.len() <= MAX_ARGON2ID_ROWS + 2, "{} hashes", filler.len());
        }
    }
}
