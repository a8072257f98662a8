//! The success of an attacker: the table in `docs/security.md`, as it comes out of
//! the rules. He knows them, and counts along.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;

use super::*;

const PAGE: &str = include_str!("../../../../../docs/security.md");

const LINES: u32 = 10;

/// The length of a call in which three PINs are entered, or one: prompts, digits, hang-up.
const CALL: Duration = Duration::from_secs(15);
const TRIES_A_CALL: u32 = 3;

const PINS: u32 = 1000;
const MONTH: u32 = 30;

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

/// The strategy of an attacker.
#[derive(Clone, Copy)]
struct Attack {
    limits: Limits,
    /// The limit he stays below, or runs into.
    of: Lockout,
    /// He shows another number before one is locked.
    rotates: bool,
    /// He has a PIN, and has got in by it from all those numbers: from these he
    /// has one try a call while the PIN set is over its budget, until that is
    /// over as well.
    inside: bool,
    /// He has the PIN set, or his number, locked so often: locks are short at
    /// first, and forget failures. Then he stays below the limit until earlier
    /// locks are forgotten, and begins again.
    locks: u32,
}

impl Attack {
    fn rotating(limits: Limits, locks: u32) -> Self {
        Self {
            limits,
            of: limits.pin_set.unwrap(),
            rotates: true,
            inside: false,
            locks,
        }
    }

    fn inside(limits: Limits, locks: u32) -> Self {
        let inside = true;
        Self {
            inside,
            ..Self::rotating(limits, locks)
        }
    }

    fn one_number(limits: Limits, locks: u32) -> Self {
        Self {
            limits,
            of: limits.caller.unwrap(),
            rotates: false,
            inside: false,
            locks,
        }
    }

    /// Returns how many wrong entries are verified in `days` days. `verify` returns
    /// the result of each.
    fn tries(self, days: u32, mut verify: impl FnMut() -> AttemptResult<'static>) -> u32 {
        let mut pbx = Pbx::with(self.limits);
        for number in inside().filter(|_| self.inside) {
            pbx.entry(&number, AttemptResult::Right(None)).unwrap();
        }
        let end = pbx.now + days * DAY;
        let mut failures: VecDeque<Duration> = VecDeque::new();
        let (mut tries, mut locks, mut calls) = (0, 0, 0);
        let mut last_lock = pbx.now;
        while pbx.now < end {
            if pbx.now >= last_lock + DAY {
                locks = 0;
            }
            while failures
                .front()
                .is_some_and(|at| *at + self.of.window < pbx.now)
            {
                failures.pop_front();
            }
            if let Some(first) = failures.front() {
                if locks >= self.locks && failures.len() as u32 >= self.of.failures - 1 {
                    pbx.now = *first + self.of.window + TICK;
                    continue;
                }
            }
            let caller = from(if self.rotates { calls / 4 } else { 0 });
            calls += 1;
            let result = verify();
            // Whose PIN the guess is for changes with the number.
            let name = (calls / 4 % PINS).to_string();
            match pbx.entry_for(&caller, account(&name), result) {
                Err(refused) => panic!("he does not know the rules: {refused:?}"),
                Ok(lock) => {
                    if result == AttemptResult::Wrong {
                        tries += 1;
                        failures.push_back(pbx.now);
                    }
                    if let Some(lock) = lock {
                        locks += 1;
                        failures.clear();
                        if self.inside {
                            tries += over_budget(&mut pbx, lock.until.unwrap());
                        }
                        pbx.now = lock.until.unwrap();
                        last_lock = pbx.now;
                    } else {
                        pbx.now += CALL / (TRIES_A_CALL * LINES);
                    }
                }
            }
        }
        tries
    }

    /// Tries a day, over a month.
    fn a_day(self) -> f64 {
        f64::from(self.tries(MONTH, || AttemptResult::Wrong)) / f64::from(MONTH)
    }
}

/// The numbers from which he has got in.
fn inside() -> impl Iterator<Item = Caller> + Clone {
    (0..100).map(|number| from(format!("in {number}")))
}

/// Wrong entries, one a call, from numbers that got in before the PIN set was
/// locked.
fn over_budget(pbx: &mut Pbx, end: Duration) -> u32 {
    let mut tries = 0;
    for number in inside().cycle() {
        if pbx.now >= end {
            break;
        }
        match pbx.entry(&number, AttemptResult::Wrong) {
            Ok(_) => tries += 1,
            Err(ChargeError::Locked(lock)) if lock.kind == Kind::PinSet => break,
            Err(refused) => panic!("he does not know the rules: {refused:?}"),
        }
        pbx.now += CALL / LINES;
    }
    tries
}

/// The best of all numbers of locks that he can have it come to.
fn best(attack: impl Fn(u32) -> Attack) -> f64 {
    (0..=6)
        .map(|locks| attack(locks).a_day())
        .fold(0.0, f64::max)
}

/// Returns the probability that `tries` different guesses out of `space` find one of
/// the PINs.
fn at_least_one(tries: f64, space: f64) -> f64 {
    let missed = (0..PINS).map(|pin| (1.0 - tries / (space - f64::from(pin))).max(0.0));
    1.0 - missed.product::<f64>()
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent > 99.9 => "certain".to_owned(),
        percent if percent >= 10.0 => format!("{percent:.0} %"),
        percent => format!("{percent:.2} %"),
    }
}

fn found(pins: f64) -> String {
    match pins {
        pins if pins >= 10.0 => format!("{pins:.0}"),
        pins if pins >= 0.1 => format!("{pins:.1}"),
        pins => format!("{pins:.4}"),
    }
}

#[test]
#[ignore = "takes long: make unit"]
fn the_table_in_the_docs_is_what_comes_out() {
    let limits = defaults();
    let small = Limits {
        pin_set: limit(20, HOUR, HOUR / 4),
        ..limits
    };
    let rotating = best(|locks| Attack::rotating(limits, locks));
    let below = Attack::rotating(limits, 0).a_day();
    let always = Attack::rotating(limits, u32::MAX).a_day();
    let one_number = best(|locks| Attack::one_number(limits, locks));
    let small = best(|locks| Attack::rotating(small, locks));
    let stock = DAY.as_secs_f64() / CALL.as_secs_f64() * f64::from(LINES * TRIES_A_CALL);
    let [six, eight] = [1e6, 1e8];
    let any = f64::from(PINS);
    let rows = [
        ("the stock module", stock, six, any),
        ("one number, always", one_number, six, any),
        ("changing numbers, into each lock", always, six, any),
        ("changing numbers, 99 an hour", below, six, any),
        ("**changing numbers, the best of both**", rotating, six, any),
        ("the same, `lockout_pinset = 20/1h/15m`", small, six, any),
        ("the same, PINs of eight digits", rotating, eight, any),
        ("the same, `identify = caller`", rotating, six, 1.0),
        (
            "an insider with one PIN, looking for others",
            best(|locks| Attack::inside(limits, locks)),
            six,
            any,
        ),
    ];
    let mut table = String::new();
    for (who, tries, space, rows) in rows {
        let pins = found(tries * rows / space);
        let chance = if rows > 1.0 {
            at_least_one(tries, space)
        } else {
            tries / space
        };
        let (tries, chance) = (thousands(tries), percent(chance));
        writeln!(table, "| {who} | {tries} | {pins} | {chance} |").unwrap();
    }
    assert!(
        PAGE.contains(&table),
        "docs/security.md should say\n{table}"
    );
}

/// Wrong entries for one account in a month, from numbers that have never got in
/// or from the customer's own number and endpoint. They are made whenever one
/// is verified, but for the last one before a timed lock while that helps.
fn at_one_account(as_customer: bool, customer_gets_in: bool) -> u32 {
    let account_limit = defaults().account;
    let below = account_limit.map_or(0, |limit| limit.failures - 1);
    let mut pbx = Pbx::with(Limits {
        account: account_limit,
        ..NONE
    });
    let (customer, alice) = (from("customer"), account("alice"));
    pbx.entry_for(&customer, alice, AttemptResult::Right(None))
        .unwrap();
    let mut tries = 0;
    for hour in 0..MONTH * 24 {
        if customer_gets_in {
            let right = pbx.entry_for(&customer, alice, AttemptResult::Right(None));
            assert_eq!(right, Ok(None), "the customer is shut out");
        }
        for one in 0..below {
            let stranger = from(format!("{hour} {one}"));
            let caller = if as_customer { &customer } else { &stranger };
            tries += u32::from(pbx.entry_for(caller, alice, AttemptResult::Wrong).is_ok());
        }
        pbx.now += HOUR + TICK;
    }
    tries
}

#[test]
fn the_table_of_one_account_in_the_docs_is_what_comes_out() {
    let rows = [
        ("from any number, at any endpoint", [false, false]),
        ("the same, the customer gets in every hour", [false, true]),
        ("by the customer's number and endpoint", [true, false]),
        ("the same, the customer gets in every hour", [true, true]),
    ];
    let mut table = String::new();
    for (who, [as_customer, customer_gets_in]) in rows {
        let tries = at_one_account(as_customer, customer_gets_in);
        writeln!(table, "| {who} | {} |", thousands(tries.into())).unwrap();
    }
    assert!(
        PAGE.contains(&table),
        "docs/security.md should say\n{table}"
    );
}

#[test]
fn a_month_on_real_pins_finds_about_as_many_as_expected() {
    let mut random = Random(4711);
    let mut pins = BTreeSet::new();
    while pins.len() < PINS as usize {
        pins.insert(random.below(1_000_000));
    }
    let mut order: Vec<u64> = (0..1_000_000).collect();
    for at in 1..order.len() {
        order.swap(at, random.below(at as u64 + 1) as usize);
    }
    let mut guesses = order.into_iter();
    let mut found = 0u32;
    let tries = Attack::rotating(defaults(), 2).tries(MONTH, || {
        let right = guesses.next().is_some_and(|guess| pins.contains(&guess));
        found += u32::from(right);
        if right {
            AttemptResult::Right(None)
        } else {
            AttemptResult::Wrong
        }
    });
    let expected = f64::from(tries) / 1000.0;
    // Three standard deviations.
    let off = 3.0 * expected.sqrt();
    assert!(
        (f64::from(found) - expected).abs() < off,
        "{found} of {expected}"
    );
}
