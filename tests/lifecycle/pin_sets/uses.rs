//! `max_uses` and `one_time`: as many calls as the row says, in lists of each
//! kind. What races and crashes do to them is in `uses` of the lifecycle.

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::made::hex;
use super::{becomes, call, on, passed, refused, with, Want};

const CONF: &str = "
[general]
attempts = 1
max_digits = 4

[Few]
source = file:/pins/few.csv

[once]
source = file:/pins/once.csv
one_time = yes

[once-plain]
source = file:/pins/plain
one_time = yes
";

const FEW: &str = "account,secret,max_uses\n\
    ada,plain:1111,1\n\
    bob,plain:2222,2\n\
    carl,plain:3333,\n\
    dora,plain:4444,1\n\
    dora,plain:5555,1\n\
    eve,plain:6666,1\n\
    eve2,plain:6666,1\n";

fn builder() -> harness::Builder {
    with(CONF)
        .pin_file("few.csv", FEW)
        .pin_file(
            "once.csv",
            "account,secret,max_uses\nada,plain:1111,5\nbob,plain:2222,\n",
        )
        .pin_file("plain", "1111\n2222\n")
}

/// A call without prompts, unless it is refused.
fn quick(set: &str, pin: &str) -> Call {
    call(&format!("{set},q"), pin)
}

fn used_up() -> Want {
    refused("EXPIRED").account("")
}

fn count(pbx: &Pbx) -> Result<String> {
    pbx.manager()?.command("database show authenticate-uses")
}

#[test]
fn row_admits_max_uses_calls() {
    on(builder(), |pbx| {
        let again = |set: &str, pin: &str, want: &Want| -> Result<()> {
            becomes(pbx, &quick(set, pin), want)
                .map(drop)
                .with_context(|| format!("{set} {pin}"))
        };
        again("few", "1111", &passed().account("ada"))?;
        again("few", "1111", &used_up())?;
        // A wrong try is no use.
        again("few", "2223", &refused("FAILURE"))?;
        for _ in 0..2 {
            again("FEW", "2222", &passed().account("bob"))?;
        }
        again("few", "2222", &used_up())?;
        for _ in 0..3 {
            again("few", "3333", &passed().account("carl"))?;
        }
        // Each of an account's secrets has its own; of two rows with one
        // secret the second takes over.
        again("few", "4444", &passed().account("dora"))?;
        again("few", "5555", &passed().account("dora"))?;
        again("few", "5555", &used_up())?;
        again("few", "6666", &passed().account("eve"))?;
        again("few", "6666", &passed().account("eve2"))?;
        again("few", "6666", &used_up())?;
        for (set, account) in [("once", "ada"), ("once-plain", "")] {
            again(set, "1111", &passed().account(account))?;
            again(set, "1111", &used_up())?;
        }
        again("once", "2222", &passed().account("bob"))?;
        again("once", "2222", &used_up())?;

        let counts = count(pbx)?;
        ensure!(!counts.contains("1111"), "a PIN in the database: {counts}");
        let bob = counts
            .lines()
            .find(|line| line.contains("/authenticate-uses/few/bob/"))
            .with_context(|| counts.clone())?;
        let (key, value) = bob.split_once(':').context("no value")?;
        let digest = key.trim().rsplit('/').next().unwrap_or_default();
        ensure!(
            value.trim() == "2" && digest.len() == hex(&[0; 16]).len(),
            "{bob}"
        );
        ensure!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{bob}");

        // The list is as it was; a new secret starts at zero, also after a
        // restart of Asterisk.
        let path = pbx.outside("/pins/few.csv").context("no way in")?;
        ensure!(
            std::fs::read_to_string(path)? == FEW,
            "the list was written to"
        );
        pbx.stop()?;
        pbx.start_again()?;
        again("few", "1111", &used_up())?;
        pbx.pin_file("few.csv", FEW.replace("1111", "1110"))?;
        again("few", "1110", &passed().account("ada"))?;
        again("few", "1110", &used_up())?;
        // More uses are more.
        pbx.pin_file("few.csv", FEW.replace("2222,2", "2222,3"))?;
        again("few", "2222", &passed().account("bob"))?;
        again("few", "2222", &used_up())
    });
}
