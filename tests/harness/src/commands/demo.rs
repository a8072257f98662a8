//! `harness demo`.

use std::time::Duration;

use anyhow::Result;
use harness::{Call, Module, Pbx};

use super::{module, text, Whose};

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

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let module = module(arguments.module)?;
    let pbx = Pbx::builder().module(module).start()?;
    println!("{}\n", name(module));
    pbx.pin_file("doors", "1234\n5678\n")?;
    pbx.pin_file("accounts", ACCOUNTS)?;
    pbx.db_put("tickets", "7777", "1")?;
    for (number, scene) in SCENES.iter().enumerate() {
        let call = Call::new(scene.args).keys(scene.keys).caller("5551234");
        show(&pbx, number + 1, scene.story, scene.args, &call)?;
    }

    let number = SCENES.len() + 1;
    let story = "A variable that was meant to hold the PIN is not set, and the caller keys\n\
                 nothing at all.";
    let soon = Duration::from_millis(500);
    let silent = Call::new(",a").timeouts(soon, soon).caller("5551234");
    show(&pbx, number, story, "${PIN},a", &silent)?;
    if module != Module::Theirs {
        drop(pbx);
        let stock = Pbx::builder().module(Module::Theirs).start()?;
        println!("For comparison: {}\n", name(Module::Theirs));
        show(&stock, number, "The same call.", "${PIN},a", &silent)?;
    }
    Ok(())
}

fn name(module: Module) -> &'static str {
    match module {
        Module::Theirs => "the stock module, app_authenticate.so",
        _ => "our module, app_authenticate_rs.so",
    }
}

fn show(pbx: &Pbx, number: usize, story: &str, args: &str, call: &Call) -> Result<()> {
    let story = story.replace('\n', "\n   ");
    println!("{number}. {story}\n   Authenticate({args})");
    println!("{}", text::report(&pbx.call(call)?));
    Ok(())
}
