//! PIN files with many rows, and with too many.

use std::fmt::Write;

use anyhow::{Context, Result};
use harness::Pbx;

use super::{
    all_become, becomes, broken, call, is_logged, on, passed, reconfigure, refused, row, shell,
    with, CONCURRENT_CALLS,
};
use crate::module::OURS;

/// More than is read while a caller waits without anything being remembered.
const ROWS: usize = 200_000;

const CONF: &str = "
[general]
country_code = 90
source_timeout = 30

[by-pin]
source = file:/pins/large.csv

[by-caller]
source = file:/pins/large.csv
identify = caller

[by-account]
source = file:/pins/large.csv
identify = account
";

/// Accounts from 100000 on, of which each PIN is the account behind this
/// digit, and each number ends in it.
fn list(digit: char) -> Result<String> {
    let mut text = "account,secret,caller\n".to_owned();
    for row in 0..ROWS {
        let account = 100_000 + row;
        writeln!(text, "{account},plain:{digit}{account},+905060{account}")?;
    }
    Ok(text)
}

/// All of these PINs are right, or all are wrong.
fn all(pbx: &Pbx, digit: char, right: bool) -> Result<()> {
    let last = 100_000 + ROWS - 1;
    let rows: Vec<_> = [100_000, 150_000, last]
        .iter()
        .flat_map(|account| {
            let pin = format!("{digit}{account}#");
            let tries = match right {
                true => pin,
                false => format!("{pin} {pin} {pin}"),
            };
            let account = account.to_string();
            let want = match right {
                true => passed().account(&account),
                false => refused("FAILURE"),
            };
            let number = format!("05060{account}");
            [
                row("by PIN", call("by-pin", &tries), want.clone()),
                row(
                    "by caller",
                    call("by-caller", &tries).caller(&number),
                    want.clone(),
                ),
                row(
                    "by account",
                    call("by-account", &format!("{account}# {tries}")),
                    want,
                ),
            ]
        })
        .collect();
    all_become(pbx, &rows)
}

/// Also while nobody knows it yet, and by many at once.
#[test]
fn rows_of_a_large_pin_file_count_at_once() -> Result<()> {
    on(with(CONF).pin_file("large.csv", list('7')?), |pbx| {
        all(pbx, '7', true).context("the first time")?;
        all(pbx, '8', false).context("wrong ones")?;
        // Changed as a whole, then in its last row alone.
        let changed = list('8')?;
        pbx.pin_file("large.csv", &changed)?;
        all(pbx, '8', true).context("after a change")?;
        all(pbx, '7', false).context("those of before")?;
        let (most, _) = changed.trim_end().rsplit_once('\n').context("one row")?;
        pbx.pin_file("large.csv", format!("{most}\nnew,plain:4711,\n"))?;
        let new = row(
            "a new row",
            call("by-pin", "4711#"),
            passed().account("new"),
        );
        let gone = format!("8{}#", 100_000 + ROWS - 1);
        let gone = call("by-pin", &format!("{gone} {gone} {gone}"));
        let mut rows = vec![row("a row that is gone", gone, refused("FAILURE"))];
        rows.resize_with(CONCURRENT_CALLS, || {
            row(&new.name, new.call.clone(), new.want.clone())
        });
        all_become(pbx, &rows)
    });
    Ok(())
}

#[test]
fn pin_file_over_the_memory_limit_admits_nobody() -> Result<()> {
    let small = "account,secret\nada,plain:1234\n";
    let conf = "[general]\n\
        source_timeout = 30\n\
        max_list_memory = 64K\n\
        [small]\n\
        source = file:/pins/small.csv\n\
        [large]\n\
        source = file:/pins/large.csv\n";
    let builder = with(conf)
        .pin_file("small.csv", small)
        .pin_file("large.csv", list('7')?);
    on(builder, |pbx| {
        let pin = "7100000#";
        let large = call("large", &format!("{pin} {pin} {pin}"));
        becomes(pbx, &large, &broken())?;
        is_logged(pbx, &["large.csv", "max_list_memory"])?;
        becomes(pbx, &call("small", "1234#"), &passed().account("ada"))?;
        // Nor by what was read before this limit was in force.
        shell(pbx, "touch -d '1 hour ago' /pins/large.csv")?;
        for command in ["unload", "load"] {
            pbx.cli(&format!("module {command} {OURS}"))?;
        }
        becomes(pbx, &large, &broken())?;
        // A reload that gives it room is one for which it has room.
        reconfigure(pbx, &conf.replace("64K", "64M"), true)?;
        becomes(pbx, &call("large", pin), &passed().account("100000"))?;
        // Made shorter, it counts.
        pbx.pin_file("large.csv", small)?;
        becomes(pbx, &call("large", "1234#"), &passed().account("ada")).map(drop)
    });
    Ok(())
}
