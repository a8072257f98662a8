//! The commands: `authenticate show …`, `authenticate unlock …`.

use pinset::admin::Table;
use pinset::cache::Contents;
use pinset::config::span;
use pinset::escape::escape;
use pinset::Status;

use super::{number, queries};
use crate::asterisk::cli::{self, Command, Said};
use crate::state::stats;
use crate::{config, version};

static COMMANDS: [Command; 7] = [
    Command {
        words: c"authenticate show pinsets",
        summary: c"List the PIN sets of Authenticate",
        usage: c"Usage: authenticate show pinsets\n\
            \x20      Lists the PIN sets of authenticate.conf: where their PINs are, the format\n\
            \x20      of the list (the one that was found after a colon), how many entries it\n\
            \x20      had when it was last read (- if it has not been), the calls since the\n\
            \x20      module was loaded and those admitted, the lockouts that stand, and\n\
            \x20      whether anybody can be admitted.\n",
        run: show_pin_sets,
        complete: nothing,
    },
    Command {
        words: c"authenticate show pinset",
        summary: c"Show a PIN set of Authenticate",
        usage: c"Usage: authenticate show pinset <name>\n\
            \x20      Shows the options of a PIN set as they are in force, and what is known\n\
            \x20      of its list.\n",
        run: show_pin_set,
        complete: pin_set_names,
    },
    Command {
        words: c"authenticate show lockouts",
        summary: c"List who is locked out by Authenticate",
        usage: c"Usage: authenticate show lockouts [pinset <name>]\n\
            \x20      Lists the callers, accounts and PIN sets that are locked now, in one\n\
            \x20      PIN set or in all. An account shown as - is in no list.\n",
        run: show_lockouts,
        complete: of_pin_set,
    },
    Command {
        words: c"authenticate show number",
        summary: c"Show what a caller number is in a PIN set of Authenticate",
        usage: c"Usage: authenticate show number <number> <pin set>\n\
            \x20      Shows how a caller number is compared in a PIN set, the rows that it\n\
            \x20      finds (never their PINs), and whether it, or an account of these rows,\n\
            \x20      is locked, and for how long.\n",
        run: show_number,
        complete: of_number,
    },
    Command {
        words: c"authenticate show stats",
        summary: c"Show how calls of Authenticate have come out",
        usage: c"Usage: authenticate show stats\n\
            \x20      Counts, by PIN set or list, how calls have come out since the module\n\
            \x20      was loaded, and how many attempts were verified.\n",
        run: show_stats,
        complete: nothing,
    },
    Command {
        words: c"authenticate show version",
        summary: c"Show the version of the Authenticate module",
        usage: c"Usage: authenticate show version\n\
            \x20      Shows the module's version, the commit it was built from, and the\n\
            \x20      Asterisk version it was built for.\n",
        run: show_version,
        complete: nothing,
    },
    Command {
        words: c"authenticate unlock {caller|account|pinset}",
        summary: c"Unlock who is locked out by Authenticate",
        usage: c"Usage: authenticate unlock {caller|account|pinset} <value> [pinset <name>]\n\
            \x20      Unlocks a caller (by number, wherever they come in, or by endpoint), an\n\
            \x20      account, or a PIN set that is over its budget; in one PIN set or in\n\
            \x20      all. What was counted there is forgotten.\n",
        run: unlock,
        complete: what_is_locked,
    },
];

/// Registers them; false if Asterisk has said in its log why not.
pub fn register() -> bool {
    COMMANDS.iter().all(cli::register)
}

/// Takes back [`register`]; false if one is being run.
pub fn unregister() -> bool {
    cli::unregister()
}

fn show_version(words: &[&[u8]]) -> Said {
    if words.len() != 3 {
        return Said::Usage;
    }
    let built_for = version::built_for().unwrap_or("unknown");
    Said::Done(format!(
        "app_authenticate_rs {}, built for Asterisk {built_for}\n",
        version::VERSION
    ))
}

fn show_pin_sets(words: &[&[u8]]) -> Said {
    if words.len() != 3 {
        return Said::Usage;
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
    if let Some(refused) = config::refused() {
        text.push_str(&format!(
            "authenticate.conf was refused at {}, what is shown was read before:\n",
            refused.at
        ));
        for error in &refused.errors {
            text.push_str(&format!("  {}\n", escape(error.as_bytes())));
        }
        match refused.count - refused.errors.len() {
            0 => {}
            more => text.push_str(&format!("  and {more} more errors\n")),
        }
    }
    Said::Done(text)
}

fn show_pin_set(words: &[&[u8]]) -> Said {
    let [_, _, _, name] = words else {
        return Said::Usage;
    };
    let shown = match queries::pin_set(name) {
        Ok(shown) => shown,
        Err(why) => return failed(&why),
    };
    let mut text = format!("[{}]\n", escape(shown.name.as_bytes()));
    let Some(set) = &shown.set else {
        text.push_str("; admits nobody: it has errors, which were logged when it was read\n");
        return Said::Done(text);
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
        text.push_str(&format!("; list: {contents}, looked at {age} ago\n"));
        for warning in queries::warnings(set, &recalled) {
            text.push_str(&format!("; warning: {}\n", escape(warning.as_bytes())));
        }
    }
    Said::Done(text)
}

fn show_lockouts(words: &[&[u8]]) -> Said {
    let pin_set = match words.get(3..) {
        Some([]) => None,
        Some([word, name]) if is(word, "pinset") => Some(*name),
        _ => return Said::Usage,
    };
    let locks = match queries::locks(pin_set) {
        Ok(locks) => locks,
        Err(why) => return failed(&why),
    };
    let mut table = Table::new(["PIN set", "Locked by", "Value", "Endpoint", "Left", "Times"]);
    for lock in locks {
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
    Said::Done(table.finish("lockout", "lockouts"))
}

fn show_number(words: &[&[u8]]) -> Said {
    let [_, _, _, number, name] = words else {
        return Said::Usage;
    };
    match number::shown(number, name) {
        Ok(text) => Said::Done(text),
        Err(why) => failed(&why),
    }
}

fn show_stats(words: &[&[u8]]) -> Said {
    if words.len() != 3 {
        return Said::Usage;
    }
    let mut table = Table::new([
        "PIN set or list",
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
    Said::Done(table.finish("PIN set or list", "PIN sets and lists"))
}

fn unlock(words: &[&[u8]]) -> Said {
    let (by, what, pin_set) = match words {
        [_, _, by, what] => (by, what, None),
        [_, _, by, what, word, name] if is(word, "pinset") => (by, what, Some(*name)),
        _ => return Said::Usage,
    };
    match queries::unlock(by, what, pin_set) {
        Ok(unlocked) => Said::Done(format!("{unlocked} unlocked\n")),
        Err(why) => failed(&why),
    }
}

fn failed(why: &str) -> Said {
    Said::Failed(format!("{}\n", escape(why.as_bytes())))
}

fn is(word: &[u8], wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted.as_bytes())
}

fn nothing(_: &[&[u8]]) -> Vec<String> {
    Vec::new()
}

fn pin_set_names(before: &[&[u8]]) -> Vec<String> {
    match before.len() {
        3 => names(),
        _ => Vec::new(),
    }
}

fn of_number(before: &[&[u8]]) -> Vec<String> {
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

fn of_pin_set(before: &[&[u8]]) -> Vec<String> {
    pin_set_option(before.get(3..).unwrap_or_default())
}

/// `[pinset NAME]`, at the end of a command.
fn pin_set_option(before: &[&[u8]]) -> Vec<String> {
    match before {
        [] => vec!["pinset".to_owned()],
        [word] if is(word, "pinset") => names(),
        _ => Vec::new(),
    }
}

fn what_is_locked(before: &[&[u8]]) -> Vec<String> {
    match before {
        [_, _, by] => queries::locked(by)
            .iter()
            .map(|what| escape(what.as_bytes()))
            .collect(),
        [_, _, _, _, rest @ ..] => pin_set_option(rest),
        _ => Vec::new(),
    }
}
