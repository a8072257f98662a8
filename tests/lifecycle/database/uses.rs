//! Uses of rows in the database: listed and set back over AMI, by ids.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{ensure, Result};
use harness::{Ami, Frame, Pbx};

use super::{add, asterisk, is, server};
use crate::pin_sets::on;

const CUSTOMERS: (&str, &str) = ("PinSet", "Customers");

fn list(ami: &Ami, more: &[(&str, &str)]) -> Result<Vec<Arc<Frame>>> {
    let headers: Vec<_> = [CUSTOMERS].iter().chain(more).copied().collect();
    ami.list("AuthenticateUses", &headers)
}

/// The account, uses, most uses and id of each.
fn rows(list: &[Arc<Frame>]) -> Vec<[&str; 4]> {
    const FIELDS: [&str; 4] = ["Account", "Uses", "MaxUses", "Id"];
    let rows = list.iter();
    rows.map(|frame| FIELDS.map(|name| field(frame, name)))
        .collect()
}

fn field<'a>(frame: &'a Frame, name: &str) -> &'a str {
    frame.get(name).unwrap_or_default()
}

fn reset(pbx: &Pbx, more: &[(&str, &str)]) -> Result<Frame> {
    let headers: Vec<_> = [CUSTOMERS].iter().chain(more).copied().collect();
    pbx.manager()?.ask("AuthenticateResetUses", &headers)
}

#[test]
fn uses_are_listed_by_page_and_set_back_for_all_pbxs() -> Result<()> {
    let server = server()?;
    for (account, pin, max_uses) in [("bob", "1001", 2), ("ada", "1002", 1), ("eve", "1003", 3)] {
        let max_uses = format!("max_uses={max_uses}");
        add(&server, "customers", account, pin, &max_uses)?;
    }
    add(&server, "people", "zoe", "1001", "max_uses=1")?;
    let other = asterisk(&server).start()?;
    on(asterisk(&server), |pbx| {
        let ami = pbx.manager()?;
        ensure!(list(&ami, &[])?.is_empty());
        is(pbx, "customers", "1001", "SUCCESS")?;
        is(&other, "customers", "1001", "SUCCESS")?;
        is(pbx, "customers", "1001", "EXPIRED")?;
        is(&other, "customers", "1002", "SUCCESS")?;

        // All of both PBXs, by account; a row without a use is not there.
        let all = list(&ami, &[])?;
        let expected = [["ada", "1", "1", "2"], ["bob", "2", "2", "1"]];
        ensure!(rows(&all) == expected, "{all:?}");
        ensure!(all.iter().all(|frame| frame.has("Line", "")), "{all:?}");
        // Pages are in the order of ids, and each says how many there are.
        let first = list(&ami, &[("Limit", "1")])?;
        ensure!(rows(&first) == expected[1..], "{first:?}");
        let after = field(&first[0], "Key");
        let second = list(&ami, &[("Limit", "1"), ("After", after)])?;
        ensure!(rows(&second) == expected[..1], "{second:?}");
        let events = ami.events();
        let after = field(&second[0], "Key");
        ensure!(list(&ami, &[("Limit", "1"), ("After", after)])?.is_empty());
        let end = events.wait("the end", Duration::from_secs(20), |frame| {
            frame.event() == Some("AuthenticateUsesComplete")
        })?;
        ensure!(
            end.has("Total", "2") && end.has("ListItems", "0"),
            "{end:?}"
        );
        let after = field(&first[0], "Key");

        // By key, one row; by account, all of them.
        let answer = reset(pbx, &[("Key", after)])?;
        ensure!(answer.has("Reset", "1"), "{answer:?}");
        is(&other, "customers", "1001", "SUCCESS")?;
        let answer = reset(pbx, &[("Account", "ada"), ("Key", after)])?;
        ensure!(answer.has("Response", "Error"), "{answer:?}");
        let answer = reset(pbx, &[("Account", "ada")])?;
        ensure!(answer.has("Reset", "1"), "{answer:?}");
        is(pbx, "customers", "1002", "SUCCESS")?;
        for wrong in [
            &[("Account", "eve")][..],
            &[("Account", "zoe")],
            &[("Key", "ffffffffffffffffffffffffffffffff")],
            &[],
        ] {
            let answer = reset(pbx, wrong)?;
            ensure!(answer.has("Response", "Error"), "{wrong:?}: {answer:?}");
        }
        let uses = server.sql("SELECT string_agg(uses::text, ',' ORDER BY id) FROM pinset_pins")?;
        ensure!(uses == "1,1,0,0", "{uses}");

        // Without an answer it is an error, and not that there are none.
        server.kill9()?;
        for action in ["AuthenticateUses", "AuthenticateResetUses"] {
            let answer = ami.ask(action, &[CUSTOMERS, ("Account", "ada")])?;
            let message = field(&answer, "Message");
            ensure!(
                answer.has("Response", "Error") && message.contains("the database"),
                "{answer:?}"
            );
        }
        Ok(())
    });
    Ok(())
}
