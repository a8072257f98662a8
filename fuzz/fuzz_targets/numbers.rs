#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::{Number, Numbering};

// The first line has the options; the others are numbers. A number with its country code
// stands for itself, also with parameters behind it. One without may begin as another one
// does: with the international prefix.
fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let mut numbering = Numbering::default();
    for option in lines.next().unwrap_or_default().split(|byte| *byte == b',') {
        if let Some(at) = option.iter().position(|byte| *byte == b'=') {
            // One that is refused changes nothing.
            let _ = numbering.set(&option[..at], &option[at + 1..]);
        }
    }
    if numbering.check().is_err() {
        return;
    }
    for line in lines {
        let number = numbering.normalize(line);
        if let Some(number) = number.filter(Number::is_international) {
            let text = number.to_string();
            assert_eq!(numbering.normalize(text.as_bytes()), Some(number), "{text}");
            let parameters = format!("{text};verstat=TN-Validation-Passed");
            let called = numbering.normalize_caller(parameters.as_bytes());
            assert_eq!(called, Some(number), "{parameters}");
        }
    }
});
