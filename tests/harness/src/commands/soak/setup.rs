//! The Asterisk of the soak: its PINs, its dialplan, its web service.

use anyhow::{ensure, Result};
use harness::{Builder, Module, Pbx};

const CONF: &str = "
[general]
lockout_caller = no
lockout_account = no
lockout_pinset = no
max_digits = 4

[rows]
source = file:/pins/rows.csv

[uses]
source = file:/pins/uses.csv

[service]
source = http://127.0.0.1:5000/soak
connect_context = connected
success_destinations = 1091
";

const ROWS: &str = "account,secret,valid_until\n\
    ada,plain:1234,\n\
    bob,plain:5678,2020-01-01\n";

const USES: &str = "account,secret,max_uses\nada,plain:1234,4294967295\n";

pub(super) const SERVE: &str = r#"
listen = "127.0.0.1:5000"
state = "/harness/state.db"

[log]
file = "/harness/log.db"

[service.soak]
path = "/soak"
list = "/pins/rows.csv"
identify = "pin"
success = [{ connect = 1091 }]
failure = [{ connect = 1092 }]
"#;

/// A call's two halves: the callee has the application, the caller enters digits. What each
/// ends with is an event.
const DIALPLAN: &str = "
[callee]
exten => literal,1,Authenticate(1234,,4)
 same => n,Goto(end,s,1)
exten => silent,1,Set(TIMEOUT(response)=1)
 same => n,Authenticate(1234,,4)
 same => n,Goto(end,s,1)
exten => file,1,Authenticate(/pins/replaced,,4)
 same => n,Goto(end,s,1)
exten => md5,1,Authenticate(/pins/md5,m,4)
 same => n,Goto(end,s,1)
exten => family,1,Authenticate(/doors,d,4)
 same => n,Goto(end,s,1)
exten => once,1,Authenticate(/once,dr,8)
 same => n,Goto(end,s,1)
exten => rows,1,Authenticate(pinset:rows)
 same => n,Goto(end,s,1)
exten => uses,1,Authenticate(pinset:uses)
 same => n,Goto(end,s,1)
exten => service,1,Authenticate(pinset:service)
 same => n,Goto(end,s,1)
include => reported

[connected]
exten => _X.,1,Set(PASSED=${EXTEN})
 same => n,Hangup()
include => reported

[end]
exten => s,1,Set(PASSED=1)
 same => n,Hangup()
include => reported

[reported]
exten => h,1,UserEvent(Soak,Status: ${AUTHENTICATESTATUS},Passed: ${PASSED},Account: ${AUTHENTICATEACCOUNT})

[caller]
exten => keys,1,SendDTMF(${KEYS},100,60)
 same => n,Wait(60)
exten => gone,1,SendDTMF(${KEYS},100,60)
 same => n,Hangup()
exten => silent,1,Wait(60)
";

/// Without a line for each step of each call. Rotated files stay.
const LOGGER: &str = "[general]\n\
    rotatestrategy = sequential\n\
    [logfiles]\n\
    full => notice,warning,error\n\
    authenticate.log => authenticate\n";

/// Sounds of a fifth of a second.
const SHORTEN: &str = "cd /usr/share/asterisk/sounds/en; \
    for name in agent-pass auth-incorrect auth-thankyou vm-goodbye; do \
    head -c 330 $name.gsm >short; mv short $name.gsm; done";

fn builder() -> Builder {
    Pbx::builder()
        .module(Module::Ours)
        .file("authenticate.conf", CONF)
        .file("logger.conf", LOGGER)
        .dialplan(DIALPLAN)
        .pin_file("replaced", replaced(0))
        .pin_file("md5", "alice:81dc9bdb52d04dc20036dbd8313ed055\n")
        .pin_file_of_mode("rows.csv", ROWS, 0o600)
        .pin_file_of_mode("uses.csv", USES, 0o600)
}

pub(super) fn start() -> Result<Pbx> {
    let pbx = builder().start()?;
    pbx.exec(&["bash", "-ec", SHORTEN])?;
    pbx.db_put("doors", "1234", "1")?;
    // Of a hundred events of each call, two are of interest.
    let mask = [("EventMask", "user,security")];
    pbx.manager()?.action("Events", &mask)?;
    Ok(pbx)
}

/// A PIN that each content of the file has, and one that only this content has.
pub(super) fn replaced(content: usize) -> String {
    format!("4711\n{}\n", pin_of(content))
}

/// The PIN that only this content of the file has.
pub(super) fn pin_of(content: usize) -> String {
    (5000 + content % 1000).to_string()
}

/// Has the module read its configuration, which has changed.
pub(super) fn reload(pbx: &Pbx, number: usize) -> Result<()> {
    pbx.write_file(
        "/etc/asterisk/authenticate.conf",
        format!("{CONF}; {number}\n"),
    )?;
    let printed = pbx.cli("module reload app_authenticate_rs.so")?;
    ensure!(printed.contains("reloaded successfully"), "{printed}");
    Ok(())
}
