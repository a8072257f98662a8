//! No PIN in the log.

use anyhow::Result;
use harness::{Call, Module, Pbx};

/// Not to be met in a time of day or a thread's number.
const RIGHT: &str = "7351937519";
const WRONG: &str = "8642086420";

/// docs/compatibility.md, row U: at debug level 1 the stock module has Asterisk's database tell
/// which keys are not there.
#[test]
#[ignore = "needs a container engine"]
fn log_contains_no_pin() -> Result<()> {
    crate::in_pbx(Pbx::builder().debug(1), names_no_pin)
}

fn names_no_pin(pbx: &Pbx) -> Result<()> {
    for options in ["d", "dr"] {
        pbx.db_put("log", RIGHT, "1")?;
        let call = Call::new(format!("/log,{options}")).keys(&format!("{WRONG}# {RIGHT}#"));
        let report = pbx.call(&call)?;
        assert_eq!(
            report.sounds.last().map(String::as_str),
            Some("auth-thankyou")
        );
    }
    // Used up: the right one is a wrong one now.
    let report = pbx.call(&Call::new("/log,dr").keys(&format!("{RIGHT}# 1# 2#")))?;
    assert_eq!(report.sounds.last().map(String::as_str), Some("vm-goodbye"));

    let log = pbx.log()?;
    assert!(log.contains("DEBUG"), "there is no debug level");
    let named: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(RIGHT) || line.contains(WRONG))
        .collect();
    match Module::under_test()? {
        Module::Ours => assert!(named.is_empty(), "{named:#?}"),
        _ => assert!(
            named.iter().any(|line| line.contains("db.c")),
            "the marked difference U has gone: {named:#?}"
        ),
    }
    Ok(())
}
