//! Numbers of uses whose rows are in no PIN file any more.

use anyhow::{ensure, Result};
use harness::Pbx;

use super::{customers, is_refused, passes, row, shown, try_pin, write_list, FAMILY};
use crate::support::{eventually, on};

const ABSENCES: &str = "authenticate-absent/customers";

/// Absent on as many days as a number of uses is kept, the last of them long ago.
const LONG_ABSENT: &str = "90 1";

/// A number of uses of a PIN set that has no section. Those of `customers` are
/// settled before it.
const NO_SECTION: (&str, &str) = (
    "authenticate-uses/without-section",
    "0123456789abcdef0123456789abcdef",
);

/// Ends Asterisk as an administrator does, starts it again, and waits for the look
/// at the lists.
fn restart_and_look(pbx: &Pbx) -> Result<()> {
    let (family, key) = NO_SECTION;
    pbx.db_put(family, key, "1")?;
    pbx.db_put("authenticate-absent/without-section", key, LONG_ABSENT)?;
    pbx.stop()?;
    pbx.start_again()?;
    eventually("the look at the lists", || {
        Ok(pbx.db_get(family, key)?.is_none())
    })
}

#[test]
fn uses_of_absent_rows_are_deleted_those_of_listed_rows_never() {
    on(customers(""), |pbx| {
        let all = [
            ("ada", "1111", "1"),
            ("bob", "2222", "1"),
            ("eve", "3333", "1"),
        ];
        write_list(pbx, &all)?;
        for (_, pin, _) in all {
            passes(&try_pin(pbx, pin)?)?;
        }
        let (ada, bob, eve) = (row(pbx, "ada")?.0, row(pbx, "bob")?.0, row(pbx, "eve")?.0);
        for (key, absence) in [(&ada, LONG_ABSENT), (&bob, LONG_ABSENT), (&eve, "5 1")] {
            pbx.db_put(ABSENCES, key, absence)?;
        }
        write_list(pbx, &all[..1])?;
        restart_and_look(pbx)?;

        ensure!(shown(pbx)?.keys().eq(["ada", "eve"]), "{:#?}", shown(pbx)?);
        // A row that is listed starts again, should it become absent.
        ensure!(pbx.db_get(ABSENCES, &ada)?.is_none());
        ensure!(pbx.db_get(ABSENCES, &bob)?.is_none());
        let counted = pbx.db_get(ABSENCES, &eve)?.unwrap_or_default();
        ensure!(counted.starts_with("6 ") && counted != "6 1", "{counted}");
        let log = pbx.log()?;
        let printed = "uses of 2 PINs deleted: no PIN file has their rows any more";
        ensure!(log.contains(printed), "{log}");

        // A one-time PIN that is still listed, or was absent for a short time,
        // has been used.
        write_list(pbx, &all)?;
        is_refused(&try_pin(pbx, "1111")?)?;
        is_refused(&try_pin(pbx, "3333")?)?;
        // A second look on the same day counts no day.
        write_list(pbx, &all[..1])?;
        restart_and_look(pbx)?;
        ensure!(pbx.db_get(ABSENCES, &eve)? == Some(counted));
        Ok(())
    });
}

#[test]
fn unreadable_or_invalid_lists_delete_no_uses() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("ada", "1111", "1")])?;
        passes(&try_pin(pbx, "1111")?)?;
        let (key, _) = row(pbx, "ada")?;
        let none = "account,secret,max_uses\n";
        let lists = [
            // The value of the row that was used is wrong for the moment.
            format!("{none}ada,plain:1111,once\n"),
            format!("{none}bob,plain:2222\n"),
            "account,PIN\n".to_owned(),
        ];
        for list in lists {
            pbx.db_put(ABSENCES, &key, LONG_ABSENT)?;
            pbx.pin_file(super::LIST, &list)?;
            restart_and_look(pbx)?;
            ensure!(row(pbx, "ada")?.1 == 1, "{list}");
            ensure!(pbx.db_get(FAMILY, &key)?.as_deref() == Some("1"), "{list}");
            ensure!(
                pbx.db_get(ABSENCES, &key)?.as_deref() == Some(LONG_ABSENT),
                "{list}"
            );
        }
        write_list(pbx, &[("ada", "1111", "1")])?;
        is_refused(&try_pin(pbx, "1111")?)
    });
}
