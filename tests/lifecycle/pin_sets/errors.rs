//! Mistakes in `authenticate.conf` are reported by their place and disable only their
//! PIN set.

use anyhow::{ensure, Context, Result};
use harness::Pbx;

use super::{
    all_become, becomes, broken, call, is_logged, on, passed, reconfigure, refused, reload,
};
use super::{log_lines, row, with};

const GOOD: &str = "[good]\nsource = file:/pins/list\n";

fn works(pbx: &Pbx, set: &str) -> Result<()> {
    becomes(pbx, &call(set, "1234#"), &passed())
        .map(drop)
        .with_context(|| format!("[{set}] should work"))
}

fn is_broken(pbx: &Pbx, set: &str) -> Result<()> {
    let call = call(set, "1234# 1234# 1234#");
    becomes(pbx, &call, &broken())
        .map(drop)
        .with_context(|| format!("[{set}] should be broken"))
}

/// A section, its invalid option, and the log line about it.
const WRONG: &[(&str, &str, &str)] = &[
    ("unknown", "colour = red", "there is no such option"),
    ("general-only", "country_code = 90", "belongs to [general]"),
    (
        "number",
        "attempts = 0",
        "must be a whole number from 1 to 99",
    ),
    (
        "digits",
        "max_digits = 255",
        "must be a whole number from 1 to 254",
    ),
    (
        "wait",
        "digit_timeout = soon",
        "must be a number of seconds",
    ),
    ("word", "identify = voice", "must be pin, caller or account"),
    ("key", "clear_key = 5", "must be one of the keys"),
    (
        "lock",
        "lockout_caller = 5/15m",
        "must be failures/window/lock",
    ),
    ("hours", "times = 9-17", "its first field must be"),
    (
        "zone",
        "times = *,*,*,*,Nowhere/Else",
        "its fifth field must be",
    ),
    (
        "success",
        "on_success = hangup",
        "must be continue, or goto:",
    ),
    ("place", "on_failure = goto:internal", "behind goto:"),
    ("sounds", "prompt = &", "must be a sound"),
    ("yes", "one_time = perhaps", "must be"),
];

/// A section and what can't be together in it.
const IMPOSSIBLE: &[(&str, &str, &str)] = &[
    ("sourceless", "attempts = 2", "missing"),
    (
        "empty-range",
        "source = file:/pins/list\nmin_digits = 5\nmax_digits = 4",
        "min_digits is above max_digits",
    ),
    (
        "format-of-family",
        "source = astdb:x\nformat = csv",
        "format is for files",
    ),
    (
        "value-of-file",
        "source = file:/pins/list\nastdb_value = account:secret",
        "astdb_value is for astdb",
    ),
    (
        "no-numbers",
        "source = file:/pins/list\nformat = plain\nidentify = caller",
        "identify = caller needs a csv list",
    ),
    (
        "no-accounts",
        "source = astdb:x\nidentify = account",
        "identify = account needs a list with accounts",
    ),
    (
        "no-code",
        "source = astdb:x\naccount_code = yes",
        "account_code = yes needs a list with accounts",
    ),
    (
        "pin-of-people",
        "source = file:/pins/people.csv\nformat = csv\naccount_code = pin",
        "account_code = pin is for lists without accounts",
    ),
    (
        "no-levels",
        "source = file:/pins/list\nformat = md5\nrequired_level = 1",
        "required_level above 0 needs a csv list",
    ),
];

fn lists(builder: harness::Builder) -> harness::Builder {
    builder
        .pin_file("list", "1234\n")
        .pin_file("people.csv", "account,secret\nada,plain:1234\n")
}

#[test]
fn invalid_line_disables_only_its_pin_set() {
    let mut conf = GOOD.to_owned();
    let mut places = Vec::new();
    for (section, option, _) in WRONG {
        conf += &format!("[{section}]\nsource = file:/pins/list\n{option}\n");
        places.push(conf.lines().count());
    }
    conf += "[last]\nsource = file:/pins/list\n";
    on(lists(with(&conf)), |pbx| {
        for ((section, option, fault), line) in WRONG.iter().zip(places) {
            let option = option.split_once(" = ").unwrap_or_default().0;
            let logged = format!("authenticate.conf:{line}: [{section}] {option}: {fault}");
            is_logged(pbx, &["] ERROR[", &logged])?;
        }
        works(pbx, "good")?;
        works(pbx, "last")?;
        let sections: Vec<_> = WRONG.iter().map(|(section, ..)| *section).collect();
        all_broken(pbx, &sections)
    });
}

fn all_broken(pbx: &Pbx, sections: &[&str]) -> Result<()> {
    let rows: Vec<_> = sections
        .iter()
        .map(|set| row(set, call(set, "1234# 1234# 1234#"), broken()))
        .collect();
    all_become(pbx, &rows)?;
    for section in sections {
        // In addition to the line at load, each call is logged.
        let logged = log_lines(pbx, &[section])?;
        ensure!(logged.len() >= 2, "[{section}]: {logged:#?}");
    }
    Ok(())
}

#[test]
fn conflicting_options_disable_the_pin_set() {
    let mut conf = GOOD.to_owned();
    for (section, options, _) in IMPOSSIBLE {
        conf += &format!("[{section}]\n{options}\n");
    }
    // Found out only by a look into the list.
    conf += "[auto]\nsource = file:/pins/list\nidentify = caller\n\
        [no-list]\nsource = file:/pins/no-such-list\n";
    on(lists(with(&conf)), |pbx| {
        for (section, _, fault) in IMPOSSIBLE {
            is_logged(
                pbx,
                &[
                    "] ERROR[",
                    "authenticate.conf",
                    &format!("[{section}]"),
                    fault,
                ],
            )?;
        }
        works(pbx, "good")?;
        let sections: Vec<_> = IMPOSSIBLE.iter().map(|(section, ..)| *section).collect();
        all_broken(pbx, &sections)?;
        let by_caller = call("auto", "1234# 1234# 1234#").caller("+905060508169");
        becomes(pbx, &by_caller, &broken())?;
        is_logged(pbx, &["identify = caller needs a csv list"])?;
        is_broken(pbx, "no-list")?;
        is_logged(pbx, &["/pins/no-such-list"])
    });
}

#[test]
fn duplicate_section_and_invalid_default_are_errors() {
    let conf = "[general]\n\
        attempts = 2\n\
        [good]\n\
        source = file:/pins/list\n\
        [twice]\n\
        source = file:/pins/list\n\
        [Twice]\n\
        source = file:/pins/people.csv\n";
    on(lists(with(conf)), |pbx| {
        works(pbx, "good")?;
        is_logged(pbx, &["] ERROR[", "authenticate.conf:", "wice]"])?;
        is_broken(pbx, "twice")?;
        // The default of [general] is in force.
        becomes(
            pbx,
            &call("good", "1# 2#"),
            &refused("FAILURE").attempts("2"),
        )
        .map(drop)
    });
}

#[test]
fn mistakes_in_templates_and_includes_are_reported_by_place() {
    let conf = "[mould](!)\n\
        source = file:/pins/list\n\
        attempts = none\n\
        [cast](mould)\n\
        [mended](mould)\n\
        attempts = 2\n\
        [good]\n\
        source = file:/pins/list\n\
        #include authenticate.d/more.conf\n";
    on(lists(with(GOOD)), |pbx| {
        let included = "/etc/asterisk/authenticate.d/more.conf";
        pbx.write_file(
            included,
            "; Line 1\nmin_digits = 4\n[more]\nsource = file:/pins/list\ndigit_timeout = 0\n",
        )?;
        pbx.write_file(super::CONF, conf)?;
        pbx.restart()?;
        let fault = "attempts: must be a whole number from 1 to 99";
        is_logged(pbx, &[&format!("authenticate.conf:3: [cast] {fault}")])?;
        let logged = "[more] digit_timeout: must be a number of seconds";
        is_logged(pbx, &[&format!("{included}:5: {logged}")])?;
        works(pbx, "good")?;
        is_broken(pbx, "cast")?;
        is_broken(pbx, "more")?;
        // No PIN set is made of the template itself.
        is_broken(pbx, "mould")?;
        // In the place of the wrong line or beside it, it is in the file.
        pbx.write_file(included, "[more]\nsource = file:/pins/list\n")?;
        reconfigure(pbx, &conf.replace("none", "2"), true)?;
        for set in ["cast", "mended", "good", "more"] {
            works(pbx, set)?;
        }
        Ok(())
    });
}

#[test]
fn reload_accepts_the_whole_file_or_nothing() {
    let first = "[one]\nsource = file:/pins/list\nsuccess_prompt = beep\n\
        [two]\nsource = file:/pins/list\n";
    on(lists(with(first)), |pbx| {
        let beeps = passed().sounds(&["agent-pass", "beep"]);
        let one = call("one", "1234#");
        let in_force = || -> Result<()> {
            becomes(pbx, &one, &beeps)?;
            works(pbx, "two")
        };
        in_force()?;
        let bad = [
            "[one]\nsource = file:/pins/list\nattempts = 0\n",
            "[one]\nsource = file:/pins/list\n[one]\nsource = file:/pins/list\n",
            "[one]\nsource = file:/pins/no-such-list\n",
            "[one]\nsource = file:/pins/list\n[three]\nattempts = 2\n",
            "[one]\nsource = file:/pins/list\n[three\n",
            "[general]\npepper_file = /pins/no-such-file\n[one]\nsource = file:/pins/list\n",
            "[general]\ncolour = red\n[one]\nsource = file:/pins/list\n",
        ];
        for conf in bad {
            reconfigure(pbx, conf, false).with_context(|| conf.to_owned())?;
            in_force().with_context(|| conf.to_owned())?;
            is_broken(pbx, "three")?;
        }
        // A call that goes on keeps what it began with.
        let mut ongoing = pbx.place(&call("one", "9# 1234#"))?;
        ongoing.until_sound("agent-pass")?;
        reconfigure(
            pbx,
            "[one]\nsource = file:/pins/list\nsuccess_prompt = beeperr\n\
             [three]\nsource = file:/pins/people.csv\n",
            true,
        )?;
        let beeps = passed().sounds(&["agent-pass", "auth-incorrect", "beep"]);
        beeps.check(&ongoing.finish()?)?;
        let want = passed().sounds(&["agent-pass", "beeperr"]);
        becomes(pbx, &one, &want)?;
        works(pbx, "three")?;
        is_broken(pbx, "two")?;
        reload(pbx, true)?;
        works(pbx, "three")?;
        // Without the file there are no PIN sets.
        pbx.exec(&["rm", super::CONF])?;
        reload(pbx, true)?;
        is_broken(pbx, "one")?;
        let call = harness::Call::new("1234").keys("1234#");
        becomes(pbx, &call, &passed()).map(drop)
    });
}

#[test]
fn unknown_pin_sets_are_refused() {
    on(lists(with(GOOD)), |pbx| {
        let rows: Vec<_> = ["no-such-set", "", "general", "g", "goodd", "good/x", "*"]
            .iter()
            .map(|name| {
                row(
                    &format!("{name:?}"),
                    call(name, "1234# 1234# 1234#"),
                    broken(),
                )
            })
            .collect();
        all_become(pbx, &rows)?;
        is_logged(pbx, &["no-such-set"])?;
        works(pbx, "good")?;
        works(pbx, "GOOD")
    });
}
