//! The recipes of `docs/freepbx.md`, copied out of the page and called.

use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{examples, workspace, Call, Outcome, Pbx, Report};

use crate::support::on;

/// What FreePBX generates around the recipes, in our words: an outbound route with PIN
/// set 1, its own subroutine, and custom destinations with "Return: Yes".
const GENERATED: &str = r#"
[outrt-1]
exten => 900,1,Set(AMPUSER=${CALLERID(num)})
 same => n,Gosub(macro-pinsets,s,1(1,1))
 same => n,Set(ROUTED=trunk 1)
 same => n,Hangup()
include => harness-h

[customdests]
exten => inbound,1,Gosub(inbound_authentication,s,1())
 same => n,Set(ROUTED=main IVR)
 same => n,Hangup()
exten => disa,1,Gosub(disa_authentication,s,1())
 same => n,Set(ROUTED=dial tone)
 same => n,Hangup()
include => harness-h

; extensions_additional.conf: the steps that extensions_override_freepbx.conf replaces,
; and one more that is never reached.
[macro-pinsets]
exten => s,1,Set(try=1)
 same => n(auth),Progress()
 same => n,Read(dtmf,agent-pass,0,n,1,10)
 same => n,Set(CHANNEL(accountcode)=${dtmf})
 same => n(return),Return()
include => harness-h

[inbound_authentication]
include => harness-h

[disa_authentication]
include => harness-h
"#;

/// The page's examples of this kind, in its order.
fn of_page(kind: &str) -> Result<Vec<String>> {
    let page = fs::read_to_string(workspace().join("docs/freepbx.md"))?;
    let found = examples(&page)?.into_iter();
    Ok(found
        .filter(|example| example.kind == kind)
        .map(|example| example.text)
        .collect())
}

/// The one that begins with this section.
fn section<'a>(examples: &'a [String], name: &str, number: usize) -> Result<&'a str> {
    let begin = format!("[{name}]\n");
    let mut found = examples.iter().filter(|text| text.starts_with(&begin));
    let text = found.nth(number).with_context(|| format!("no {begin}"))?;
    Ok(text)
}

fn call(pbx: &Pbx, context: &str, extension: &str, caller: &str, keys: &str) -> Result<Report> {
    let call = Call::to(context, extension).caller(caller).keys(keys);
    pbx.call(&call.hidden_digits(true).report("ROUTED"))
}

/// Where a call went, its status and the account code in the CDR.
fn becomes(report: &Report, routed: &str, status: &str, code: &str) -> Result<()> {
    let cdr = report.cdr.as_ref().context("no CDR")?;
    ensure!(report.variable("ROUTED") == routed, "{report:#?}");
    ensure!(report.status() == status, "{report:#?}");
    ensure!(cdr.accountcode == code, "{report:#?}");
    Ok(())
}

#[test]
fn freepbx_recipes_admit_right_pins_only() {
    let (dialplan, conf) = match (
        of_page("ini extensions.conf"),
        of_page("ini authenticate.conf"),
    ) {
        (Ok(dialplan), Ok(conf)) => (dialplan, conf),
        (Err(error), _) | (_, Err(error)) => panic!("{error:#}"),
    };
    // The page's own contexts come first, as FreePBX includes them.
    let dialplan = format!("{}\n{GENERATED}", dialplan.join("\n"));
    on(Pbx::builder().dialplan(&dialplan), |pbx| {
        for pin in ["100200", "482913"] {
            pbx.db_put("PINSETS/1", pin, "1")?;
        }
        pbx.db_put("AMPUSER/204", "pinless", "NOPASSWD")?;
        let rows = of_page("csv")?;
        let rows = rows.first().context("no CSV file")?;
        pbx.exec(&["mkdir", "-p", "/etc/asterisk/pins"])?;
        pbx.write_file("/etc/asterisk/pins/people.csv", rows)?;
        let shared = [
            section(&conf, "general", 0)?,
            section(&conf, "office", 0)?,
            section(&conf, "route1", 0)?,
            section(&conf, "disa", 0)?,
        ];
        configure(pbx, &shared.concat())?;
        inbound(pbx)?;
        outbound(pbx)?;
        disa(pbx)?;

        configure(pbx, section(&conf, "route1", 1)?)?;
        let named = call(pbx, "outrt-1", "900", "203", "482913#")?;
        becomes(&named, "trunk 1", "SUCCESS", "ada")
    });
}

fn configure(pbx: &Pbx, conf: &str) -> Result<()> {
    pbx.write_file("/etc/asterisk/authenticate.conf", conf)?;
    let answer = pbx.cli("module reload app_authenticate_rs.so")?;
    ensure!(answer.contains("reloaded successfully"), "{answer}");
    Ok(())
}

/// Six digits need no `#`.
fn inbound(pbx: &Pbx) -> Result<()> {
    let right = call(pbx, "customdests", "inbound", "+15551234567", "482913")?;
    becomes(&right, "main IVR", "SUCCESS", "")?;
    let wrong = call(
        pbx,
        "customdests",
        "inbound",
        "+15551234567",
        "999999 111111 482914",
    )?;
    ensure!(wrong.outcome == Outcome::HungUp, "{wrong:#?}");
    becomes(&wrong, "", "FAILURE", "")
}

fn outbound(pbx: &Pbx) -> Result<()> {
    let right = call(pbx, "outrt-1", "900", "203", "482913#")?;
    becomes(&right, "trunk 1", "SUCCESS", "")?;
    // Entering the PIN is not billed.
    ensure!(!right.answered, "{right:#?}");
    let wrong = call(pbx, "outrt-1", "900", "205", "1# 2# 3#")?;
    ensure!(wrong.outcome == Outcome::HungUp, "{wrong:#?}");
    becomes(&wrong, "", "FAILURE", "")?;
    let exempt = call(pbx, "outrt-1", "900", "204", "")?;
    becomes(&exempt, "trunk 1", "", "")
}

/// A PIN is worth nothing from another number.
fn disa(pbx: &Pbx) -> Result<()> {
    let right = call(pbx, "customdests", "disa", "+15551234567", "482913#")?;
    becomes(&right, "dial tone", "SUCCESS", "")?;
    let foreign = call(pbx, "customdests", "disa", "+15557654321", "482913# 1# 2#")?;
    becomes(&foreign, "", "FAILURE", "")
}
