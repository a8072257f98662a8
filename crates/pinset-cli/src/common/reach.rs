//! Rows that admit nobody, whatever their PIN set asks for.

use pinset::pin::{is_key, MAX_DIGITS};

use crate::common::error::note;

/// The reason why such a row admits nobody.
pub(crate) const OUT_OF_REACH: &str =
    "an Argon2id hash is found by caller number or account, but there \
    is no caller number, and the account can't be entered on a telephone";

/// The remedy for such rows.
pub(crate) const REMEDY: &str = "use numeric accounts, caller numbers or --hmac-sha256";

/// Returns whether callers can enter this account on a telephone.
pub(crate) fn is_enterable(account: &str) -> bool {
    (1..=MAX_DIGITS).contains(&account.len()) && account.bytes().all(is_key)
}

/// Returns whether a row can't be found by any caller. `is_argon2id` is whether its PIN
/// is an Argon2id hash, which can't be looked up.
pub(crate) fn is_out_of_reach(account: &str, caller: Option<&str>, is_argon2id: bool) -> bool {
    is_argon2id && caller.is_none_or(str::is_empty) && !is_enterable(account)
}

/// Warns about new rows that are out of reach.
pub(crate) fn warn_out_of_reach(rows: usize) {
    let some = match rows {
        0 => return,
        1 => "1 new row admits".to_owned(),
        _ => format!("{rows} new rows admit"),
    };
    note(format!("warning: {some} nobody: {OUT_OF_REACH}: {REMEDY}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argon2id_row_needs_caller_or_numeric_account() {
        for (account, caller, is_argon2id, wanted) in [
            ("ada", None, true, true),
            ("ada", Some(""), true, true),
            ("47 11", None, true, true),
            ("", None, true, true),
            ("ada", Some("+905060508169"), true, false),
            ("4711", None, true, false),
            ("4*1A", None, true, false),
            ("ada", None, false, false),
        ] {
            let found = is_out_of_reach(account, caller, is_argon2id);
            assert_eq!(found, wanted, "{account:?} {caller:?}");
        }
    }
}
