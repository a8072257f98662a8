#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::call::arguments::may_be_shown;
use pinset::{Credential, Request};

// A literal PIN is never shown, and no request asks for more digits than a call may have.
fuzz_target!(|data: &[u8]| {
    let request = Request::parse(data);
    if matches!(request.credential, Ok(Credential::Literal(_))) {
        assert!(!may_be_shown(data), "a PIN would be shown");
    }
    assert!(request.plan().max_digits <= 254);
});
