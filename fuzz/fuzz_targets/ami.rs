#![no_main]

use ami::{encode, DecodeError, Decoder, Limits, Message};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    message_bytes: 4096,
    headers: 20,
};

// A connection means the same in whatever pieces it comes, and what we send is read as it
// was meant.
fuzz_target!(|input: &[u8]| {
    let at_once = messages(std::iter::once(input));
    assert_eq!(at_once, messages(input.chunks(1)));
    for message in at_once.0 {
        let headers: Vec<(String, &[u8])> = message
            .headers()
            .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value))
            .collect();
        let headers: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        let Ok(sent) = encode("Ping", &headers) else {
            continue;
        };
        let mut decoder = Decoder::new(Limits {
            message_bytes: usize::MAX,
            headers: usize::MAX,
        });
        let sent = [b"Asterisk Call Manager/9.0.0\r\n", sent.as_slice()].concat();
        let read = decoder.decode(&mut sent.as_slice()).ok().flatten();
        let read = read.expect("a message");
        let (action, read): (Vec<_>, Vec<_>) =
            read.headers().enumerate().partition(|(at, _)| *at == 0);
        assert_eq!(action[0].1, (&b"Action"[..], &b"Ping"[..]));
        assert_eq!(read.len(), headers.len(), "{message:?}");
        for ((_, (name, value)), wanted) in read.iter().zip(&headers) {
            // Asterisk skips the blanks in front of a value, and so do we.
            assert_eq!(
                (*name, value.trim_ascii()),
                (wanted.0.as_bytes(), wanted.1.trim_ascii())
            );
        }
    }
});

fn messages<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<DecodeError>) {
    let mut decoder = Decoder::new(LIMITS);
    let mut messages = Vec::new();
    for mut part in parts {
        loop {
            match decoder.decode(&mut part) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}
