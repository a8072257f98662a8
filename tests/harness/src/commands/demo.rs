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
        story: "A list of PINs in a file. The caller keys one of them; with option a it\n\
                becomes the account code of the call.",
        args: "/pins/doors,a",
        keys: "5678#",
    },
    Scene {
        story: "A wrong PIN first, then the right one.",
        args: "1234",
        keys: "9999# 1234#",
    },
    Scene {
        story: "Three wrong ones.",
        args: "1234",
        keys: "1111# 2222# 3333#",
    },
    Scene {
        story: "A one-time PIN: an astdb entry, removed when it is used (options d and r).",
        args: "/tickets,dr",
        keys: "7777#",
    },
    Scene {
        story: "The same ticket again.",
        args: "/tickets,dr",
        keys: "7777# 7777# 7777#",
    },
    Scene {
        story: "A file of accounts and MD5 hashes (options m and a): the account of the\n\
                line becomes the account code.",
        args: "/pins/accounts,ma",
        keys: "1234#",
    },
];

/// The MD5 hash is that of 1234.
const ACCOUNTS: &str = "sales:81dc9bdb52d04dc20036dbd8313ed055\n";

/// A caller of the PIN set.
const ADA: &str = "+905060508169";

/// The number of who calls in the scenes above.
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

/// Where the calls of the PIN set go on.
const OFFICE: &str = "[office]
exten => 1091,1,NoOp(customer support)
exten => 1092,1,NoOp(sales)
include => harness-h
";

/// A call of the PIN set: the story, the caller's number, the keys.
const CUSTOMERS_CALLS: &[(&str, &str, &str)] = &[
    (
        "Ada calls, keys her PIN and is put through to customer support. Her network\n\
         sends the number in another spelling than the list has.",
        "05060508169",
        "1234#",
    ),
    (
        "Ada's number and Bob's PIN: to sales.",
        "+905060508169",
        "5678#",
    ),
    (
        "A number that is in no row is asked all the same, and hears the same: to sales.",
        "+905059999999",
        "1234#",
    ),
    ("No number at all: nothing is asked.", "", ""),
    (
        "Ada's number again, and another guess: the second wrong PIN within a quarter of an\n\
         hour is one too many. The number is locked out for half an hour.",
        "+905060508169",
        "1111#",
    ),
    (
        "Ada's number and Ada's PIN: nothing is asked any more.",
        "+905060508169",
        "",
    ),
];

/// The service reads the same list, and counts for itself.
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

/// Calls of the web service.
const WEB_CALLS: &[(&str, &str)] = &[
    (
        "The call is posted, the service has a PIN gathered, is told it, and connects 1091.",
        "1234",
    ),
    ("A wrong PIN: it connects 1092.", "1111"),
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
        println!("A PIN set: the number that calls says who it is, the PIN proves it.\n");
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
    let story = "A variable that was meant to hold the PIN is not set, and the caller keys\n\
                 nothing at all.";
    let soon = Duration::from_millis(500);
    let silent = Call::new(",a").timeouts(soon, soon).caller(CALLER);
    show(&pbx, number, story, "${PIN},a", &silent)?;
    if module != Module::Theirs {
        drop(pbx);
        let stock = Pbx::builder().module(Module::Theirs).start()?;
        println!("For comparison: {}\n", name(Module::Theirs));
        show(&stock, number, "The same call.", "${PIN},a", &silent)?;
    }
    Ok(())
}

/// Calls that a web service decides on; the number of the last one.
fn web(pbx: &Pbx, mut number: usize) -> Result<usize> {
    println!("A web service, pinset serve, says what becomes of a call.\n");
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
    let story = "The service is down: the call goes where on_error says.";
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
