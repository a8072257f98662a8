//! Tests of encoding and decoding together.

use proptest::prelude::*;

use crate::*;

const BANNER: &[u8] = b"Asterisk Call Manager/11.0.0\r\n";

/// Decodes a connection whose bytes arrive in parts of at most this size.
fn decode(limits: Limits, parts: &[&[u8]]) -> Result<Vec<Message>, DecodeError> {
    let mut decoder = Decoder::new(limits);
    let mut messages = Vec::new();
    for part in parts {
        let mut input = *part;
        while let Some(message) = decoder.decode(&mut input)? {
            messages.push(message);
        }
        assert!(input.is_empty(), "all input is used");
    }
    Ok(messages)
}

fn decode_all(text: &[u8]) -> Vec<Message> {
    decode(Limits::default(), &[BANNER, text]).expect("valid")
}

#[test]
fn messages_are_split_at_blank_lines() {
    let messages = decode_all(
        b"Response: Success\r\nActionID: 1\r\n\r\n\r\n\
          Event: Hangup\nChannel: Local/a@b;2\n\nEvent: Cut",
    );
    assert_eq!(messages.len(), 2);
    assert!(messages[0].has("Response", b"Success"));
    assert_eq!(messages[0].event(), None);
    assert_eq!(messages[1].event(), Some(&b"Hangup"[..]));
    assert!(messages[1].has("Channel", b"Local/a@b;2"));
}

#[test]
fn values_keep_their_colons_blanks_and_bytes() {
    let messages = decode_all(b"Output:  a: b \r\nOutput: c\r\nEmpty:\r\nRaw: \xff\0\r\n\r\n");
    let output: Vec<_> = messages[0].all("output").collect();
    assert_eq!(output, [&b" a: b "[..], b"c"]);
    assert!(messages[0].has("Empty", b""));
    assert!(messages[0].has("Raw", b"\xff\0"));
    let shown = format!("{:?}", messages[0]);
    assert!(shown.ends_with(r"Raw: \xff\x00}"), "{shown}");
}

#[test]
fn line_without_colon_is_dropped() {
    let messages = decode_all(b"Value: a\nb\r\nNext: c\r\n\r\nno message\r\n\r\n");
    assert_eq!(messages.len(), 1);
    assert!(messages[0].has("Value", b"a"));
    assert!(messages[0].has("Next", b"c"));
}

#[test]
fn banner_is_known_once_its_line_has_ended() {
    let mut decoder = Decoder::new(Limits::default());
    let (start, end) = BANNER.split_at(BANNER.len() - 1);
    for (mut input, has_banner) in [(start, false), (end, true), (b"Event: x\r\n", true)] {
        assert_eq!(decoder.decode(&mut input), Ok(None));
        assert_eq!(decoder.has_banner(), has_banner);
    }
}

#[test]
fn connection_without_banner_fails_for_good() {
    for first in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"\r\n",
        b"Response: Success\r\n\r\n",
        &[b'A'; 129],
    ] {
        let mut decoder = Decoder::new(Limits::default());
        for mut input in [first, BANNER, b"Event: Forged\r\n\r\n"] {
            let decoded = decoder.decode(&mut input);
            assert_eq!(decoded, Err(DecodeError::MissingBanner), "{first:?}");
            assert!(!decoder.has_banner());
        }
    }
}

#[test]
fn message_over_its_limits_fails_and_keeps_nothing() {
    let limits = Limits {
        message_bytes: 32,
        headers: 3,
    };
    let with = |text: &[u8]| decode(limits, &[BANNER, text]).map(|messages| messages.len());
    assert_eq!(with(b"Name: 345678901234567890123\r\n\r\n\r\n"), Ok(1));
    assert_eq!(with(b"A: 1\nB: 2\nC: 3\n\nA: 1\nB: 2\nC: 3\n\n"), Ok(2));
    let too_large = Err(DecodeError::MessageTooLarge(32));
    assert_eq!(with(b"Name: 34567890123456789012345\r\n\r\n"), too_large);
    assert_eq!(with(b"Name: 345678901234567890123456789"), too_large);
    assert_eq!(with(b"colonless\ncolonless\ncolonless\ncolon"), too_large);
    let too_many = Err(DecodeError::TooManyHeaders(3));
    assert_eq!(with(b"A: 1\nB: 2\nC: 3\nD: 4\n"), too_many);

    let mut decoder = Decoder::new(limits);
    let mut input = BANNER;
    assert_eq!(decoder.decode(&mut input), Ok(None));
    let mut input = &b"A: 1\nB: 2\nC: 3\nD: 4\n\nEvent: Next\n\n"[..];
    for _ in 0..3 {
        let failed = decoder.decode(&mut input);
        assert_eq!(failed, Err(DecodeError::TooManyHeaders(3)));
        assert_eq!(decoder.allocated(), 0);
    }
}

#[test]
fn value_with_line_break_is_refused() {
    for value in ["1\r\nAction: Command", "1\nx", "1\r", "\0", "a\0b"] {
        let refused = encode("Ping", &[("Value", value.as_bytes())]);
        let name = "Value".to_owned();
        assert_eq!(refused, Err(EncodeError::LineBreak { name }), "{value:?}");
        assert!(encode(value, &[]).is_err(), "{value:?}");
    }
}

#[test]
fn invalid_name_is_refused() {
    for name in ["", "a:b", "a b", "a\r\nAction", "a\n", "\0", "ü"] {
        let refused = encode("Ping", &[(name, b"")]);
        let name = name.to_owned();
        assert_eq!(refused, Err(EncodeError::InvalidName { name }));
    }
}

#[test]
fn action_over_limits_of_asterisk_is_refused() {
    let long = |bytes: usize| vec![b'x'; bytes];
    let longest = MAX_LINE_BYTES - "Name: \r\n".len();
    assert!(encode("Ping", &[("Name", &long(longest))]).is_ok());
    let name = "Name".to_owned();
    assert_eq!(
        encode("Ping", &[("Name", &long(longest + 1))]),
        Err(EncodeError::LineTooLong { name })
    );
    let many = |count| vec![("Name", &b"1"[..]); count];
    assert!(encode("Ping", &many(MAX_ACTION_HEADERS - 1)).is_ok());
    assert_eq!(
        encode("Ping", &many(MAX_ACTION_HEADERS)),
        Err(EncodeError::TooManyHeaders)
    );
    let value = long(longest);
    let large = |count| encode("Ping", &vec![("Name", value.as_slice()); count]);
    let most = large(64).expect("64 KiB");
    assert!(most.len() <= MAX_ACTION_BYTES && most.len() + MAX_LINE_BYTES > MAX_ACTION_BYTES);
    assert_eq!(large(65), Err(EncodeError::TooLarge));
}

#[test]
fn encoded_action_is_allocated_once() {
    let encoded = encode("Login", &[("Username", b"console"), ("Secret", b"secret")]);
    let encoded = encoded.expect("valid");
    assert_eq!(encoded.capacity(), encoded.len());
}

/// Returns headers that can be encoded.
fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let value = prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut value| {
        value.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
        value
    });
    prop::collection::vec(("[!-9;-~]{1,12}", value), 0..8)
}

/// Returns bytes that look like AMI often enough.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            &b"\r\n"[..], b"\n", b"\r", b":", b": ", b"Response: Success\r\n", b"Event: x\r\n",
            b"Output: y\r\n", b"\r\n\r\n", b"\0", b"\xff",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn encoded_actions_are_decoded_unchanged(actions in prop::collection::vec(headers(), 1..4)) {
        let mut text = Vec::new();
        for headers in &actions {
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice()))
                .collect();
            text.extend(encode("Test", &headers).expect("valid"));
        }
        let messages = decode_all(&text);
        prop_assert_eq!(messages.len(), actions.len());
        for (message, headers) in messages.iter().zip(&actions) {
            let action = ("Action".to_owned(), b"Test".to_vec());
            let wanted = std::iter::once(&action).chain(headers);
            let wanted = wanted.map(|(name, value)| (name.as_bytes(), value.as_slice()));
            prop_assert!(message.headers().eq(wanted), "{message:?}");
        }
    }

    #[test]
    fn parts_of_input_give_the_same_messages(
        noise in noise(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let limits = Limits { message_bytes: 200, headers: 6 };
        let text = [BANNER, &noise].concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
        let bytes: Vec<_> = text.chunks(1).collect();
        let whole = decode(limits, &[&text]);
        prop_assert_eq!(&whole, &decode(limits, &parts));
        prop_assert_eq!(&whole, &decode(limits, &bytes));
    }

    #[test]
    fn decoder_never_grows_beyond_its_limits(
        noise in prop::collection::vec(noise(), 1..8), has_banner in any::<bool>(),
    ) {
        let limits = Limits { message_bytes: 1000, headers: 10 };
        // A vector can have twice the room it needs; a header is two of them.
        let most = 2 * limits.message_bytes + 2 * limits.headers * 6 * size_of::<usize>();
        let mut decoder = Decoder::new(limits);
        let mut input = if has_banner { BANNER } else { b"" };
        let _ = decoder.decode(&mut input);
        for noise in noise {
            let mut input = noise.as_slice();
            loop {
                let decoded = decoder.decode(&mut input);
                prop_assert!(decoder.allocated() <= most, "{}", decoder.allocated());
                if let Ok(Some(message)) = &decoded {
                    prop_assert!(message.headers().count() <= limits.headers);
                }
                if !matches!(decoded, Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
