#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::external::{Data, Post, Received, ServiceAnswer};

// What is taken is what we would send, in each direction.
fuzz_target!(|body: &[u8]| {
    if let Ok(answer) = ServiceAnswer::parse(body) {
        let again = ServiceAnswer::parse(answer.to_json().as_bytes());
        assert_eq!(again, Ok(answer));
    }
    if let Ok(received) = Received::parse(body) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (caller, callee) = (text(&received.caller), text(&received.callee));
        let data: &Data = &received.data;
        let post = Post {
            caller: &caller,
            callee: &callee,
            uuid: &text(&received.uuid),
            timestamp: 0,
            began: 0,
            external_manager_id: 1,
            data,
        };
        let again = Received::parse(&post.to_json());
        assert_eq!(again.as_ref(), Ok(&received));
    }
});
