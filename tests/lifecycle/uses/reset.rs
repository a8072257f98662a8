//! Uses over AMI: shown by row, and set back for good.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Ami, Call, Frame, Pbx};

use super::{customers, is_refused, passes, row, shown, try_pin, write_list, FAMILY};
use crate::one_time::{journal, press};
use crate::support::{eventually, has_no_pin, on};

const CUSTOMERS: (&str, &str) = ("PinSet", "customers");

/// The uses of a page: account, uses, most uses and line.
fn uses(pbx: &Pbx) -> Result<Vec<[String; 4]>> {
    let list = pbx.manager()?.list("AuthenticateUses", &[CUSTOMERS])?;
    let of = |frame: &Frame, name| frame.get(name).unwrap_or("missing").to_owned();
    let row = |frame: &Frame| ["Account", "Uses", "MaxUses", "Line"].map(|name| of(frame, name));
    Ok(list.iter().map(|frame| row(frame)).collect())
}

fn reset(ami: &Ami, account: &str) -> Result<()> {
    let headers = [CUSTOMERS, ("Account", account)];
    let answer = ami.action("AuthenticateResetUses", &headers)?;
    ensure!(answer.has("Reset", "1"), "{answer:?}");
    Ok(())
}

#[test]
fn uses_are_shown_by_row_and_set_back() {
    on(customers(""), |pbx| {
        // The session of the harness is older than the module.
        let ami = pbx.ami()?;
        write_list(pbx, &[("alice", "1234", "1"), ("b\u{fc}b", "5678", "5")])?;
        ensure!(uses(pbx)?.is_empty());
        for pin in ["1234", "5678", "5678"] {
            passes(&try_pin(pbx, pin)?)?;
        }
        is_refused(&try_pin(pbx, "1234")?)?;
        let alice = ["alice", "1", "1", "2"].map(str::to_owned);
        let bob = ["b\u{fc}b", "2", "5", "3"].map(str::to_owned);
        ensure!(
            uses(pbx)? == [alice.clone(), bob.clone()],
            "{:?}",
            uses(pbx)?
        );

        let events = ami.events();
        reset(&ami, "alice")?;
        let event = events.wait("the event", Duration::from_secs(20), |frame| {
            frame.event() == Some("AuthenticateUsesReset")
        })?;
        for (name, value) in [
            ("Action", "RESET_USES"),
            ("PinSet", "customers"),
            ("Type", "account"),
            ("Value", "alice"),
            ("Count", "1"),
            ("By", "AMI"),
            ("User", "harness"),
        ] {
            ensure!(event.has(name, value), "{name}: {event:?}");
        }
        ensure!(uses(pbx)? == [bob]);
        let again = ami.ask("AuthenticateResetUses", &[CUSTOMERS, ("Account", "alice")])?;
        ensure!(again.has("Response", "Error"), "{again:?}");
        passes(&try_pin(pbx, "1234")?)?;
        is_refused(&try_pin(pbx, "1234")?)?;

        // A new PIN starts at zero; the row of the old one is gone.
        write_list(pbx, &[("alice", "4321", "1")])?;
        passes(&try_pin(pbx, "4321")?)?;
        let all = uses(pbx)?;
        let old = ["alice", "1", "", ""].map(str::to_owned);
        ensure!(
            all.len() == 3 && all.contains(&old) && all.contains(&alice),
            "{all:?}"
        );

        // By key, one row; it is no digest that a PIN could be found from.
        let list = ami.list("AuthenticateUses", &[CUSTOMERS])?;
        let digests = shown(pbx)?.into_values().flatten().map(|(key, _)| key);
        let text = format!("{list:?}");
        for key in digests {
            let digest = key.rsplit('/').next().context("no digest")?;
            ensure!(!text.contains(digest), "{digest}: {text}");
        }
        let row = list
            .iter()
            .find(|frame| frame.has("Line", "2"))
            .context("no line")?;
        let key = row.get("Key").context("no key")?;
        let answer = ami.action("AuthenticateResetUses", &[CUSTOMERS, ("Key", key)])?;
        ensure!(answer.has("Reset", "1"), "{answer:?}");
        ensure!(uses(pbx)?.contains(&old) && !uses(pbx)?.contains(&alice));

        // A page at a time.
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().cloned().unwrap_or_default();
            let page = [CUSTOMERS, ("Limit", "1"), ("After", after.as_str())];
            let list = ami.list("AuthenticateUses", &page)?;
            ensure!(list.len() <= 1, "{list:?}");
            let Some(one) = list.first() else { break };
            keys.push(one.get("Key").context("no key")?.to_owned());
        }
        ensure!(keys.len() == 2 && keys.is_sorted(), "{keys:?}");
        for headers in [
            &[("PinSet", "none"), ("Account", "alice")][..],
            &[CUSTOMERS],
            &[CUSTOMERS, ("Key", "1")],
            &[("Account", "alice")],
        ] {
            let answer = ami.ask("AuthenticateResetUses", headers)?;
            ensure!(answer.has("Response", "Error"), "{headers:?}: {answer:?}");
        }
        let log = pbx.log()?;
        let mut pins = ["1234", "5678", "4321"].into_iter();
        pins.try_for_each(|pin| has_no_pin(&log, pin))
    });
}

/// A number that is none admits nobody, until it is set back.
#[test]
fn reset_mends_a_value_that_is_no_number() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "1", "2")])?;
        passes(&pbx.call(&call("1"))?)?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        let key = row(pbx, "alice")?.0;
        pbx.db_put(FAMILY, &key, "many")?;
        is_refused(&pbx.call(&call("1"))?)?;
        reset(&*pbx.manager()?, "alice")?;
        passes(&pbx.call(&call("1"))?)?;
        ensure!(row(pbx, "alice")?.1 == 1);
        Ok(())
    });
}

fn call(pin: &str) -> Call {
    Call::new("pinset:customers,q,1,&").keys(&format!("<now>{pin} <hangup>"))
}

/// `kill -9` right after a reset, and right after a use that follows: Asterisk has not
/// written its database yet.
#[test]
fn reset_survives_a_crash() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "1", "2")])?;
        for _ in 0..2 {
            passes(&pbx.call(&call("1"))?)?;
        }
        for uses_after in 0..=2 {
            is_refused(&pbx.call(&call("1"))?)?;
            eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
            // Asterisk commits the first write after a quiet time at once and then rests
            // for a second, in which the others fall.
            pbx.db_put("other", "1", "1")?;
            reset(&*pbx.manager()?, "alice")?;
            for _ in 0..uses_after {
                let mut ongoing = pbx.place(&Call::new("pinset:customers,,1"))?;
                ongoing.until_sound("agent-pass")?;
                press(pbx, &ongoing, "1")?;
                ongoing.until("success", |frame| frame.has("Message", "auth-thankyou"))?;
            }
            pbx.kill9()?;
            pbx.start_again()?;
            let counted = match uses_after {
                0 => shown(pbx)?.len() as u64,
                _ => row(pbx, "alice")?.1,
            };
            ensure!(counted == uses_after, "{counted}, not {uses_after}");
            for _ in uses_after..2 {
                passes(&pbx.call(&call("1"))?)?;
            }
        }
        // Else the kills came too late to show anything.
        let lost = pbx.log()?.matches("were lost in a crash").count();
        ensure!(lost > 0, "nothing was lost");
        Ok(())
    });
}
