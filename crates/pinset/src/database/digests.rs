//! Digests of an entry, by which rows are looked up.

use std::fmt::Write;

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

fn signed(pin: &Pin, pepper: &Pepper) -> String {
    let keys = pepper.ids().filter_map(|id| pepper.key(id));
    let mut array = String::from("{");
    for (at, key) in keys.enumerate() {
        let gap = if at == 0 { "" } else { "," };
        let _ = write!(array, "{gap}\"\\\\x");
        hex::append(&mut array, &*key.sign(pin));
        array.push('"');
    }
    array.push('}');
    array
}
