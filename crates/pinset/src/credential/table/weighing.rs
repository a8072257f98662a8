//! How much the Argon2id hashes of one number, or of one account, cost at most, and
//! whether a number has too many accounts.
//!
//! All entries of identified callers must cost the same, so that the response time
//! reveals nothing about the rows of a number or an account: those with fewer or
//! cheaper hashes, or none, are filled up to the most.

use std::collections::HashSet;

use super::error::TableError;
use super::index::{row, IndexEntry};
use super::record::{CostParts, Record};
use super::signed::FoundBy;
use super::{Candidate, Rows};
use super::{MAX_ACCOUNTS, MAX_ARGON2ID_ROWS};
use crate::credential::secret::{Cost, MAX_MEMORY_KIB, MAX_PASSES};

/// How many entries of an index are checked in one step.
const ENTRIES_PER_STEP: usize = 32 << 10;

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
    /// The position in the index of this stage.
    at: usize,
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

/// The key that rows are grouped by: a number or an account.
type WeighedBy<'a> = (bool, &'a [u8]);

impl Weighing {
    pub(super) fn new(rows: Rows) -> Self {
        Self {
            stage: WeighStage::Callers,
            rows,
            at: 0,
            one_too_many: None,
            crowded: None,
        }
    }

    /// Does a part; false when all is done.
    pub(super) fn step(&mut self) -> bool {
        let until = self.at + ENTRIES_PER_STEP;
        while self.at < until {
            let length = match self.stage {
                WeighStage::Callers => self.weigh_callers(),
                WeighStage::Accounts => self.weigh_accounts(),
                WeighStage::Over => return false,
            };
            self.at += length;
            if length == 0 {
                self.at = 0;
                self.stage = match self.stage {
                    WeighStage::Callers if self.rows.argon2id > 0 => WeighStage::Accounts,
                    WeighStage::Callers | WeighStage::Accounts | WeighStage::Over => {
                        WeighStage::Over
                    }
                };
                return true;
            }
        }
        true
    }

    fn weigh_callers(&mut self) -> usize {
        let run = self.rows.callers.run_at(self.at);
        let length = run.len();
        if length > MAX_ACCOUNTS && self.crowded.is_none() {
            self.crowded = crowded(&self.rows, run);
        }
        if self.rows.argon2id == 0 {
            return length;
        }
        let groups = groups(&self.rows, run, |record| record.caller);
        let weighed = weigh(groups);
        self.keep(weighed, |dearest| &mut dearest.of_caller);
        length
    }

    fn weigh_accounts(&mut self) -> usize {
        let run = self.rows.accounts.run_at(self.at);
        let groups = groups(&self.rows, run, |record| Some((true, record.account)));
        let (length, weighed) = (run.len(), weigh(groups));
        self.keep(weighed, |dearest| &mut dearest.of_account);
        length
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

/// Finds a number with more than [`MAX_ACCOUNTS`] accounts among the rows of one hash.
fn crowded(rows: &Rows, run: &[IndexEntry]) -> Option<Crowded> {
    let mut numbers: Vec<(WeighedBy<'_>, HashSet<&[u8]>)> = Vec::new();
    for record in run.iter().filter_map(|entry| rows.record(row(*entry))) {
        let Some(identity) = record.caller else {
            continue;
        };
        let known = numbers.iter_mut().find(|(number, _)| *number == identity);
        let accounts = match known {
            Some((_, accounts)) => accounts,
            None => {
                numbers.push((identity, HashSet::new()));
                &mut numbers.last_mut()?.1
            }
        };
        accounts.insert(record.account);
        if accounts.len() > MAX_ACCOUNTS {
            let (is_international, digits) = identity;
            let plus = if is_international { "+" } else { "" };
            let number = format!("{plus}{}", String::from_utf8_lossy(digits));
            return Some((record.line, number));
        }
    }
    None
}

/// The hashes of the rows of one identity.
struct Group<'a> {
    identity: WeighedBy<'a>,
    costs: Vec<CostParts>,
    one_too_many: Option<u64>,
}

/// The result of weighing some groups.
#[derive(Default)]
struct Weighed {
    dearest: Vec<Cost>,
    one_too_many: Option<u64>,
}

/// Groups the rows of one hash by their identity. More than one has the same hash
/// only by chance.
fn groups<'a>(
    rows: &'a Rows,
    run: &[IndexEntry],
    identity: impl Fn(&Record<'a>) -> Option<WeighedBy<'a>>,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let records = run.iter().filter_map(|entry| rows.record(row(*entry)));
    for record in records {
        let (Some(cost), Some(identity)) = (record.cost, identity(&record)) else {
            continue;
        };
        let known = groups.iter().position(|group| group.identity == identity);
        let at = known.unwrap_or_else(|| {
            groups.push(Group {
                identity,
                costs: Vec::new(),
                one_too_many: None,
            });
            groups.len() - 1
        });
        let Some(group) = groups.get_mut(at) else {
            continue;
        };
        if group.costs.len() < MAX_ARGON2ID_ROWS {
            group.costs.push(cost);
        } else {
            group.one_too_many = group.one_too_many.or(Some(record.line));
        }
    }
    groups
}

fn weigh(groups: Vec<Group<'_>>) -> Weighed {
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
