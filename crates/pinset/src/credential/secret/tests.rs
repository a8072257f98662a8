use super::*;
use proptest::prelude::*;

/// The key that the MACs below were made with, by `openssl` and by Python.
pub(crate) const TEST_KEY: &str =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const MD5_OF_1234: &str = "81dc9bdb52d04dc20036dbd8313ed055";
const MAC_OF_1234: &str = "7adf01a8404b07ff05314115b48a8fdafa11d2480b14ceadd375350da4f8e3bf";

/// Of 1234, by argon2-cffi 25.1, which is the reference implementation.
const ARGON2ID_OF_1234: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ";

pub(crate) fn entered(text: &str) -> Pin {
    let mut pin = Pin::new();
    text.bytes().for_each(|key| pin.push(key));
    pin
}

fn pepper() -> Pepper {
    let file = format!("main:{TEST_KEY}\nother:{}", "ab".repeat(32));
    Pepper::parse(file.as_bytes()).expect("a pepper")
}

fn id(name: &str) -> KeyId {
    KeyId::new(name.as_bytes()).expect("a name")
}

fn error(text: &str) -> Option<SecretError> {
    Secret::parse(text.as_bytes()).err()
}

fn secret(text: &str) -> Secret {
    assert_eq!(error(text), None, "{text}");
    Secret::parse(text.as_bytes()).expect("a secret")
}

/// One of each form, of 1234.
fn each() -> [(String, Form); 5] {
    let other = pepper();
    let other = other
        .key(id("other"))
        .expect("a key")
        .sign(&entered("1234"));
    let other: String = other.iter().map(|byte| format!("{byte:02x}")).collect();
    [
        ("plain:1234".to_owned(), Form::Plain),
        (format!("md5:{MD5_OF_1234}"), Form::Md5),
        (
            format!("hmac-sha256:main:{MAC_OF_1234}"),
            Form::Hmac(id("main")),
        ),
        (
            format!("hmac-sha256:other:{other}"),
            Form::Hmac(id("other")),
        ),
        (ARGON2ID_OF_1234.to_owned(), Form::Argon2id),
    ]
}

#[test]
fn each_form_knows_its_pin() {
    for (text, form) in each() {
        for text in [text.clone(), format!(" {text}\t")] {
            let secret = secret(&text);
            assert_eq!(secret.form(), form);
            for (pin, right) in [
                ("1234", true),
                ("", false),
                ("123", false),
                ("12345", false),
                ("01234", false),
                ("1235", false),
                ("0234", false),
            ] {
                let verified = secret.verify(&entered(pin), &pepper());
                assert_eq!(verified, Ok(right), "{text} {pin:?}");
            }
        }
    }
    for text in &[
        format!("md5:{}", MD5_OF_1234.to_uppercase()),
        format!("hmac-sha256:main:{}", MAC_OF_1234.to_uppercase()),
    ] {
        assert_eq!(secret(text).verify(&entered("1234"), &pepper()), Ok(true));
    }
}

/// Made by argon2-cffi 25.1, which is the reference implementation.
#[test]
fn argon2id_is_that_of_the_reference() {
    for (pin, text, cost) in [
        ("1234", ARGON2ID_OF_1234, (8, 1, 1)),
        (
            "1234",
            "$argon2id$v=19$m=64,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$\
             ohl00juA6rC7AjyNjdPQMTFpNsR7MXiWuo30e3rU9s0",
            (64, 3, 4),
        ),
        (
            "12*A",
            "$argon2id$v=19$m=16,t=2,p=2$c29tZXNhbHQtb2YtMjQtYnl0ZXMtLi4u$\
             tkRn8ycTZyGc0pd4CNv/Ww",
            (16, 2, 2),
        ),
        (
            "1234",
            "$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHQ$\
             SUhvlloC54iflLlpyaV7Q8aRTmCVNhgg9aWYk7H4/vFlp6mC5kpuBEbBO+BMAhSa/xxNK0YsbMbJlx+THU1P8w",
            (1024, 2, 1),
        ),
        (
            "1234",
            "$argon2id$v=19$m=8,t=1,p=1\
             $c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz$\
             JMWd8JV33w814e9xkGbx8u0lROoHimH9ybeAbYUOagtUYmh/BaBfV/xUQGN4dkp7jqM73w0orFD5L9wTjrUskg",
            (8, 1, 1),
        ),
    ] {
        let secret = secret(text);
        assert_eq!(secret.verify(&entered(pin), &Pepper::default()), Ok(true), "{text}");
        assert_eq!(secret.verify(&entered("4321"), &Pepper::default()), Ok(false), "{text}");
        assert_eq!(secret.cost().map(|cost| cost.parts()), Some(cost), "{text}");
    }
}

/// The hash of nothing is right for nobody, whatever the form.
#[test]
fn empty_entry_matches_no_secret() {
    let mac = "47563b1a98e2e2bde9d8eac5c4c5afa2fcd00d5633eb053b729896260b111e16";
    for text in [
        format!("hmac-sha256:main:{mac}"),
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$NwG1zNkhHT0CU5f3oX/HgKeiUTjQElhT+vx01NDGBjo".into(),
    ] {
        let secret = secret(&text);
        assert_eq!(secret.verify(&Pin::new(), &pepper()), Ok(false), "{text}");
    }
    for (_, form) in each() {
        let key = form.index_key(&Pin::new(), &pepper());
        assert!(key.is_ok_and(|key| key.is_none()), "{form:?}");
    }
}

#[test]
fn unknown_pepper_key_gives_no_verdict() {
    let lost = secret(&format!("hmac-sha256:lost:{MAC_OF_1234}"));
    let no_key = VerifyError::MissingKey(id("lost"));
    assert_eq!(lost.verify(&entered("1234"), &pepper()), Err(no_key));
    assert_eq!(
        lost.form().index_key(&entered("1234"), &pepper()).err(),
        Some(no_key)
    );
    // Another key's MAC is not taken for it.
    let other = secret(&format!("hmac-sha256:other:{MAC_OF_1234}"));
    assert_eq!(other.verify(&entered("1234"), &pepper()), Ok(false));
    assert_eq!(no_key.to_string(), "the pepper file has no key lost");
}

#[test]
fn an_entry_finds_its_secret_unless_it_is_slow() {
    for (text, form) in each() {
        let secret = secret(&text);
        let key = form
            .index_key(&entered("1234"), &pepper())
            .expect("a pepper");
        let slow = form == Form::Argon2id;
        assert_eq!(form.is_slow(), slow);
        assert_eq!(secret.cost().is_some(), slow);
        assert_eq!(key.is_some(), !slow);
        let mut found = Vec::new();
        for (_, other) in each() {
            let asked = other
                .index_key(&entered("1234"), &pepper())
                .expect("a pepper");
            let is_of = asked
                .as_ref()
                .is_some_and(|asked| asked.is_of(secret.view(text.as_bytes())));
            assert_eq!(is_of, asked.is_some() && asked == key);
            if is_of {
                found.push(other);
            }
        }
        assert_eq!(found, if slow { vec![] } else { vec![form] });
        let asked = form
            .index_key(&entered("1235"), &pepper())
            .expect("a pepper");
        assert!(asked.is_none_or(|asked| !asked.is_of(secret.view(text.as_bytes()))));
    }
    // Of two keys of the pepper, the same digest is not the same.
    let [main, other] =
        ["main", "other"].map(|id| secret(&format!("hmac-sha256:{id}:{MAC_OF_1234}")));
    let key = main.form().index_key(&entered("1234"), &pepper());
    let key = key.expect("a pepper").expect("a key");
    assert!(key.is_of(main.view(b"")) && !key.is_of(other.view(b"")));
}

/// All of a digest counts: a PIN is not right because a part of it is.
#[test]
fn digest_that_differs_in_one_bit_is_another() {
    let key_of = |form: Form| form.index_key(&entered("1234"), &pepper());
    let key_of = |form| key_of(form).expect("a pepper").expect("a key");
    let (md5, hmac) = (key_of(Form::Md5), key_of(Form::Hmac(id("main"))));
    let digests = [&md5, &hmac].map(|key| key.bytes().to_vec());
    for bit in 0..8 * 32 {
        let [mut of_md5, mut of_hmac] = digests.clone();
        of_hmac[bit / 8] ^= 1 << (bit % 8);
        let view = SecretView::Hmac(id("main"), of_hmac.first_chunk().expect("32 bytes"));
        assert!(!hmac.is_of(view), "HMAC, bit {bit}");
        if let Some(byte) = of_md5.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
            let view = SecretView::Md5(of_md5.first_chunk().expect("16 bytes"));
            assert!(!md5.is_of(view), "MD5, bit {bit}");
        }
    }
}

#[test]
fn invalid_secrets_are_refused() {
    let of_nothing = "d41d8cd98f00b204e9800998ecf8427e";
    let (md5, mac) = (MD5_OF_1234, MAC_OF_1234);
    let long_id = "a".repeat(33);
    for (text, wrong) in [
        (String::new(), SecretError::UnknownForm),
        ("1234".into(), SecretError::UnknownForm),
        ("Plain:1234".into(), SecretError::UnknownForm),
        ("plain".into(), SecretError::UnknownForm),
        (md5.into(), SecretError::UnknownForm),
        (format!("sha256:{mac}"), SecretError::UnknownForm),
        (
            "$2b$12$abcdefghijklmnopqrstuv".into(),
            SecretError::UnknownForm,
        ),
        (
            "$argon2x$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA".into(),
            SecretError::UnknownForm,
        ),
        ("plain:".into(), SecretError::Empty),
        ("plain: ".into(), SecretError::Empty),
        ("plain: 1234".into(), SecretError::NotOnKeypad),
        ("plain:12#4".into(), SecretError::NotOnKeypad),
        ("plain:12a4".into(), SecretError::NotOnKeypad),
        ("plain:12\x004".into(), SecretError::NotOnKeypad),
        (format!("plain:{}", "1".repeat(255)), SecretError::TooLong),
        ("md5:".into(), SecretError::InvalidMd5),
        (format!("md5:{}", &md5[1..]), SecretError::InvalidMd5),
        (format!("md5:{md5}0"), SecretError::InvalidMd5),
        (format!("md5:{}g", &md5[1..]), SecretError::InvalidMd5),
        (format!("md5:{of_nothing}"), SecretError::EmptyTextDigest),
        (
            format!("md5:{}", of_nothing.to_uppercase()),
            SecretError::EmptyTextDigest,
        ),
        ("hmac-sha256:".into(), SecretError::InvalidHmac),
        ("hmac-sha256:main".into(), SecretError::InvalidHmac),
        (format!("hmac-sha256:{mac}"), SecretError::InvalidHmac),
        (format!("hmac-sha256::{mac}"), SecretError::InvalidHmac),
        (format!("hmac-sha256:ma.in:{mac}"), SecretError::InvalidHmac),
        (
            format!("hmac-sha256:{long_id}:{mac}"),
            SecretError::InvalidHmac,
        ),
        (
            format!("hmac-sha256:main:{}", &mac[2..]),
            SecretError::InvalidHmac,
        ),
        (
            format!("hmac-sha256:main:{mac}00"),
            SecretError::InvalidHmac,
        ),
        (
            format!("hmac-sha256:main:a:{mac}"),
            SecretError::InvalidHmac,
        ),
    ] {
        assert_eq!(error(&text), Some(wrong), "{text}");
    }
    assert!(Secret::parse(b"plain:12\xff4").is_err_and(|error| error == SecretError::NotOnKeypad));
    assert!(Secret::parse(b"$argon2id\xff").is_err_and(|error| error == SecretError::InvalidPhc));
    assert_eq!(error(&format!("plain:{}", "1".repeat(254))), None);
}

#[test]
fn unsupported_argon2id_hashes_are_refused() {
    let with = |from: &str, to: &str| {
        assert!(ARGON2ID_OF_1234.contains(from));
        ARGON2ID_OF_1234.replacen(from, to, 1)
    };
    let costs = |costs: &str| with("m=8,t=1,p=1", costs);
    let long_salt = "c3Nz".repeat(16) + "cw";
    for (text, wrong) in [
        (
            with("argon2id", "argon2i"),
            Some(SecretError::UnsupportedVariant("argon2i")),
        ),
        (
            with("argon2id", "argon2d"),
            Some(SecretError::UnsupportedVariant("argon2d")),
        ),
        (with("argon2id", "argon2"), Some(SecretError::UnknownForm)),
        (with("argon2id", "argon2ID"), Some(SecretError::UnknownForm)),
        (
            with("v=19", "v=16"),
            Some(SecretError::UnsupportedVersion(16)),
        ),
        (
            with("v=19", "v=20"),
            Some(SecretError::UnsupportedVersion(20)),
        ),
        (with("v=19$", ""), Some(SecretError::UnsupportedVersion(16))),
        (with("v=19", "v=x"), Some(SecretError::InvalidPhc)),
        // The caps, and one over them.
        (costs("m=65536,t=10,p=4"), None),
        (costs("m=65537,t=1,p=1"), Some(SecretError::TooExpensive)),
        (costs("m=8,t=11,p=1"), Some(SecretError::TooExpensive)),
        (costs("m=64,t=1,p=5"), Some(SecretError::TooExpensive)),
        (
            costs("m=4294967295,t=1,p=1"),
            Some(SecretError::TooExpensive),
        ),
        (
            costs("m=8,t=1,p=4294967295"),
            Some(SecretError::TooExpensive),
        ),
        (costs("m=7,t=1,p=1"), Some(SecretError::TooCheap)),
        (costs("m=31,t=1,p=4"), Some(SecretError::TooCheap)),
        (costs("m=32,t=1,p=4"), None),
        (costs("m=8,t=0,p=1"), Some(SecretError::TooCheap)),
        (costs("m=8,t=1,p=0"), Some(SecretError::TooCheap)),
        (costs("p=1,m=8,t=1"), None),
        (costs("m=8,t=1"), Some(SecretError::InvalidPhc)),
        (costs("m=8,p=1"), Some(SecretError::InvalidPhc)),
        (costs("t=1,p=1"), Some(SecretError::InvalidPhc)),
        (costs("m=8,t=1,p=1,m=8"), Some(SecretError::InvalidPhc)),
        (
            costs("m=8,t=1,p=1,keyid=abcd"),
            Some(SecretError::InvalidPhc),
        ),
        (
            costs("m=8,t=1,p=1,data=abcd"),
            Some(SecretError::InvalidPhc),
        ),
        (costs("m=-8,t=1,p=1"), Some(SecretError::InvalidPhc)),
        (costs("m=4294967296,t=1,p=1"), Some(SecretError::InvalidPhc)),
        // A salt of seven bytes and of eight, of 48 and of 49.
        (
            with("c2FsdHNhbHQ", "c2FsdHNhbA"),
            Some(SecretError::InvalidPhc),
        ),
        (with("c2FsdHNhbHQ", &long_salt[..64]), None),
        (
            with("c2FsdHNhbHQ", &long_salt),
            Some(SecretError::InvalidPhc),
        ),
        (with("c2FsdHNhbHQ", ""), Some(SecretError::InvalidPhc)),
        // A hash of 15 bytes and of 16, of 64 and of 65.
        (
            with(
                "0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ",
                "0T8Xv9HzSgy6rOF4gFCB",
            ),
            Some(SecretError::InvalidPhc),
        ),
        (
            with(
                "0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ",
                "0T8Xv9HzSgy6rOF4gFCBxA",
            ),
            None,
        ),
        (
            with(
                "0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ",
                &("AAAA".repeat(21) + "AA"),
            ),
            None,
        ),
        (
            with(
                "0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ",
                &("AAAA".repeat(21) + "AAA"),
            ),
            Some(SecretError::InvalidPhc),
        ),
        (
            with("$0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ", ""),
            Some(SecretError::InvalidPhc),
        ),
        (
            format!("{ARGON2ID_OF_1234}$"),
            Some(SecretError::InvalidPhc),
        ),
        (
            format!("{ARGON2ID_OF_1234}="),
            Some(SecretError::InvalidPhc),
        ),
        (with("XTaQ", "XT Q"), Some(SecretError::InvalidPhc)),
        ("$argon2id$".into(), Some(SecretError::InvalidPhc)),
        ("$argon2id".into(), Some(SecretError::InvalidPhc)),
    ] {
        assert_eq!(error(&text), wrong, "{text}");
    }
}

#[test]
fn error_names_the_refused_form() {
    for (error, name) in [
        (SecretError::UnsupportedVariant("argon2d"), "argon2d"),
        (SecretError::UnsupportedVersion(16), "version 16"),
    ] {
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// Of each cost a hash is computed to the end.
#[test]
fn cost_can_be_spent_without_a_secret() {
    for text in [
        ARGON2ID_OF_1234,
        &ARGON2ID_OF_1234.replace("m=8,t=1,p=1", "m=64,t=10,p=4"),
    ] {
        let cost = secret(text).cost().expect("a cost");
        assert_eq!(cost.spend(&entered("1234")), Ok(()));
    }
    let usual = Cost::default();
    assert_eq!(usual.parts(), (19 * 1024, 2, 1));
    assert_eq!(usual.work(), 2 * 19 * 1024);
    let start = std::time::Instant::now();
    assert_eq!(usual.spend(&entered("1234")), Ok(()));
    // A hundredth of what a fast machine needs.
    assert!(start.elapsed() > std::time::Duration::from_micros(200));
}

/// Compiles only if the types have no `Debug`, and are wiped.
#[test]
fn secrets_are_not_shown_and_are_wiped() {
    trait Shown<Which> {
        const NOT: () = ();
    }
    struct Debug;
    impl<T> Shown<()> for T {}
    impl<T: std::fmt::Debug> Shown<Debug> for T {}
    let () = <Secret as Shown<_>>::NOT;
    let () = <IndexKey as Shown<_>>::NOT;
    let () = <Argon2id as Shown<_>>::NOT;
    let () = <Pepper as Shown<_>>::NOT;
    let () = <crate::credential::pepper::PepperKey as Shown<_>>::NOT;
    fn wiped_when_dropped<T: ZeroizeOnDrop>() {}
    wiped_when_dropped::<IndexKey>();
    let mut key = SecretKey::Hmac(id("main"), [7; 32]);
    key.zeroize();
    assert!(key == SecretKey::Hmac(id("main"), [0; 32]));
}

proptest! {
    /// Any bytes are read, and no error repeats what may be of a secret.
    #[test]
    fn parsing_any_bytes_does_not_panic(text in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        "(|plain:|md5:|hmac-sha256:)[0-9]{0,9}#?".prop_map(String::into_bytes),
        "(plain:|md5:|hmac-sha256:[a-b]?:?|\\$argon2id\\$v=19\\$m=8,t=1,p=1\\$)[0-9a-fA-F*$]{0,70}"
            .prop_map(String::into_bytes),
    ]) {
        if let Err(error) = Secret::parse(&text) {
            let said = error.to_string();
            let secret = String::from_utf8_lossy(&text).into_owned();
            let secret = secret.rsplit([':', '$']).next().unwrap_or_default();
            prop_assert!(secret.len() < 6 || !said.contains(secret), "{}", said);
        }
    }

    /// Every form agrees with every other about every entry.
    #[test]
    fn all_forms_give_the_same_verdict(right in "[0-9*A-D]{1,20}", entry in "[0-9*A-D]{0,20}") {
        let (pepper, entries) = (pepper(), [entered(&right), entered(&entry)]);
        let hex = |bytes: &[u8]| -> String {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let mac = pepper.key(id("main")).map(|key| hex(&*key.sign(&entries[0])));
        for text in [
            format!("plain:{right}"),
            format!("md5:{}", hex(&md5::digest(&entries[0]))),
            format!("hmac-sha256:main:{}", mac.unwrap_or_default()),
        ] {
            let secret = secret(&text);
            for pin in &entries {
                let same = pin.as_bytes() == right.as_bytes();
                prop_assert_eq!(secret.verify(pin, &pepper), Ok(same));
                let asked = secret.form().index_key(pin, &pepper);
                let asked = asked.expect("a pepper");
                let found = asked.is_some_and(|asked| asked.is_of(secret.view(text.as_bytes())));
                prop_assert_eq!(found, same);
            }
        }
    }
}
