//! `harness cluster`.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use harness::{pinset, Call, Module, Outcome, Pbx, Postgres};

/// Nothing to choose.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

const CONF: &str = "[general]
pepper_file = /pins/pepper
database_file = /pins/database

[customers]
source = database
attempts = 1
lockout_caller = 2/15m/30m
";

/// A pepper file of the kind that `pinset pepper new` makes; both PBXs have it.
const PEPPER: &str = "main:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\n";

/// What a person enters on the first PBX.
const COMMANDS: [&str; 3] = [
    "pinset database init --database /pins/database",
    "pinset add customers --database /pins/database --account ada --max-uses 1 \
     --hmac-sha256 --pepper /pins/pepper",
    "pinset add customers --database /pins/database --account bob --hmac-sha256 \
     --pepper /pins/pepper",
];

const ADA: &str = "+905060508169";
const BOB: &str = "+905321112233";

/// Calls: the story, on which PBX, the caller number, the digits.
const CALLS: [(&str, usize, &str, &str); 5] = [
    ("Ada's PIN has one use. She calls PBX 1.", 0, ADA, "482913#"),
    ("The same PIN on PBX 2: it is used up.", 1, ADA, "482913#"),
    ("A wrong PIN on PBX 1.", 0, BOB, "111111#"),
    (
        "A second wrong PIN, on PBX 2: the number is locked.",
        1,
        BOB,
        "222222#",
    ),
    (
        "Bob's PIN on PBX 1, from the locked number: he is not asked for it.",
        0,
        BOB,
        "",
    ),
];

pub(crate) fn run(_: &Arguments) -> Result<()> {
    println!("PostgreSQL is started, and two Asterisks with the module.\n");
    let server = Postgres::start()?;
    let start = || {
        Pbx::builder()
            .module(Module::Ours)
            .file("authenticate.conf", CONF)
            .pin_file_of_mode("pepper", PEPPER, 0o600)
            .database(&server)
            .start()
    };
    let pbxs = [start()?, start()?];
    pbxs[0].put_program(&pinset()?, "/harness/pinset")?;
    println!("authenticate.conf of both:\n{}", indented(CONF));
    for (command, pin) in COMMANDS.iter().zip(["", "482913", "730164"]) {
        println!("    # {command}");
        let script = format!("echo {pin} | /harness/{command}");
        let printed = pbxs[0].exec(&["bash", "-ec", &script])?;
        println!("{}", indented(&printed));
    }
    // They were started before there were tables.
    for pbx in &pbxs {
        while !pbx
            .cli("authenticate show database")?
            .contains("Reached: yes")
        {
            thread::sleep(Duration::from_millis(100));
        }
    }
    for (story, at, caller, keys) in CALLS {
        let call = Call::new("pinset:customers").keys(keys).caller(caller);
        let report = pbxs[at].call(&call)?;
        let outcome = match report.outcome {
            Outcome::Passed => "admitted",
            _ => "refused",
        };
        println!("{story}\n    {}: {outcome}\n", report.status());
    }
    for command in ["authenticate show database", "authenticate show lockouts"] {
        println!("    *CLI> {command}\n{}", indented(&pbxs[1].cli(command)?));
    }
    wait(&server)
}

/// Leaves all running until the person ends it.
fn wait(server: &Postgres) -> Result<()> {
    let rows = "SELECT pinset, account, max_uses, uses FROM pinset_pins ORDER BY id";
    println!("The rows:\n{}", indented(&server.sql(rows)?));
    if io::stdin().is_terminal() {
        println!("Ctrl-C ends PostgreSQL and both Asterisks.");
        loop {
            thread::park();
        }
    }
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}\n"))
        .collect::<String>()
}
