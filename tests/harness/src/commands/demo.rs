//! `harness demo`.

use std::time::Duration;

use anyhow::Result;
use harness::{Call, Module, Pbx};

use super::service::Service;
use super::{configure, module, text, Whose, FILE};

/// Whose module to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose Authenticate; AUTHENTICATE_UNDER_TEST, else ours, without it.
    #[arg(long)]
    module: Option<Whose>,
}

/// One call and what it shows.
struct Scene {
    story: &'static str,
    args: &'static str,
    keys: &'static str,
}

const SCENES: &[Scene] = &[
    Scene {
        story: "A file with one PIN on each line. The caller enters one of them; because of\n\
                option a it becomes the account code of the call.",
        args: "/pins/doors,a",
        keys: "5678#",
    },
    Scene {
        story: "The caller enters a wrong PIN, then the right one.",
        args: "1234",
        keys: "9999# 1234#",
    },
    Scene {
        story: "The caller enters three wrong PINs: the call is hung up.",
        args: "1234",
        keys: "1111# 2222# 3333#",
    },
    Scene {
        story: "A one-time PIN: an entry of Asterisk's database that is removed when it is used\n\
                (options d and r).",
        args: "/tickets,dr",
        keys: "7777#",
    },
    Scene {
        story: "The same one-time PIN again: it is no longer valid.",
        args: "/tickets,dr",
        keys: "7777# 7777# 7777#",
    },
    Scene {
        story: "A file of accounts and MD5 hashes (options m and a): the account on the\n\
                matching line becomes the account code.",
        args: "/pins/accounts,ma",
        keys: "1234#",
    },
];

/// The MD5 hash is that of 1234.
const ACCOUNTS: &str = "sales:81dc9bdb52d04dc20036dbd8313ed055\n";

/// A caller of the PIN set.
const ADA: &str = "+905060508169";

/// The caller number of the scenes above.
const CALLER: &str = "5551234";

const CONF: &str = "[general]
country_code = 90

[customers]
source = file:/pins/customers.csv
identify = caller
attempts = 1
lockout_caller = 2/15m/30m
account_code = yes
on_success = goto:office,1091,1
on_failure = goto:office,1092,1
";

const CUSTOMERS: &str = "account,secret,caller
ada,plain:1234,+905060508169
bob,plain:5678,0532 111 22 33
";

/// Where calls to the PIN set continue.
const OFFICE: &str = "[office]
exten => 1091,1,NoOp(customer support)
exten => 1092,1,NoOp(sales)
include => harness-h
";

/// Calls to the PIN set: the story, the caller number, the digits.
const CUSTOMERS_CALLS: &[(&str, &str, &str)] = &[
    (
        "Ada calls, enters her PIN and is connected to customer support. Her network sends\n\
         her number in another format than the file has.",
        "05060508169",
        "1234#",
    ),
    (
        "Ada's number with Bob's PIN: the call goes to sales.",
        "+905060508169",
        "5678#",
    ),
    (
        "A number that is in no row: the caller is asked for a PIN as everyone is, and the\n\
         call goes to sales.",
        "+905059999999",
        "1234#",
    ),
    (
        "No caller number: the caller is not asked for a PIN.",
        "",
        "",
    ),
    (
        "Ada's number and a second wrong PIN within 15 minutes: the number is locked out for\n\
         30 minutes.",
        "+905060508169",
        "1111#",
    ),
    (
        "Ada's number while it is locked out: the caller is not asked for a PIN.",
        "+905060508169",
        "",
    ),
];

/// The service reads the same PIN file and counts failures by itself.
const SERVE: &str = r#"state = "/harness/state.db"

[numbers]
country_code = 90

[service.customers]
list = "/pins/customers.csv"
success = [{ connect = 1091 }]
failure = [{ connect = 1092 }]
"#;

const WEB_CONF: &str = "[web]
source = http://127.0.0.1:5000/api/external/hipcall-ingress
connect_context = office
success_destinations = 1091
on_error = goto:office,1092,1
";

/// Calls to the web service.
const WEB_CALLS: &[(&str, &str)] = &[
    (
        "The module posts the call to the service, which asks for a PIN, receives it, and\n\
         connects the call to 1091.",
        "1234",
    ),
    (
        "A wrong PIN: the service connects the call to 1092.",
        "1111",
    ),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let module = module(arguments.module)?;
    let pbx = Pbx::builder().module(module).dialplan(OFFICE).start()?;
    println!("{}\n", name(module));
    pbx.pin_file("doors", "1234\n5678\n")?;
    pbx.pin_file("accounts", ACCOUNTS)?;
    pbx.db_put("tickets", "7777", "1")?;
    for (number, scene) in SCENES.iter().enumerate() {
        let call = Call::new(scene.args).keys(scene.keys).caller(CALLER);
        show(&pbx, number + 1, scene.story, scene.args, &call)?;
    }
    let mut number = SCENES.len();
    if module != Module::Theirs {
        println!(
            "A PIN set: the caller number identifies the caller, the PIN authenticates them.\n"
        );
        show_file("authenticate.conf", CONF);
        show_file("/pins/customers.csv", CUSTOMERS);
        configure(&pbx, &[("/pins/customers.csv", CUSTOMERS), (FILE, CONF)])?;
        for (story, caller, keys) in CUSTOMERS_CALLS {
            number += 1;
            let args = "pinset:customers";
            let call = Call::new(args).keys(keys).caller(caller);
            show(&pbx, number, story, args, &call)?;
        }
        number = web(&pbx, number)?;
    }

    number += 1;
    let story = "The dialplan variable for the PIN is not set, and the caller enters nothing.";
    let soon = Duration::from_millis(500);
    let silent = Call::new(",a").timeouts(soon, soon).caller(CALLER);
    show(&pbx, number, story, "${PIN},a", &silent)?;
    if module != Module::Theirs {
        drop(pbx);
        let stock = Pbx::builder().module(Module::Theirs).start()?;
        println!("For comparison, {}:\n", name(Module::Theirs));
        show(&stock, number, "The same call.", "${PIN},a", &silent)?;
    }
    Ok(())
}

/// Shows calls that a web service decides; returns the number of the last one.
fn web(pbx: &Pbx, mut number: usize) -> Result<usize> {
    println!("A web service decides what happens to a call; here it is pinset serve.\n");
    show_file("serve.toml", SERVE);
    show_file("authenticate.conf", WEB_CONF);
    let service = Service::start(pbx, SERVE)?;
    configure(pbx, &[(FILE, WEB_CONF)])?;
    let args = "pinset:web";
    for (story, keys) in WEB_CALLS {
        number += 1;
        let call = Call::new(args).keys(&format!("<now>{keys}")).caller(ADA);
        show(pbx, number, story, args, &call)?;
    }
    service.stop(pbx)?;
    number += 1;
    let story = "The service is down: the call continues where on_error says.";
    show(pbx, number, story, args, &Call::new(args).caller(ADA))?;
    Ok(number)
}

fn name(module: Module) -> &'static str {
    match module {
        Module::Theirs => "the stock module, app_authenticate.so",
        _ => "our module, app_authenticate_rs.so",
    }
}

fn show_file(name: &str, contents: &str) {
    println!("   {name}:");
    for line in contents.lines() {
        println!("{}", format!("      {line}").trim_end());
    }
    println!();
}

fn show(pbx: &Pbx, number: usize, story: &str, args: &str, call: &Call) -> Result<()> {
    let story = story.replace('\n', "\n   ");
    println!("{number}. {story}\n   Authenticate({args})");
    println!("{}", text::report(&pbx.call(call)?));
    Ok(())
}
