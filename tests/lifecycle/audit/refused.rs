//! Every outcome has a verbose line with the reason and without the digits that
//! were entered.

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::builder;
use crate::support::on;

const CONF: &str = "
[general]
country_code = 90
attempts = 1
locked_prompt =
lockout_caller = no
lockout_account = no
lockout_pinset = no
source = file:/pins/people.csv

[callers]
identify = caller

[pins]

[accounts]
identify = account

[guarded]
identify = caller
lockout_caller = 1/15m/30m

[gone]
source = file:/pins/none.csv
";

const PEOPLE: &str = "account,secret,caller,valid_until\n\
    ada,plain:7351937519,+905060508169,\n\
    bob,plain:7351937518,+905060508170,2020-01-01\n";

/// The verbose line of our module that was written since `seen` of them were.
fn next(pbx: &Pbx, seen: &mut usize) -> Result<String> {
    let log = pbx.log()?;
    let is_ours = |line: &&str| line.contains("] VERBOSE[") && line.contains(" audit.rs: ");
    let lines: Vec<&str> = log.lines().filter(is_ours).collect();
    ensure!(lines.len() == *seen + 1, "{}: {lines:#?}", *seen);
    *seen += 1;
    Ok((*lines.last().context("no line")?).to_owned())
}

#[test]
fn outcome_at_verbose_3_has_reason_without_digits() {
    let number = "+905060508169";
    let builder = builder(CONF)
        .pin_file("people.csv", PEOPLE)
        .pin_file("plain.txt", "7351937519\n");
    on(builder, |pbx| {
        let mut seen = 0;
        for (arguments, caller, keys, wanted) in [
            (
                "pinset:callers",
                "0506 050 81 69",
                "7351937519#",
                "SUCCESS: 'callers': admitted, account 'ada', attempts: 1",
            ),
            (
                "pinset:callers",
                "0506 050 81 60",
                "7351937519#",
                "FAILURE: 'callers': no row for +905060508160, attempts: 1",
            ),
            (
                "pinset:callers",
                "+905060508169;verstat=TN-Validation-Passed",
                "7351937518#",
                "FAILURE: 'callers': wrong PIN for +905060508169, attempts: 1",
            ),
            (
                "pinset:callers",
                "+905060508170;npdi",
                "7351937518#",
                "EXPIRED: 'callers': right PIN, but its valid_until is past, attempts: 1",
            ),
            (
                "pinset:callers",
                "anonymous;verstat=No-TN",
                "",
                "FAILURE: 'callers': identify = caller, and caller number \
                 'anonymous;verstat=No-TN' is not usable, attempts: 0",
            ),
            (
                "pinset:pins",
                number,
                "7351937510#",
                "FAILURE: 'pins': no row with the PIN entered, attempts: 1",
            ),
            (
                "pinset:accounts",
                number,
                "735193# 7351937519#",
                "FAILURE: 'accounts': no row for the account entered, attempts: 1",
            ),
            (
                "pinset:guarded",
                number,
                "7351937510#",
                "LOCKED: 'guarded': caller +905060508169 is locked for 1800 s; \
                 wrong PIN for +905060508169, attempts: 1",
            ),
            (
                "pinset:gone",
                number,
                "7351937510#",
                "ERROR: 'gone': PIN set 'gone' admits nobody: '/pins/none.csv' can't be read: ",
            ),
            (
                "pinset:nowhere",
                number,
                "",
                "ERROR: 'nowhere': there is no PIN set 'nowhere' in authenticate.conf",
            ),
            (
                "7351937519",
                number,
                "7351937510# 7351937510# 7351937510#",
                "FAILURE: 'literal@harness-call': wrong PIN, attempts: 3",
            ),
            (
                "/pins/plain.txt",
                number,
                "7351937519#",
                "SUCCESS: '/pins/plain.txt': admitted, attempts: 1",
            ),
        ] {
            // As a dialplan sets it, with parameters.
            let call = Call::new(arguments).variable("CALLERID(num)", caller);
            pbx.call(&call.keys(keys))?;
            let line = next(pbx, &mut seen)?;
            ensure!(line.contains(wanted), "{wanted}: {line}");
            ensure!(!line.contains("735193"), "{line}");
        }
        Ok(())
    });
}

/// The NOTICE in every log says which number it was, as the audit line does.
#[test]
fn unusable_number_is_shown_in_notice() {
    let builder = builder(CONF).pin_file("people.csv", PEOPLE);
    on(builder, |pbx| {
        let call = Call::new("pinset:callers").caller("ano\"ny\\mous");
        pbx.call(&call)?;
        let log = pbx.log()?;
        let notices: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("] NOTICE[") && line.contains("application.rs"))
            .collect();
        let fields = super::lines(pbx)?;
        let caller = &fields.last().context("no line")?["Caller"];
        ensure!(
            notices.len() == 1
                && notices[0].ends_with(&format!(
                    "is refused: identify = caller, and caller number '{caller}' is not usable"
                )),
            "{caller}: {notices:#?}"
        );
        Ok(())
    });
}
