#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::{PinSet, Settings};

// Lines of `authenticate.conf`, `option = value`. What an administrator is shown makes the
// same PIN set again; an option that is refused changes nothing.
fuzz_target!(|input: &[u8]| {
    let (mut settings, mut set) = (Settings::default(), PinSet::default());
    for line in input.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (name, value) = (line[..at].trim_ascii(), line[at + 1..].trim_ascii());
        let before = set.clone();
        if set.set(name, value).is_err() {
            assert_eq!(set, before);
        }
        // All options of a PIN set are defaults of `[general]`, too.
        if settings.set(name, value).is_err() {
            assert_eq!(set, before);
        }
    }
    let mut again = PinSet::default();
    for (name, value) in set.options() {
        // Its secret is not shown.
        if name != "auth" {
            let taken = again.set(name.as_bytes(), &value);
            assert_eq!(taken, Ok(()), "{name} = {}", value.escape_ascii());
        }
    }
    for ((name, shown), (_, read)) in set.options().into_iter().zip(again.options()) {
        if name != "auth" {
            assert_eq!(
                shown.escape_ascii().to_string(),
                read.escape_ascii().to_string(),
                "{name}"
            );
        }
    }
});
