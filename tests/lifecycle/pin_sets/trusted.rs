//! A locked account: a number forged on one trunk, and the customer whose calls arrive
//! on another.

use anyhow::{ensure, Result};
use harness::{Builder, Pbx, Phone, Report};

use super::{log_lines, with_lockouts};
use crate::support::on;

const CONF: &str = "[general]
country_code = 90
source = file:/pins/customers.csv
attempts = 2
prompt =
account_prompt =
retry_prompt =
incorrect_prompt =
success_prompt =
failure_prompt =
locked_prompt =
lockout_caller = no
lockout_pinset = no
lockout_account = 2/1h/1h
[by-number]
identify = caller
[by-account]
identify = account
";

const CUSTOMERS: &str = "account,secret,caller\n\
    100,plain:1234,+905060508169\n\
    200,plain:5678,+905060508169\n";

const CUSTOMER: &str = "05060508169";
const STRANGER: &str = "05060508170";

/// The trunk of the customer's operator, and one where any number can be shown.
const HOME: &str = "127.0.0.3";
const FORGED: &str = "127.0.0.4";

const PJSIP: &str = "[global]
type = global
endpoint_identifier_order = ip
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:5060
[trunk](!)
type = endpoint
context = phones
disallow = all
allow = ulaw
dtmf_mode = rfc4733
direct_media = no
[home](trunk)
[home]
type = identify
endpoint = home
match = 127.0.0.3
[forged](trunk)
[forged]
type = identify
endpoint = forged
match = 127.0.0.4
";

const BY_NUMBER: &str = "1";
const BY_ACCOUNT: &str = "2";

/// A call that shows this number on the trunk of this address.
fn call(pbx: &Pbx, trunk: &str, number: &str, extension: &str, keys: &str) -> Result<Report> {
    let phone = Phone {
        address: trunk.into(),
        number: number.into(),
        ..Phone::default()
    };
    let made = pbx.sip_call_by(&phone, extension, keys)?;
    let endpoint = if trunk == HOME { "home" } else { "forged" };
    let mut channels = made
        .report
        .events
        .iter()
        .filter_map(|event| event.get("Channel"));
    let comes_in = channels.any(|channel| channel.starts_with(&format!("PJSIP/{endpoint}-")));
    ensure!(comes_in, "not by {endpoint}: {:#?}", made.report);
    Ok(made.report)
}

fn ends(report: &Report, status: &str, account: &str, attempts: &str) -> Result<()> {
    let is = |name, value| report.variable(name) == value;
    let ends = report.status() == status
        && is("AUTHENTICATEACCOUNT", account)
        && is("AUTHENTICATEATTEMPTS", attempts);
    ensure!(ends, "{status} {account} {attempts}, but:\n{report:#?}");
    Ok(())
}

fn builder() -> Builder {
    with_lockouts(CONF)
        .pjsip()
        .file("pjsip.conf", PJSIP)
        .pin_file("customers.csv", CUSTOMERS)
        .phone_extension(BY_NUMBER, "Authenticate(pinset:by-number,,4)")
        .phone_extension(BY_ACCOUNT, "Authenticate(pinset:by-account,,4)")
}

#[test]
fn forged_number_locks_the_accounts_and_not_the_customer() {
    on(builder(), by_number);
}

#[test]
fn forged_number_with_an_account_does_not_lock_the_customer() {
    on(builder(), by_account);
}

fn by_number(pbx: &Pbx) -> Result<()> {
    let at_home = |keys: &str| call(pbx, HOME, CUSTOMER, BY_NUMBER, keys);
    let forged = |keys: &str| call(pbx, FORGED, CUSTOMER, BY_NUMBER, keys);
    ends(&at_home("1234")?, "SUCCESS", "100", "1")?;
    // Both accounts of the number are charged, and locked.
    ends(&forged("0000 0001")?, "LOCKED", "", "2")?;
    ends(&forged("1234")?, "LOCKED", "", "0")?;
    // The customer has entered the PIN of one of them before.
    ends(&at_home("1234")?, "SUCCESS", "100", "1")?;
    ends(&at_home("5678")?, "LOCKED", "", "1")?;
    // What is stored says the same.
    pbx.stop()?;
    pbx.start_again()?;
    ends(&at_home("1234")?, "SUCCESS", "100", "1")?;
    ends(&forged("1234")?, "LOCKED", "", "0")?;
    let broken = log_lines(pbx, &["invalid values are ignored"])?;
    ensure!(broken.is_empty(), "{broken:?}");
    // Two wrong ones, one a call, and the customer is locked out as well.
    ends(&at_home("0000")?, "LOCKED", "", "1")?;
    ends(&at_home("0000")?, "LOCKED", "", "1")?;
    ends(&at_home("1234")?, "LOCKED", "", "0")
}

fn by_account(pbx: &Pbx) -> Result<()> {
    let home = |number: &str, keys: &str| call(pbx, HOME, number, BY_ACCOUNT, keys);
    ends(&home(CUSTOMER, "200# 5678")?, "SUCCESS", "200", "1")?;
    // The owner of another account is admitted with it, and trusted for it alone.
    ends(&home(STRANGER, "100# 1234")?, "SUCCESS", "100", "1")?;
    ends(&home(STRANGER, "200# 0000 0001")?, "LOCKED", "", "2")?;
    ends(&home(STRANGER, "200# 5678")?, "LOCKED", "", "0")?;
    ends(&home(CUSTOMER, "200# 5678")?, "SUCCESS", "200", "1")?;
    let forged = call(pbx, FORGED, CUSTOMER, BY_ACCOUNT, "200# 5678")?;
    ends(&forged, "LOCKED", "", "0")
}
