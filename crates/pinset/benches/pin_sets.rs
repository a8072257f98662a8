//! Looking a row of a PIN set up, by PIN, by caller and by account, and making
//! the rows of a list: `make bench-pin-sets`. First a table of ten million rows, with
//! limits, then other figures of a million.
#![forbid(unsafe_code)]

mod made;

use std::fmt::{Debug, Write};
use std::time::{Duration, Instant};

use divan::Bencher;
use md5::{Digest, Md5};
use pinset::credential::secret::{Cost, Secret};
use pinset::credential::table::{Candidate, Reading};
use pinset::list::{FileKind, Format};
use pinset::pin::Pin;
use pinset::timestamp::Zone;
use pinset::{Numbering, Pepper, Rows};

/// The rows of the figures after the table.
const ROWS: u64 = 1_000_000;

const HASHES: [&str; 3] = ["plain", "md5", "hmac-sha256"];

/// How many rows are looked up for the table.
const LOOK_UPS: usize = 1_000_000;

/// Bytes of memory a row, and seconds to read a million, of rows with hmac-sha256.
const MAX_BYTES: f64 = 48.0;
const MAX_SECONDS: f64 = 0.5;

/// Of 1234, with the default cost.
const ARGON2ID: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                        AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn main() {
    // Cargo adds `--bench`; anything else selects figures of a million.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = arguments.iter().find_map(|size| size.parse().ok());
    let is_all = arguments.iter().all(|argument| argument == "--bench");
    if is_all || size.is_some() {
        table(size.unwrap_or(10_000_000));
    }
    if size.is_none() {
        divan::main();
    }
}

/// In which order the rows of a list stand.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// That of their accounts and numbers.
    Ascending,
    /// None: neither account nor number has to do with those of the row before.
    Mixed,
}

/// The account and number of a line.
fn identity(line: u64, order: Order) -> u64 {
    match order {
        Order::Ascending => line,
        // A multiple of neither 2 nor 5: no number comes twice.
        Order::Mixed => line * 7_368_787 % 10_000_000,
    }
}

/// Prints figures of this many rows beside their limits.
fn table(size: u64) {
    println!("{size} rows\n");
    println!("{:<36}{:>9}{:>9}{:>9}", "", "measured", "limit", "");
    for (hash, order, limited) in [
        ("hmac-sha256", Order::Ascending, true),
        ("hmac-sha256", Order::Mixed, false),
        ("md5", Order::Ascending, false),
        ("plain", Order::Ascending, false),
    ] {
        let limit = |limit: f64| if limited { limit } else { f64::NAN };
        let list = list(hash, order, size);
        println!(
            "{hash}, {}",
            if order == Order::Mixed {
                "in no order"
            } else {
                "in order"
            }
        );
        figure(
            "  bytes of list a row",
            list.len() as f64 / size as f64,
            f64::NAN,
        );
        let before = cpu();
        let (rows, longest) = made_of(list.as_bytes(), FileKind::Csv);
        let seconds = (cpu() - before) * 1e6 / size as f64;
        figure(
            "  bytes of memory a row",
            rows.memory() as f64 / size as f64,
            limit(MAX_BYTES),
        );
        figure(
            "  seconds of CPU to read a million",
            seconds,
            limit(MAX_SECONDS),
        );
        figure(
            "  ms in one part of that, at most",
            longest.as_secs_f64() * 1e3,
            f64::NAN,
        );
        drop(list);
        let (pepper, numbering) = (pepper(), numbering());
        let by_pin = |line| rows.by_pin(&entered(line), &pepper).count();
        let by_caller = |line| {
            let number = numbering.normalize(caller(identity(line, order)).as_bytes());
            number.map_or(0, |number| rows.by_caller(&number).count())
        };
        let by_account = |line| {
            rows.by_account(account(identity(line, order)).as_bytes())
                .count()
        };
        for (name, look, first, found) in [
            ("by PIN", &by_pin as &dyn Fn(u64) -> usize, 0, 1),
            ("by a wrong PIN", &by_pin, size, 0),
            ("by number", &by_caller, 0, 1),
            ("by account", &by_account, 0, 1),
        ] {
            let of_making = time_of(
                size,
                |line| usize::from(entered(first + line).is_empty()),
                0,
            );
            let whole = time_of(size, |line| look(first + line), found);
            figure(
                &format!("  ns to look up {name}"),
                whole - of_making,
                f64::NAN,
            );
        }
    }
}

/// Returns the ns that looking up a row takes, each of which is found so many times.
fn time_of(size: u64, look: impl Fn(u64) -> usize, found: usize) -> f64 {
    let before = cpu();
    let all: usize = numbers(size).take(LOOK_UPS).map(look).sum();
    let seconds = cpu() - before;
    assert_eq!(all, found * LOOK_UPS);
    seconds * 1e9 / LOOK_UPS as f64
}

/// Seconds of processor time so far, of this thread.
fn cpu() -> f64 {
    let times = must(std::fs::read_to_string("/proc/thread-self/schedstat"));
    let time = times.split_whitespace().next().unwrap_or_default();
    must(time.parse::<f64>()) / 1e9
}

fn figure(name: &str, measured: f64, limit: f64) {
    let (limit, missed) = match limit.is_nan() {
        true => (String::new(), ""),
        false => (
            format!("{limit:.1}"),
            if measured <= limit { "" } else { "missed" },
        ),
    };
    println!("{name:<36}{measured:>9.2}{limit:>9}{missed:>9}");
}

/// There is nothing to go on with when a benchmark can't do its work.
fn must<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

fn pepper() -> Pepper {
    must(Pepper::parse(
        format!("main:{}", "5a".repeat(32)).as_bytes(),
    ))
}

fn entered(line: u64) -> Pin {
    let mut pin = Pin::new();
    made::pin(line).bytes().for_each(|key| pin.push(key));
    pin
}

fn account(line: u64) -> String {
    format!("user{line:07}")
}

fn caller(line: u64) -> String {
    format!("+90506{line:07}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        must(write!(hex, "{byte:02x}"));
        hex
    })
}

fn list(hash: &str, order: Order, size: u64) -> String {
    let pepper = pepper();
    let mut list = "account,secret,caller\n".to_owned();
    for line in 0..size {
        let secret = match (hash, pepper.signing()) {
            ("md5", _) => hex(&Md5::digest(made::pin(line))),
            ("hmac-sha256", Some((id, key))) => format!("{id}:{}", hex(&*key.sign(&entered(line)))),
            _ => made::pin(line),
        };
        let identity = identity(line, order);
        let (account, caller) = (account(identity), caller(identity));
        must(writeln!(list, "{account},{hash}:{secret},{caller}"));
    }
    list
}

fn numbering() -> Numbering {
    let mut numbering = Numbering::default();
    must(numbering.set(b"country_code", b"90"));
    numbering
}

/// The rows of a list, and how long the longest part of making them took.
fn made_of(list: &[u8], kind: FileKind) -> (Rows, Duration) {
    let (zone, numbering) = (Zone::utc(), numbering());
    let mut reading = Reading::new(list, kind, true, &zone, &numbering, u64::MAX);
    let mut longest = Duration::ZERO;
    loop {
        let begin = Instant::now();
        let rows = must(reading.step());
        longest = longest.max(begin.elapsed());
        if let Some(rows) = rows {
            return (rows, longest);
        }
    }
}

fn rows(hash: &str) -> Rows {
    made_of(list(hash, Order::Ascending, ROWS).as_bytes(), FileKind::Csv).0
}

/// Lines in no order, without an end.
fn numbers(size: u64) -> impl Iterator<Item = u64> {
    let mut state: u64 = 1;
    std::iter::repeat_with(move || {
        // A linear congruential generator, by Knuth; its high bits are good.
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) % size
    })
}

/// Every look-up is of another row, so that they are not in the processor's
/// cache. `input` is made before, a sample at a time.
fn look_up<I>(
    bencher: Bencher,
    input: fn(u64) -> I,
    look: impl Fn(&I) -> Option<Candidate> + Sync,
) {
    let mut lines = numbers(ROWS);
    bencher
        .with_inputs(|| input(lines.next().unwrap_or_default()))
        .bench_local_refs(|input| {
            let found = look(input);
            assert!(found.is_some());
            found
        });
}

/// The entry is the PIN: this is the whole verdict.
#[divan::bench(args = HASHES, sample_count = 1000, sample_size = 1000)]
fn identify_pin(bencher: Bencher, hash: &str) {
    let (rows, pepper) = (rows(hash), pepper());
    look_up(bencher, entered, |pin| rows.by_pin(pin, &pepper).next());
}

/// With the PIN verified.
#[divan::bench(args = HASHES, sample_count = 1000, sample_size = 1000)]
fn identify_caller(bencher: Bencher, hash: &str) {
    let (rows, pepper, numbering) = (rows(hash), pepper(), numbering());
    let input = |line| (caller(line), entered(line));
    look_up(bencher, input, |(caller, pin)| {
        let number = numbering.normalize(caller.as_bytes())?;
        let right = |row: &Candidate| row.secret.verify(pin, &pepper) == Ok(true);
        let found = rows.by_caller(&number).find(right);
        found
    });
}

/// With the PIN verified.
#[divan::bench(args = HASHES, sample_count = 1000, sample_size = 1000)]
fn identify_account(bencher: Bencher, hash: &str) {
    let (rows, pepper) = (rows(hash), pepper());
    let input = |line| (account(line), entered(line));
    look_up(bencher, input, |(account, pin)| {
        let right = |row: &Candidate| row.secret.verify(pin, &pepper) == Ok(true);
        let found = rows.by_account(account.as_bytes()).find(right);
        found
    });
}

/// Where nothing is found.
#[divan::bench(args = HASHES, sample_count = 1000, sample_size = 1000)]
fn wrong_pin(bencher: Bencher, hash: &str) {
    let (rows, pepper) = (rows(hash), pepper());
    let mut lines = numbers(ROWS);
    bencher
        .with_inputs(|| entered(ROWS + lines.next().unwrap_or_default()))
        .bench_local_refs(|pin| assert!(rows.by_pin(pin, &pepper).next().is_none()));
}

/// One row with the default cost, whoever it is of.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn verify_argon2id(bencher: Bencher) {
    let secret = must(Secret::parse(ARGON2ID.as_bytes()));
    let parts = secret.cost().map(|cost| cost.parts());
    assert_eq!(parts, Some(Cost::default().parts()));
    let (pin, pepper) = (entered(1), pepper());
    bencher.bench_local(|| must(secret.verify(&pin, &pepper)));
}

/// The list is in memory already.
#[divan::bench(args = HASHES, sample_count = 5, sample_size = 1)]
fn build_csv(bencher: Bencher, hash: &str) {
    let list = list(hash, Order::Ascending, ROWS);
    bencher.bench_local(|| made_of(list.as_bytes(), FileKind::Csv));
}

/// A list of `account:md5`.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn build_md5(bencher: Bencher) {
    let mut list = Vec::new();
    must(made::write(&mut list, true, ROWS));
    bencher.bench_local(|| made_of(&list, FileKind::Lines(Format::Md5)));
}
