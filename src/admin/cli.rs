//! CLI commands `authenticate show …` and `authenticate unlock …`.

use std::fmt::Display;

use pinset::admin::{PageRequest, Table};
use pinset::audit::change::Administrator;
use pinset::cache::Contents;
use pinset::config::span;
use pinset::escape::escape;
use pinset::Status;
use thiserror::Error;

use super::paging::{self, PageError};
use super::queries::QueryError;
use super::{database, number, queries};
use crate::asterisk::cli::{self, Command, CommandOutput};
use crate::state::stats;
use crate::{config, version};

/// Most errors of a rejected file that are shown.
const MAX_SHOWN_ERRORS: usize = 20;

static COMMANDS: [Command; 8] = [
    Command {
        words: c"authenticate show pinsets",
        summary: c"List the PIN sets of Authenticate",
        usage: c"Usage: authenticate show pinsets\n\
            \x20      Lists the PIN sets of authenticate.conf: their source, the format of\n\
            \x20      the PIN file (after a colon, the detected one), the number of its\n\
            \x20      entries when it was last read (- if it was not), the calls since the\n\
            \x20      module was loaded and the admitted ones, the active lockouts, and\n\
            \x20      whether anybody can be admitted.\n",
        run: show_pin_sets,
        complete: no_words,
    },
    Command {
        words: c"authenticate show pinset",
        summary: c"Show a PIN set of Authenticate",
        usage: c"Usage: authenticate show pinset <name>\n\
            \x20      Shows the options of a PIN set that are in force, and the state of its\n\
            \x20      PIN file.\n",
        run: show_pin_set,
        complete: pin_set_names,
    },
    Command {
        words: c"authenticate show lockouts",
        summary: c"List active lockouts of Authenticate",
        usage: c"Usage: authenticate show lockouts [pinset <name>]\n\
            \x20      Lists the callers, accounts and PIN sets that are locked now, in one\n\
            \x20      PIN set or in all. No PIN file has an account shown as -.\n",
        run: show_lockouts,
        complete: pin_set_words,
    },
    Command {
        words: c"authenticate show number",
        summary: c"Show how a PIN set of Authenticate compares a caller number",
        usage: c"Usage: authenticate show number <number> <pin set>\n\
            \x20      Shows how a caller number is compared in a PIN set, the rows that match\n\
            \x20      it (never their PINs), and whether it, or an account of these rows, is\n\
            \x20      locked, and for how long.\n",
        run: show_number,
        complete: number_words,
    },
    Command {
        words: c"authenticate show stats",
        summary: c"Show call outcomes of Authenticate",
        usage: c"Usage: authenticate show stats\n\
            \x20      Counts call outcomes and verified attempts since the module was loaded,\n\
            \x20      by PIN set or source.\n",
        run: show_stats,
        complete: no_words,
    },
    Command {
        words: c"authenticate show database",
        summary: c"Show the PostgreSQL of Authenticate",
        usage: c"Usage: authenticate show database\n\
            \x20      Shows the server of the PIN sets with source = database, whether it is\n\
            \x20      reached, the connections, and the queries since the configuration was\n\
            \x20      read.\n",
        run: show_database,
        complete: no_words,
    },
    Command {
        words: c"authenticate show version",
        summary: c"Show the version of the Authenticate module",
        usage: c"Usage: authenticate show version\n\
            \x20      Shows the module's version, the commit it was built from, and the\n\
            \x20      Asterisk version it was built for.\n",
        run: show_version,
        complete: no_words,
    },
    Command {
        words: c"authenticate unlock {caller|account|pinset}",
        summary: c"Unlock callers, accounts or PIN sets of Authenticate",
        usage: c"Usage: authenticate unlock {caller|account|pinset} <value> [pinset <name>]\n\
            \x20      Unlocks a caller (by number at any endpoint, or by endpoint), an\n\
            \x20      account, or a PIN set that is rate-limited; in one PIN set or in all.\n\
            \x20      Also resets its failure count.\n",
        run: unlock,
        complete: lock_values,
    },
];

/// Why a list of lockouts is not shown.
#[derive(Debug, Error)]
enum CommandError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Page(#[from] PageError),
}

/// Registers the commands. Returns false if that fails, which Asterisk logs.
pub(super) fn register() -> bool {
    COMMANDS.iter().all(cli::register)
}

/// Takes back [`register`]. Returns false if a command runs.
pub(super) fn unregister() -> bool {
    cli::unregister()
}

fn show_version(words: &[&[u8]]) -> CommandOutput {
    if words.len() != 3 {
        return CommandOutput::Usage;
    }
    let built_for = version::built_for().unwrap_or("unknown");
    CommandOutput::Done(format!(
        "app_authenticate_rs {}, built for Asterisk {built_for}\n",
        version::VERSION
    ))
}

fn show_database(words: &[&[u8]]) -> CommandOutput {
    if words.len() != 3 {
        return CommandOutput::Usage;
    }
    CommandOutput::Done(database::show())
}

fn show_pin_sets(words: &[&[u8]]) -> CommandOutput {
    if words.len() != 3 {
        return CommandOutput::Usage;
    }
    let mut table = Table::new([
        "PIN set", "Source", "Format", "Identify", "Entries", "Calls", "Admitted", "Lockouts",
        "Usable", "State",
    ]);
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let lock_counts = queries::lock_counts();
    for set in queries::pin_sets() {
        let calls: u64 = set.counts.outcomes.values().sum();
        table.row([
            escape(set.name.as_bytes()),
            set.source().map_or("-".to_owned(), |text| escape(&text)),
            match (set.format(), set.found) {
                (Some("auto"), Some(found)) => format!("auto: {found}"),
                (format, _) => or_dash(format),
            },
            or_dash(set.identify()),
            set.entries
                .map_or("-".to_owned(), |count| count.to_string()),
            calls.to_string(),
            queries::outcomes(&set.counts, Status::Success).to_string(),
            lock_counts.get(&set.name).unwrap_or(&0).to_string(),
            if set.usable { "yes" } else { "no" }.to_owned(),
            escape(set.state.as_bytes()),
        ]);
    }
    let mut text = table.finish("PIN set", "PIN sets");
    if let Some(rejected) = config::rejected() {
        text.push_str(&format!(
            "authenticate.conf was rejected at {}, the version before it is shown:\n",
            rejected.at
        ));
        let shown = rejected.errors.iter().take(MAX_SHOWN_ERRORS);
        for error in shown.clone() {
            text.push_str(&format!("  {}\n", escape(error.to_string().as_bytes())));
        }
        match rejected.count - shown.len() {
            0 => {}
            more => text.push_str(&format!("  and {more} more errors\n")),
        }
    }
    CommandOutput::Done(text)
}

fn show_pin_set(words: &[&[u8]]) -> CommandOutput {
    let [_, _, _, name] = words else {
        return CommandOutput::Usage;
    };
    let shown = match queries::pin_set(name) {
        Ok(shown) => shown,
        Err(error) => return failed(&error),
    };
    let mut text = format!("[{}]\n", escape(shown.name.as_bytes()));
    let Some(set) = &shown.set else {
        text.push_str("; admits nobody: it has errors, which were logged when it was read\n");
        return CommandOutput::Done(text);
    };
    for (option, value) in set.options() {
        let line = format!("{option} = {}", escape(&value));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let keys = queries::pepper_keys();
    if !keys.is_empty() {
        text.push_str(&format!("; pepper keys: {}\n", keys.join(", ")));
    }
    if let Some(recalled) = queries::recall(set) {
        let contents = match recalled.contents {
            Contents::Entries(count) => format!("{count} entries"),
            Contents::Reading => "being read".to_owned(),
            Contents::TooLarge(_) | Contents::Broken(_) => escape(shown.state.as_bytes()),
        };
        let age = span(queries::age(recalled.read));
        text.push_str(&format!("; PIN file: {contents}, last read {age} ago\n"));
        for warning in queries::warnings(set, &recalled) {
            text.push_str(&format!("; warning: {}\n", escape(warning.as_bytes())));
        }
    }
    CommandOutput::Done(text)
}

fn show_lockouts(words: &[&[u8]]) -> CommandOutput {
    let pin_set = match words.get(3..) {
        Some([]) => None,
        Some([word, name]) if is(word, "pinset") => Some(*name),
        _ => return CommandOutput::Usage,
    };
    let locks = paging::keys().map_err(CommandError::from);
    let locks = locks.and_then(|keys| {
        let page = queries::lock_page(pin_set, PageRequest::default(), &keys);
        page.map_err(CommandError::from)
    });
    let (locks, total) = match locks {
        Ok(locks) => locks,
        Err(error) => return failed(&error),
    };
    let more = total.saturating_sub(locks.len());
    let mut table = Table::new(["PIN set", "Locked by", "Value", "Endpoint", "Left", "Times"]);
    for (_, lock) in locks {
        let left = lock.left();
        let or_dash =
            |text: Option<String>| text.map_or("-".to_owned(), |text| escape(text.as_bytes()));
        table.row([
            escape(lock.pin_set.as_bytes()),
            lock.by.to_owned(),
            or_dash(lock.what),
            or_dash(lock.endpoint),
            left,
            lock.times.to_string(),
        ]);
    }
    let mut text = table.finish("lockout", "lockouts");
    if more > 0 {
        text.push_str(&format!(
            "and {more} more: AuthenticateLockouts lists them\n"
        ));
    }
    CommandOutput::Done(text)
}

fn show_number(words: &[&[u8]]) -> CommandOutput {
    let [_, _, _, number, name] = words else {
        return CommandOutput::Usage;
    };
    match number::report(number, name) {
        Ok(text) => CommandOutput::Done(text),
        Err(error) => failed(&error),
    }
}

fn show_stats(words: &[&[u8]]) -> CommandOutput {
    if words.len() != 3 {
        return CommandOutput::Usage;
    }
    let mut table = Table::new([
        "PIN set or source",
        "Success",
        "Failure",
        "Timeout",
        "Expired",
        "Locked",
        "Hangup",
        "Error",
        "Attempts",
    ]);
    for (name, counts) in stats::all() {
        let [success, failure, timeout, expired, locked, hangup, error] =
            Status::ALL.map(|status| queries::outcomes(&counts, status).to_string());
        table.row([
            escape(name.as_bytes()),
            success,
            failure,
            timeout,
            expired,
            locked,
            hangup,
            error,
            counts.entries.to_string(),
        ]);
    }
    CommandOutput::Done(table.finish("PIN set or source", "PIN sets and sources"))
}

fn unlock(words: &[&[u8]]) -> CommandOutput {
    let (by, what, pin_set) = match words {
        [_, _, by, what] => (by, what, None),
        [_, _, by, what, word, name] if is(word, "pinset") => (by, what, Some(*name)),
        _ => return CommandOutput::Usage,
    };
    match queries::unlock(by, what, pin_set, &Administrator::CommandLine) {
        Ok(unlocked) => CommandOutput::Done(format!("{unlocked} unlocked\n")),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn Display) -> CommandOutput {
    let error = escape(error.to_string().as_bytes());
    CommandOutput::Failed(format!("{error}\n"))
}

fn is(word: &[u8], wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted.as_bytes())
}

fn no_words(_: &[&[u8]]) -> Vec<String> {
    Vec::new()
}

fn pin_set_names(before: &[&[u8]]) -> Vec<String> {
    match before.len() {
        3 => names(),
        _ => Vec::new(),
    }
}

fn number_words(before: &[&[u8]]) -> Vec<String> {
    match before.len() {
        4 => names(),
        _ => Vec::new(),
    }
}

fn names() -> Vec<String> {
    queries::names()
        .iter()
        .map(|name| escape(name.as_bytes()))
        .collect()
}

fn pin_set_words(before: &[&[u8]]) -> Vec<String> {
    pin_set_option(before.get(3..).unwrap_or_default())
}

/// Completes `[pinset NAME]`, at the end of a command.
fn pin_set_option(before: &[&[u8]]) -> Vec<String> {
    match before {
        [] => vec!["pinset".to_owned()],
        [word] if is(word, "pinset") => names(),
        _ => Vec::new(),
    }
}

fn lock_values(before: &[&[u8]]) -> Vec<String> {
    match before {
        [_, _, by] => queries::locked(by)
            .iter()
            .map(|what| escape(what.as_bytes()))
            .collect(),
        [_, _, _, _, rest @ ..] => pin_set_option(rest),
        _ => Vec::new(),
    }
}
