//! Looking a row of a PIN set up, by PIN, by caller and by account, and making
//! the rows of a list: `make bench-pin-sets`.
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

const ROWS: u64 = 1_000_000;

const HASHES: [&str; 3] = ["plain", "md5", "hmac-sha256"];

/// Of 1234, with the default cost.
const ARGON2ID: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                        AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn main() {
    for hash in HASHES {
        let list = list(hash);
        let (rows, longest) = made_of(list.as_bytes(), FileKind::Csv);
        println!(
            "{ROWS} rows of {hash}: {} bytes of list and {} of memory a row; made in parts of \
             {longest:?} at most",
            list.len() as u64 / ROWS,
            rows.memory() / ROWS
        );
    }
    divan::main();
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

fn list(hash: &str) -> String {
    let pepper = pepper();
    let mut list = "account,secret,caller\n".to_owned();
    for line in 0..ROWS {
        let secret = match (hash, pepper.signing()) {
            ("md5", _) => hex(&Md5::digest(made::pin(line))),
            ("hmac-sha256", Some((id, key))) => format!("{id}:{}", hex(&*key.sign(&entered(line)))),
            _ => made::pin(line),
        };
        must(writeln!(
            list,
            "{},{hash}:{secret},{}",
            account(line),
            caller(line)
        ));
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
    made_of(list(hash).as_bytes(), FileKind::Csv).0
}

/// Lines in no order, without an end.
fn numbers() -> impl Iterator<Item = u64> {
    let mut state: u64 = 1;
    std::iter::repeat_with(move || {
        // A linear congruential generator, by Knuth; its high bits are good.
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) % ROWS
    })
}

/// Every look-up is of another row, so that they are not in the processor's
/// cache. `input` is made before, a sample at a time.
fn look_up<I>(
    bencher: Bencher,
    input: fn(u64) -> I,
    look: impl Fn(&I) -> Option<Candidate> + Sync,
) {
    let mut lines = numbers();
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
    let mut lines = numbers();
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
    let list = list(hash);
    bencher.bench_local(|| made_of(list.as_bytes(), FileKind::Csv));
}

/// A list of `account:md5`.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn build_md5(bencher: Bencher) {
    let mut list = Vec::new();
    must(made::write(&mut list, true, ROWS));
    bencher.bench_local(|| made_of(&list, FileKind::Lines(Format::Md5)));
}
