//! A thousand calls, a hundred concurrently, without a wrong outcome.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{ensure, Result};
use harness::{Call, Module, Outcome, Pbx};

use crate::module::use_count;
use crate::support::{on, side_by_side};

const CALLS: usize = 1000;
const CONCURRENT_CALLS: usize = 100;

/// Each caller's own PIN.
fn pin(number: usize) -> String {
    format!("{}", 10_000 + number)
}

/// md5 of each PIN as `md5sum` prints it, made in the container.
fn md5_list(pbx: &Pbx) -> Result<String> {
    let script = format!(
        "for n in $(seq 10000 {}); do printf %s $n | md5sum; done",
        10_000 + CALLS - 1
    );
    let sums = pbx.exec(&["bash", "-c", &script])?;
    let lines = sums.lines().enumerate().map(|(number, line)| {
        let sum = line.split(' ').next().unwrap_or_default();
        format!("account-{number}:{sum}\n")
    });
    Ok(lines.collect())
}

#[test]
fn thousand_concurrent_calls_have_their_outcome() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let all: String = (0..CALLS).map(|number| pin(number) + "\n").collect();
        pbx.pin_file("plain", all)?;
        pbx.pin_file("md5", md5_list(pbx)?)?;
        for number in (0..CALLS).filter(|number| number % 5 > 2) {
            let family = if number % 5 == 3 { "doors" } else { "once" };
            pbx.db_put(family, &pin(number), "1")?;
        }
        side_by_side(CALLS, CONCURRENT_CALLS, |number| call(pbx, number))?;

        ensure!(use_count(&*pbx.manager()?)? == 0);
        // What was used once is gone, and nothing else is.
        for number in (0..CALLS).filter(|number| number % 5 > 2) {
            let once = number % 5 == 4;
            let family = if once { "once" } else { "doors" };
            let there = pbx.db_get(family, &pin(number))?.is_some();
            let used = once && matches!(Caller::of(number), Caller::Right | Caller::Corrects);
            ensure!(there != used, "{family}/{}", pin(number));
        }
        let rows = pbx.cdr_csv()?;
        let ours = rows.iter().filter(|row| row.uniqueid.ends_with("-b"));
        let ids: BTreeSet<_> = ours.map(|row| &row.uniqueid).collect();
        ensure!(ids.len() == CALLS, "{} rows", ids.len());
        Ok(())
    });
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    Right,
    /// Wrong once, then right.
    Corrects,
    /// A digit wrong, twice, then one short.
    Wrong,
    Silent,
}

impl Caller {
    fn of(number: usize) -> Self {
        match number / 5 % 8 {
            0..=2 => Self::Right,
            3 | 4 => Self::Corrects,
            5 | 6 => Self::Wrong,
            _ => Self::Silent,
        }
    }
}

fn call(pbx: &Pbx, number: usize) -> Result<()> {
    let (pin, caller) = (pin(number), Caller::of(number));
    let password = match number % 5 {
        0 => format!("{pin},aqc,5,&"),
        1 => "/pins/plain,aqc,5,&".to_owned(),
        2 => "/pins/md5,maqc,5,&".to_owned(),
        3 => "/doors,daqc,5,&".to_owned(),
        _ => "/once,draqc,5,&".to_owned(),
    };
    // Nobody's PIN begins with a nine.
    let wrong = format!("9{}", &pin[1..]);
    let keys = match caller {
        Caller::Right => format!("<now>{pin}"),
        Caller::Corrects => format!("<now>{wrong} {pin}"),
        Caller::Wrong => format!("<now>{wrong} {wrong} {}#", &pin[..4]),
        Caller::Silent => String::new(),
    };
    let short = Duration::from_millis(200);
    let mut placed = Call::new(password).keys(&keys);
    if caller == Caller::Silent {
        placed = placed.timeouts(short, short);
    }
    let report = pbx.call(&placed)?;
    let (outcome, status) = match caller {
        Caller::Right | Caller::Corrects => (Outcome::Passed, "SUCCESS"),
        Caller::Wrong => (Outcome::Continued, "FAILURE"),
        Caller::Silent => (Outcome::Continued, "TIMEOUT"),
    };
    ensure!(
        report.outcome == outcome && report.status() == status,
        "{caller:?} {number}: {report:#?}"
    );
    let account = match (status, number % 5) {
        ("SUCCESS", 2) => format!("account-{number}"),
        ("SUCCESS", _) => pin,
        _ => String::new(),
    };
    ensure!(report.account_code() == account, "{number}: {report:#?}");
    let identity = if number % 5 == 2 { &account } else { "" };
    ensure!(
        report.variable("AUTHENTICATEACCOUNT") == identity,
        "{number}: {report:#?}"
    );
    Ok(())
}
