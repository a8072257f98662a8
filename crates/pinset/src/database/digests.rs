//! Digests of an entry, by which rows are looked up.

use crate::credential::pepper::Pepper;
use crate::hex;
use crate::pin::Pin;

/// Returns the array of an entry's digests, one for each key of the pepper: `{"\\x…"}`.
/// There is none for an empty entry, which is nobody's PIN.
pub fn digests(pin: &Pin, pepper: &Pepper) -> String {
    match pin.is_empty() {
        true => "{}".to_owned(),
        false => signed(pin, pepper),
    }
}

/// Returns the array of the ids of a pepper's keys, and that of their fingerprints: the
/// HMAC of an empty entry, which is nobody's PIN.
pub fn fingerprints(pepper: &Pepper) -> (String, String) {
    // An id has letters, digits, `_` and `-` only.
    let ids: Vec<String> = pepper.ids().map(|id| format!("\"{id}\"")).collect();
    (
        format!("{{{}}}", ids.join(",")),
        signed(&Pin::new(), pepper),
    )
}

/// Returns the digests of an entry in hexadecimal digits, one for each key of the pepper.
/// There is none for an empty entry, which is nobody's PIN.
pub(super) fn hex_digests(pin: &Pin, pepper: &Pepper) -> Vec<String> {
    match pin.is_empty() {
        true => Vec::new(),
        false => each(pin, pepper).collect(),
    }
}

fn signed(pin: &Pin, pepper: &Pepper) -> String {
    let digests: Vec<String> = each(pin, pepper)
        .map(|digest| format!("\"\\\\x{digest}\""))
        .collect();
    format!("{{{}}}", digests.join(","))
}

fn each<'a>(pin: &'a Pin, pepper: &'a Pepper) -> impl Iterator<Item = String> + 'a {
    let keys = pepper.ids().filter_map(|id| pepper.key(id));
    keys.map(|key| {
        let mut digest = String::new();
        hex::append(&mut digest, &*key.sign(pin));
        digest
    })
}
