use super::*;
use crate::credential::secret::tests::{entered, TEST_KEY};
use proptest::prelude::*;

const ONES: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn signed(pepper: &Pepper, id: &str) -> Option<[u8; 32]> {
    let id = KeyId::new(id.as_bytes())?;
    Some(*pepper.key(id)?.sign(&entered("1234")))
}

/// Checked with `openssl dgst -sha256 -mac HMAC -macopt hexkey:…`, and with
/// Python's `hmac`.
#[test]
fn signs_as_openssl_does() {
    let pepper = Pepper::parse(format!("main:{TEST_KEY}").as_bytes()).ok();
    let (_, key) = pepper.as_ref().and_then(Pepper::signing).expect("a key");
    for (pin, mac) in [
        (
            "1234",
            "7adf01a8404b07ff05314115b48a8fdafa11d2480b14ceadd375350da4f8e3bf",
        ),
        (
            "12*A",
            "d679efe239efcfd01d9b7491ff61cf90bdb416a286237e8093b1f07370dc1876",
        ),
        (
            "0",
            "9a4faad0aba5d053e12b209ea6ed7aa6ee13cadf821df603a432b8980053892c",
        ),
        (
            &"7".repeat(254),
            "21394ea8824c9dbff1b7f544563e75497753b82a39b3a0584936a42f6bce1945",
        ),
    ] {
        let signed = *key.sign(&entered(pin));
        assert_eq!(Some(signed), hex::bytes(mac.as_bytes()), "{pin}");
    }
}

#[test]
fn the_first_key_signs_and_each_is_found() {
    let file = format!(
        "\u{feff}; the pepper\r\n\r\n# KEYID:key\n \t \n\
         new-2026_b:{TEST_KEY}\r\n  ;old:{ONES}\nold: \n"
    );
    // A blank behind the colon is none of a key.
    assert_eq!(
        Pepper::parse(file.as_bytes()).err(),
        Some(PepperError::Line(7, PepperLineError::InvalidKey))
    );
    let file = file.replace("old: ", &format!(" old:{ONES} "));
    let pepper = Pepper::parse(file.as_bytes()).expect("a pepper");
    let (id, key) = pepper.signing().expect("a key");
    assert_eq!(id.to_string(), "new-2026_b");
    assert_eq!(
        Some(*key.sign(&entered("1234"))),
        signed(&pepper, "new-2026_b")
    );
    assert!(signed(&pepper, "old").is_some());
    assert_ne!(signed(&pepper, "old"), signed(&pepper, "new-2026_b"));
    for unknown in ["Old", "ol", "olde", ""] {
        assert_eq!(signed(&pepper, unknown), None, "{unknown}");
    }
}

#[test]
fn empty_pepper_signs_nothing() {
    let none = Pepper::default();
    assert!(none.signing().is_none());
    assert_eq!(signed(&none, "main"), None);
}

#[test]
fn bad_lines_are_named() {
    let long = "a".repeat(33);
    for (file, broken) in [
        (String::new(), PepperError::NoKey),
        ("; main:\n#\n\n".to_owned(), PepperError::NoKey),
        (
            ONES.to_owned(),
            PepperError::Line(1, PepperLineError::MissingColon),
        ),
        (
            format!("\n\nmain {ONES}"),
            PepperError::Line(3, PepperLineError::MissingColon),
        ),
        (
            format!(":{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKeyId),
        ),
        (
            format!("ma in:{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKeyId),
        ),
        (
            format!("main :{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKeyId),
        ),
        (
            format!("mäin:{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKeyId),
        ),
        (
            format!("ma\0:{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKeyId),
        ),
        (
            format!("a.b:{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKeyId),
        ),
        (
            format!("{long}:{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKeyId),
        ),
        (
            "main:".to_owned(),
            PepperError::Line(1, PepperLineError::InvalidKey),
        ),
        (
            format!("main:{}", &ONES[1..]),
            PepperError::Line(1, PepperLineError::InvalidKey),
        ),
        (
            format!("main:{ONES}1"),
            PepperError::Line(1, PepperLineError::InvalidKey),
        ),
        (
            format!("main:{ONES}11"),
            PepperError::Line(1, PepperLineError::InvalidKey),
        ),
        (
            format!("main:{}g", &ONES[1..]),
            PepperError::Line(1, PepperLineError::InvalidKey),
        ),
        (
            format!("main:{ONES} ; mine"),
            PepperError::Line(1, PepperLineError::InvalidKey),
        ),
        (
            format!("main:main:{ONES}"),
            PepperError::Line(1, PepperLineError::InvalidKey),
        ),
        (
            format!(";\na:{ONES}\nb:{ONES}\n\nb:{TEST_KEY}\n"),
            PepperError::Line(5, PepperLineError::DuplicateKeyId(3)),
        ),
        // A bad line is worse than a good one before it.
        (
            format!("a:{ONES}\nb\n"),
            PepperError::Line(2, PepperLineError::MissingColon),
        ),
    ] {
        assert_eq!(Pepper::parse(file.as_bytes()).err(), Some(broken), "{file}");
    }
    let right = [&long[..32], "a", "-", "_", "0", "A-z_9"];
    for id in right {
        let file = format!("{id}:{ONES}");
        let pepper = Pepper::parse(file.as_bytes()).expect("a pepper");
        assert_eq!(
            pepper.signing().map(|(id, _)| id.to_string()).as_deref(),
            Some(id)
        );
    }
}

#[test]
fn errors_name_the_line() {
    let error = PepperError::Line(5, PepperLineError::DuplicateKeyId(3)).to_string();
    assert_eq!(error, "line 5: line 3 has a key of the same name");
}

#[test]
fn a_key_is_wiped() {
    fn wiped_when_dropped<T: ZeroizeOnDrop>() {}
    wiped_when_dropped::<PepperKey>();
    let mut key = PepperKey::new(ONES.as_bytes()).expect("a key");
    assert_eq!(key.0[..32], [0x11; 32]);
    key.zeroize();
    assert_eq!(*key.0, [0; HMAC_BLOCK_BYTES]);
}

proptest! {
    /// Any bytes are read, and no error repeats any of a key.
    #[test]
    fn parsing_any_bytes_does_not_panic(file in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "([a-c]{1,2}:[0-9a-f]{64}\n|;\n|[a:]\n){0,5}".prop_map(String::into_bytes),
    ]) {
        match Pepper::parse(&file) {
            Ok(pepper) => prop_assert!(pepper.signing().is_some()),
            Err(broken) => prop_assert!(broken.to_string().len() < 100),
        }
    }

    #[test]
    fn names_differ_as_their_texts_do(one in "[a-b_-]{1,3}", other in "[a-b_-]{1,3}") {
        let (a, b) = (KeyId::new(one.as_bytes()), KeyId::new(other.as_bytes()));
        prop_assert_eq!(a == b, one == other);
        prop_assert_eq!(a.map(|id| id.to_string()), Some(one));
    }
}
