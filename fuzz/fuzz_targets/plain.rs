#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::list::Format;

fuzz_target!(|input: &[u8]| pinset_fuzz::check(Format::Plain, input));
