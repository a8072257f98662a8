//! Look-ups that come while others have no answer yet are sent on the same connection.

use std::thread;
use std::time::Duration;

use anyhow::{ensure, Result};

use super::connections::{begin, ended, enter, waiting_for_locks, with_pins, TIMEOUT};
use super::{add, relayed};
use crate::pin_sets::on;
use crate::support::eventually;

#[test]
fn look_up_is_sent_before_an_earlier_one_is_answered() -> Result<()> {
    let (server, pbx) = with_pins(1, TIMEOUT)?;
    let (network, string) = relayed(&server, Duration::ZERO)?;
    let pbx = pbx.pin_file_of_mode("database", string, 0o600);
    on(pbx, |pbx| {
        begin(pbx)?;
        let table = server.hold("LOCK TABLE pinset_pins")?;
        thread::scope(|scope| {
            let look_up = || scope.spawn(|| enter(pbx, "open", "5678", "SUCCESS"));
            let first = look_up();
            waiting_for_locks(&server, 1)?;
            let before = network.from_clients();
            let second = look_up();
            eventually("the second look-up is sent", || {
                Ok(network.from_clients() > before)
            })?;
            ensure!(!first.is_finished() && !second.is_finished());
            drop(table);
            ended(first)?;
            ended(second)
        })
    });
    Ok(())
}

/// Many at once on two connections with a slow network, some of them wrong, some with
/// lockouts.
#[test]
fn each_entry_has_its_own_answer() -> Result<()> {
    const CALLERS: usize = 16;
    const ENTRIES: usize = 40;
    const PINS: usize = 100;
    let (server, pbx) = with_pins(2, TIMEOUT)?;
    for pin_set in ["open", "customers"] {
        for pin in 0..PINS {
            add(
                &server,
                pin_set,
                &format!("of{pin}"),
                &format!("1{pin:03}"),
                "",
            )?;
        }
    }
    let (_network, string) = relayed(&server, Duration::from_millis(1))?;
    let pbx = pbx.pin_file_of_mode("database", string, 0o600);
    let enter = |pbx: &harness::Pbx, caller: usize| -> Result<()> {
        let (ami, number) = (pbx.ami()?, caller.to_string());
        for entry in 0..ENTRIES {
            let at = (caller * 31 + entry * 7) % PINS;
            let (first, wanted) = match entry % 5 {
                0 => (9, "FAILURE"),
                _ => (1, "SUCCESS"),
            };
            let pin = format!("{first}{at:03}");
            let pin_set = if entry % 4 == 3 { "customers" } else { "open" };
            let headers = [("PinSet", pin_set), ("Secret", &pin), ("Caller", &number)];
            let answer = ami.action("AuthenticateVerify", &headers)?;
            ensure!(answer.has("Status", wanted), "{pin}: {answer:?}");
            let account = format!("of{at}");
            ensure!(
                wanted == "FAILURE" || answer.has("Account", &account),
                "{pin}: {answer:?}"
            );
        }
        Ok(())
    };
    on(pbx, |pbx| {
        begin(pbx)?;
        thread::scope(|scope| {
            let callers = (0..CALLERS).map(|caller| scope.spawn(move || enter(pbx, caller)));
            let callers: Vec<_> = callers.collect();
            callers.into_iter().try_for_each(ended)
        })
    });
    Ok(())
}
