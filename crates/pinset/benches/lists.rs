//! Looking a PIN up in a list, and making its index, from ten to ten million
//! entries: `make bench-lists`.
#![forbid(unsafe_code)]

mod common;
mod made;

use common::{build, entries, index, must, write};
use divan::Bencher;
use pinset::list::Format::{self, Md5, Plain};

const SIZES: [u64; 5] = [10, 1000, 100_000, 1_000_000, 10_000_000];

fn main() {
    divan::main();
}

#[divan::bench(args = SIZES, sample_count = 1000, sample_size = 1000)]
fn look_up_plain_there(bencher: Bencher, size: u64) {
    look_up(bencher, Plain, size, true);
}

#[divan::bench(args = SIZES, sample_count = 1000, sample_size = 1000)]
fn look_up_plain_missing(bencher: Bencher, size: u64) {
    look_up(bencher, Plain, size, false);
}

#[divan::bench(args = SIZES, sample_count = 1000, sample_size = 1000)]
fn look_up_md5_there(bencher: Bencher, size: u64) {
    look_up(bencher, Md5, size, true);
}

#[divan::bench(args = SIZES, sample_count = 1000, sample_size = 1000)]
fn look_up_md5_missing(bencher: Bencher, size: u64) {
    look_up(bencher, Md5, size, false);
}

/// Every look-up is of another PIN, so that a large index is not in the
/// processor's cache. The entries are made before, a sample at a time.
fn look_up(bencher: Bencher, format: Format, size: u64, there: bool) {
    let index = index(format, size);
    let mut entries = entries(size, there);
    bencher
        .with_inputs(|| must(entries.next().ok_or("no entry")))
        .bench_local_refs(|pin| index.verify(pin));
}

#[divan::bench(args = SIZES, max_time = 5)]
fn build_plain(bencher: Bencher, size: u64) {
    build_from_file(bencher, Plain, size);
}

#[divan::bench(args = SIZES, max_time = 5)]
fn build_md5(bencher: Bencher, size: u64) {
    build_from_file(bencher, Md5, size);
}

fn build_from_file(bencher: Bencher, format: Format, size: u64) {
    let folder = must(tempfile::tempdir());
    let list = write(folder.path(), format, size);
    bencher.bench_local(|| build(&list));
}
