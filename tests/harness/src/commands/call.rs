//! `harness call`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Call, Pbx};

use super::{configure, module, text, Whose};

/// What to call, as whom, with which PINs in place.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What stands between Authenticate's parentheses: '1234,a'.
    args: String,
    /// What the caller keys, a group for each prompt: '9999# 1234#'; also
    /// <wait 1.5>, <after-prompt>, <silence>, <now>, <hangup>.
    #[arg(long, default_value = "")]
    keys: String,
    /// Whose Authenticate; AUTHENTICATE_UNDER_TEST, else ours, without it.
    #[arg(long)]
    module: Option<Whose>,
    /// Puts a file of yours into the container: /pins/doors=doors.txt. A PIN
    /// set needs /etc/asterisk/authenticate.conf, too.
    #[arg(long, value_name = "PATH=FILE", value_parser = pair)]
    file: Vec<(String, String)>,
    /// Puts contexts of yours into the dialplan, for a PIN set's goto. One that
    /// has `include => harness-h` shows the variables.
    #[arg(long, value_name = "FILE")]
    dialplan: Option<PathBuf>,
    /// Sets an astdb entry: pin/1234=1.
    #[arg(long, value_name = "FAMILY/KEY=VALUE", value_parser = pair)]
    db: Vec<(String, String)>,
    /// Sets a channel variable before the call: 'TIMEOUT(response)=1'.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    variable: Vec<(String, String)>,
    /// The caller's number.
    #[arg(long, default_value = "")]
    caller: String,
    /// Gives the call a priority n+101, for option j.
    #[arg(long)]
    jump_target: bool,
    /// Milliseconds between keys.
    #[arg(long, default_value_t = 100)]
    key_gap: u64,
    /// The whole report, AMI events included, as JSON.
    #[arg(long)]
    json: bool,
    /// Shows Asterisk's log as well, on stderr.
    #[arg(long)]
    log: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("no `=` in it")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("can't read {}", file.display()))
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut builder = Pbx::builder().module(module(arguments.module)?);
    if let Some(file) = &arguments.dialplan {
        builder = builder.dialplan(&String::from_utf8(read(file)?)?);
    }
    let mut files = Vec::new();
    for (path, file) in &arguments.file {
        files.push((path.as_str(), read(file.as_ref())?));
    }
    let pbx = builder.start()?;
    configure(&pbx, &files)?;
    for (name, value) in &arguments.db {
        let (family, key) = name
            .rsplit_once('/')
            .context("--db wants FAMILY/KEY=VALUE")?;
        pbx.db_put(family, key, value)?;
    }
    let mut call = Call::new(arguments.args.as_str())
        .keys(&arguments.keys)
        .key_gap(Duration::from_millis(arguments.key_gap))
        .caller(&arguments.caller);
    if arguments.jump_target {
        call = call.with_jump_target();
    }
    for (name, value) in &arguments.variable {
        call = call.variable(name, value);
    }
    let report = pbx.call(&call)?;
    if arguments.log {
        eprint!("{}", pbx.story());
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!(
            "Authenticate({})\n{}",
            arguments.args,
            text::report(&report)
        );
    }
    Ok(())
}
