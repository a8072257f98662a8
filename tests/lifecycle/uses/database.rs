//! The counts in Asterisk's database: how an administrator sees and changes them, and
//! what the journal does to them at the next start.

use anyhow::{ensure, Result};
use harness::{Call, Outcome, Pbx};

use super::{
    customers, is_refused, is_refused_as_wrong, passes, record, row, shown, try_pin, write_list,
    FAMILY,
};
use crate::one_time::{journal, JOURNAL};
use crate::support::{eventually, has_no_pin, on};

fn delete(pbx: &Pbx, key: &str) -> Result<()> {
    let printed = pbx
        .manager()?
        .command(&format!("database del {FAMILY} {key}"))?;
    ensure!(printed.contains("removed"), "{printed}");
    Ok(())
}

#[test]
fn uses_belong_to_a_row_and_a_new_secret_starts_at_zero() {
    on(customers(""), |pbx| {
        let bob = ("bob", "5678", "");
        write_list(pbx, &[("alice", "1234", "3"), bob])?;
        ensure!(shown(pbx)?.is_empty());
        for uses in 1..=3 {
            passes(&try_pin(pbx, "1234")?)?;
            let (key, counted) = row(pbx, "alice")?;
            ensure!(counted == uses, "{counted}");
            ensure!(journal(pbx)?.ends_with(&record(&key, uses)), "not recorded");
        }
        is_refused(&try_pin(pbx, "1234")?)?;
        ensure!(row(pbx, "alice")?.1 == 3);
        // A wrong PIN is no use, nor is one that may be used any number of times.
        is_refused(&try_pin(pbx, "9999")?)?;
        passes(&try_pin(pbx, "5678")?)?;
        ensure!(shown(pbx)?.len() == 1, "{:#?}", shown(pbx)?);

        write_list(pbx, &[("alice", "4321", "1"), bob])?;
        passes(&try_pin(pbx, "4321")?)?;
        is_refused(&try_pin(pbx, "4321")?)?;
        // And the old one has not become unused.
        write_list(pbx, &[("alice", "1234", "3"), bob])?;
        is_refused(&try_pin(pbx, "1234")?)?;
        // More uses are as many more.
        write_list(pbx, &[("alice", "1234", "4"), bob])?;
        passes(&try_pin(pbx, "1234")?)?;
        is_refused(&try_pin(pbx, "1234")?)?;

        let mut values: Vec<_> = shown(pbx)?.remove("alice").unwrap_or_default();
        values.sort_by(|one, other| one.1.cmp(&other.1));
        let values: Vec<_> = values.iter().map(|(_, value)| value.as_str()).collect();
        ensure!(values == ["1", "4"], "{values:?}");
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        let marks = pbx.manager()?.command("database show authenticate-rs")?;
        ensure!(marks.contains("0 results"), "{marks}");
        Ok(())
    });
}

#[test]
fn one_time_overrides_max_uses() {
    on(customers("one_time = yes"), |pbx| {
        write_list(pbx, &[("alice", "1234", "3"), ("bob", "5678", "")])?;
        for pin in ["1234", "5678"] {
            passes(&try_pin(pbx, pin)?)?;
            is_refused(&try_pin(pbx, pin)?)?;
        }
        ensure!(row(pbx, "alice")?.1 == 1 && row(pbx, "bob")?.1 == 1);
        Ok(())
    });
}

#[test]
fn right_pin_without_uses_left_is_expired() {
    on(customers("attempts = 1"), |pbx| {
        write_list(pbx, &[("alice", "1234", "1")])?;
        passes(&try_pin(pbx, "1234")?)?;
        let report = pbx.call(&Call::new("pinset:customers,qc,4,&").keys("<now>1234"))?;
        ensure!(report.outcome == Outcome::Continued, "{report:#?}");
        ensure!(report.status() == "EXPIRED", "{report:#?}");
        Ok(())
    });
}

#[test]
fn deleted_key_resets_the_row() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "1234", "2")])?;
        for _ in 0..2 {
            passes(&try_pin(pbx, "1234")?)?;
        }
        is_refused(&try_pin(pbx, "1234")?)?;
        // With records of it still pending, and without.
        for _ in 0..2 {
            let (key, _) = row(pbx, "alice")?;
            delete(pbx, &key)?;
            passes(&try_pin(pbx, "1234")?)?;
            ensure!(row(pbx, "alice")?.1 == 1);
            eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
            ensure!(row(pbx, "alice")?.1 == 1, "set back to what was pending");
        }
        pbx.restart()?;
        passes(&try_pin(pbx, "1234")?)?;
        is_refused(&try_pin(pbx, "1234")?)
    });
}

#[test]
fn invalid_value_refuses_and_is_named() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "1234", "9"), ("bob", "5678", "9")])?;
        passes(&try_pin(pbx, "1234")?)?;
        let (key, _) = row(pbx, "alice")?;
        for value in ["many", "-1", "1 ", "99999999999999999999999999999999999999"] {
            pbx.db_put(FAMILY, &key, value)?;
            is_refused_as_wrong(pbx, "1234")?;
            ensure!(pbx.db_get(FAMILY, &key)?.as_deref() == Some(value));
        }
        let log = pbx.log()?;
        let named = format!("a value in /{FAMILY}/alice of Asterisk's database is no number");
        ensure!(log.contains(&named), "{log}");
        has_no_pin(&log, "1234")?;
        // At the next start, neither: and the others go on.
        pbx.stop()?;
        pbx.write_file(JOURNAL, record(&key, 1))?;
        pbx.start_again()?;
        is_refused_as_wrong(pbx, "1234")?;
        passes(&try_pin(pbx, "5678")?)?;
        // A number beyond all limits is one.
        pbx.db_put(FAMILY, &key, "18446744073709551615")?;
        is_refused(&try_pin(pbx, "1234")?)?;
        delete(pbx, &key)?;
        passes(&try_pin(pbx, "1234")?)?;
        ensure!(row(pbx, "alice")?.1 == 1);
        Ok(())
    });
}

#[test]
fn journal_raises_counts_only() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "1234", "9"), ("bob", "5678", "9")])?;
        for pin in ["1234", "1234", "5678", "5678"] {
            passes(&try_pin(pbx, pin)?)?;
        }
        let (alice, bob) = (row(pbx, "alice")?.0, row(pbx, "bob")?.0);
        pbx.stop()?;
        // Bob's last record was cut off, so it admitted no call.
        let cut = record(&bob, 7);
        let left = [record(&alice, 4), record(&alice, 5), record(&bob, 1)].concat();
        pbx.write_file(JOURNAL, left + cut.trim_end())?;
        pbx.start_again()?;
        ensure!(row(pbx, "alice")?.1 == 5 && row(pbx, "bob")?.1 == 2);
        let log = pbx.log()?;
        ensure!(log.contains("uses of 1 PINs were lost in a crash"));
        ensure!(!log.contains("that are no record"));
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        passes(&try_pin(pbx, "1234")?)?;
        ensure!(row(pbx, "alice")?.1 == 6);
        Ok(())
    });
}
