#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::config::Times;

// What is handed to Asterisk is read the same way again.
fuzz_target!(|value: &[u8]| {
    if let Ok(times) = Times::parse(value) {
        assert_eq!(Times::parse(times.as_str().as_bytes()), Ok(times));
    }
});
