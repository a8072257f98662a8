//! PIN sets of the console: the folders `console_sets` and `console_lists`.

use anyhow::{ensure, Context, Result};
use harness::{Ami, Frame, Pbx};

use super::{becomes, broken, call, is_logged, log_lines, on, passed, reload, shell, with, CONF};
use crate::support::UNLIMITED;

const FOLDER: &str = "/etc/asterisk/authenticate.d";
const LISTS: &str = "/etc/asterisk/pins";

const CUSTOMERS: &str = "; Customers of ours\n[customers]\n\
    source = file:/etc/asterisk/pins/customers.csv\n\
    identify = pin\nmin_digits = 4\nmax_digits = 4\naccount_code = yes\n";

fn write_set(pbx: &Pbx, name: &str, text: &str) -> Result<()> {
    pbx.write_file(&format!("{FOLDER}/{name}.conf"), text)
}

fn write_list(pbx: &Pbx, name: &str, text: &str) -> Result<()> {
    pbx.write_file(&format!("{LISTS}/{name}"), text)
}

/// Has authenticate.conf read by AMI: the errors, each as place, section, option and
/// message.
fn errors(ami: &Ami) -> Result<Vec<String>> {
    let field = |frame: &Frame, name: &str| frame.get(name).unwrap_or_default().to_owned();
    let errors = ami.list("AuthenticateReload", &[])?;
    let error = |error: &std::sync::Arc<Frame>| {
        let [file, line, section, option, message] =
            ["File", "Line", "Section", "Option", "Message"].map(|name| field(error, name));
        format!("{file}:{line} [{section}] {option}: {message}")
    };
    Ok(errors.iter().map(error).collect())
}

/// Without authenticate.conf, and at the next reload, without a restart.
#[test]
fn pin_set_of_the_console_admits_its_callers() {
    on(with(""), |pbx| {
        write_list(pbx, "customers.csv", "account,secret\nada,plain:1234\n")?;
        write_set(pbx, "customers", CUSTOMERS)?;
        let ami = pbx.manager()?;
        let ada = call("customers", "1234").caller("5060508169");
        becomes(pbx, &ada, &super::refused("ERROR").whatever_keyed())?;
        ensure!(errors(&ami)?.is_empty());
        let admitted = passed().account("ada").account_code("ada");
        becomes(pbx, &ada, &admitted)?;
        let options = ami.list("AuthenticatePinset", &[("PinSet", "customers")])?;
        ensure!(options[0].has("Option-max_digits", "4"), "{options:#?}");

        // A change, by the command line; a file that is taken away.
        write_set(pbx, "customers", &CUSTOMERS.replace("= 4", "= 5"))?;
        reload(pbx, true)?;
        becomes(
            pbx,
            &call("customers", "1234# 1234# 1234#"),
            &super::refused("FAILURE"),
        )?;
        shell(
            pbx,
            &format!("rm {FOLDER}/customers.conf /etc/asterisk/authenticate.conf"),
        )?;
        reload(pbx, true)?;
        ensure!(ami.list("AuthenticatePinsets", &[])?.is_empty());
        write_set(pbx, "customers", CUSTOMERS)?;
        pbx.restart()?;
        becomes(pbx, &ada, &admitted).map(drop)
    });
}

#[test]
fn other_options_and_sources_are_errors_of_the_section() {
    on(with(""), |pbx| {
        let ami = pbx.manager()?;
        let source = format!("source = file:{LISTS}/customers.csv\n");
        write_list(pbx, "customers.csv", "account,secret\nada,plain:1234\n")?;
        let only = "not allowed in console_sets, only source, identify, min_digits, max_digits, \
                    account_code: move the section to authenticate.conf";
        let outside = "must be file: and a path below the folder console_lists, without '..'";
        for (options, wanted) in [
            (
                format!("{source}on_success = goto:internal,1091,1\n"),
                format!("3 [x] on_success: {only}"),
            ),
            (
                format!("{source}say_app = System\n"),
                format!("3 [x] say_app: {only}"),
            ),
            (
                format!("{source}prompt = https://h/x.wav\n"),
                format!("3 [x] prompt: {only}"),
            ),
            (
                format!("{source}lockout_caller = no\n"),
                format!("3 [x] lockout_caller: {only}"),
            ),
            (
                format!("{source}pepper_file = /p\n"),
                format!("3 [x] pepper_file: {only}"),
            ),
            (
                format!("{source}account_code = pin\n"),
                "3 [x] account_code: must be yes or no in console_sets".to_owned(),
            ),
            (
                format!("{source}{source}"),
                "3 [x] source: set in line 2 already: remove one of both".to_owned(),
            ),
            (
                format!("{source}max_digit = 4\n"),
                "3 [x] max_digit: there is no such option: did you mean 'max_digits'?".to_owned(),
            ),
            (
                "source = https://127.0.0.1/\n".to_owned(),
                format!("2 [x] source: {outside}"),
            ),
            (
                "source = astdb:PINSETS/1\n".to_owned(),
                format!("2 [x] source: {outside}"),
            ),
            (
                "source = file:/etc/asterisk/manager.conf\n".to_owned(),
                format!("2 [x] source: {outside}"),
            ),
            (
                format!("source = file:{LISTS}/../manager.conf\n"),
                format!("2 [x] source: {outside}"),
            ),
            (
                "identify = pin\n".to_owned(),
                "1 [x] source: missing".to_owned(),
            ),
        ] {
            write_set(pbx, "x", &format!("[x]\n{options}"))?;
            let errors = errors(&ami)?;
            ensure!(
                errors == [format!("{FOLDER}/x.conf:{wanted}")],
                "{errors:#?}"
            );
        }
        // A source in [general] is not theirs.
        let general = format!("[general]\nsource = file:{LISTS}/customers.csv\n{UNLIMITED}");
        pbx.write_file(CONF, general)?;
        ensure!(errors(&ami)? == [format!("{FOLDER}/x.conf:1 [x] source: missing")]);
        Ok(())
    });
}

#[test]
fn asterisk_syntax_beyond_options_is_refused() {
    on(with(""), |pbx| {
        let ami = pbx.manager()?;
        let names = [
            "#exec touch /tmp/done",
            "#include /etc/asterisk/manager.conf",
        ];
        for line in names {
            write_set(pbx, "x", &format!("[x]\n{line}\n"))?;
            let errors = errors(&ami)?;
            let wanted = "2 [] : #include, #exec and the like are not allowed in console_sets";
            ensure!(
                errors == [format!("{FOLDER}/x.conf:{wanted}")],
                "{errors:#?}"
            );
        }
        for (text, wanted) in [
            ("[base](!)\n[x](base)\n", "1 [] : must be [NAME] alone"),
            (
                "[general]\nstock_hide_digits = no\n",
                "1 [] : [general] belongs to",
            ),
            (
                "[x]\n;--\nsource = file:/x\n--;\n",
                "2 [] : comments with ;--",
            ),
        ] {
            write_set(pbx, "x", text)?;
            let errors = errors(&ami)?;
            let start = format!("{FOLDER}/x.conf:{wanted}");
            ensure!(
                errors.len() == 1 && errors[0].starts_with(&start),
                "{errors:#?}"
            );
        }
        shell(pbx, "! ls /tmp/done").map(drop)
    });
}

#[test]
fn links_fifos_and_large_files_are_refused_without_waiting() {
    on(with(""), |pbx| {
        let ami = pbx.manager()?;
        shell(
            pbx,
            &format!(
                "mkdir -p {FOLDER}; cd {FOLDER}; mkfifo a.conf; ln -s ../manager.conf b.conf; \
                 mkdir c.conf; truncate -s 1T d.conf; echo '[e]' >e.conf; chmod 666 e.conf; \
                 echo '[f]' >$'f\\nEvent: Forged.conf'; echo '[g]' >g.txt"
            ),
        )?;
        let errors = errors(&ami)?;
        let wanted = [
            "a.conf: [] : not a regular file",
            "b.conf: [] : a symbolic link, which is not followed in console_sets",
            "c.conf: [] : not a regular file",
            "d.conf: [] : over 16384 bytes",
            "e.conf: [] : world-writable: take the right to write from other users",
            "f?Event??Forged.conf: [] : the name of the file must have only letters, \
             digits, '-', '_' and '.'",
        ];
        let wanted = wanted.map(|error| format!("{FOLDER}/{error}"));
        ensure!(errors == wanted, "{errors:#?}");
        shell(pbx, &format!("chmod o+w {FOLDER}"))?;
        let errors = self::errors(&ami)?;
        let wanted = format!(
            "authenticate.conf: [general] console_sets: '{FOLDER}' is world-writable: take the \
             right to write from other users"
        );
        ensure!(errors == [wanted], "{errors:#?}");
        Ok(())
    });
}

/// At load, an error disables its own section only, and nothing of authenticate.conf.
#[test]
fn section_with_an_error_admits_nobody_and_others_work() {
    let conf = "[staff]\nsource = file:/pins/staff\n";
    on(with(conf).pin_file("staff", "1111\n"), |pbx| {
        write_list(pbx, "customers.csv", "account,secret\nada,plain:1234\n")?;
        let set = |name: &str, more: &str| {
            format!("[{name}]\nsource = file:{LISTS}/customers.csv\n{more}")
        };
        write_set(pbx, "a", &set("right", ""))?;
        write_set(
            pbx,
            "b",
            &format!("{}{}", set("wrong", "attempts = 0\n"), set("fine", "")),
        )?;
        write_set(pbx, "c", "[parted]\n#include x\n")?;
        write_set(pbx, "d", &set("Staff", ""))?;
        write_set(pbx, "e", &set("RIGHT", ""))?;
        pbx.restart()?;
        becomes(pbx, &call("staff", "1111#"), &passed())?;
        for name in ["right", "fine"] {
            becomes(pbx, &call(name, "1234#"), &passed().account("ada"))?;
        }
        for name in ["wrong", "parted"] {
            becomes(pbx, &call(name, "1234#"), &broken())?;
        }
        for (place, text) in [
            ("b.conf:3", "[wrong] attempts: not allowed"),
            ("c.conf:2", "#include, #exec"),
            (
                "d.conf:1",
                "[Staff]: there is another PIN set of this name: rename this one",
            ),
            (
                "e.conf:1",
                "[RIGHT]: there is another PIN set of this name: rename this one",
            ),
        ] {
            is_logged(pbx, &[&format!("{FOLDER}/{place}: "), text])?;
        }
        // A reload is refused as a whole.
        reload(pbx, false)?;
        becomes(pbx, &call("right", "1234#"), &passed()).map(drop)
    });
}

/// Links to the folder are the administrator's; those below it would be the console's.
#[test]
fn pin_file_behind_a_link_is_refused_at_each_call() {
    on(with(""), |pbx| {
        let make = "rm -rf $0; mkdir -p /srv/pins/folder /srv/other; ln -s /srv/pins $0; \
            echo 1111 >/srv/other/secret; echo 1234 >/srv/pins/list; \
            echo 2222 >/srv/pins/folder/secret";
        pbx.exec(&["bash", "-ec", make, LISTS])?;
        write_set(pbx, "x", &format!("[x]\nsource = file:{LISTS}/list\n"))?;
        write_set(
            pbx,
            "y",
            &format!("[y]\nsource = file:{LISTS}/folder/secret\n"),
        )?;
        reload(pbx, true)?;
        let (list, folder) = (call("x", "1234#"), call("y", "2222#"));
        becomes(pbx, &list, &passed())?;
        becomes(pbx, &folder, &passed())?;
        shell(
            pbx,
            "cd /srv/pins; rm -r list folder; ln -s /srv/other/secret list; ln -s ../other folder",
        )?;
        for name in ["x", "y"] {
            becomes(pbx, &call(name, "1111# 1111# 1111#"), &broken())?;
        }
        is_logged(
            pbx,
            &["symbolic links below console_lists are not followed"],
        )?;
        // A PIN set of authenticate.conf follows them.
        let conf = format!("[admins]\nsource = file:{LISTS}/list\n{UNLIMITED}");
        shell(pbx, &format!("rm {FOLDER}/*"))?;
        pbx.write_file(CONF, conf)?;
        reload(pbx, true)?;
        becomes(pbx, &call("admins", "1111#"), &passed()).map(drop)
    });
}

#[test]
fn folders_are_configurable_and_an_invalid_one_reads_none() {
    let conf = "[general]\nconsole_sets = /srv/sets/\nconsole_lists = /srv/pins\n";
    on(with(conf), |pbx| {
        let ami = pbx.manager()?;
        let make = "mkdir -p /srv/pins /srv/sets; echo 1234 >/srv/pins/list; \
            printf '[a]\\nsource = file:/srv/pins/list\\n' >/srv/sets/a.conf";
        shell(pbx, make)?;
        write_set(pbx, "b", "[b]\n#exec x\n")?;
        ensure!(errors(&ami)?.is_empty());
        becomes(pbx, &call("a", "1234#"), &passed())?;
        for (value, pin_sets) in [("", 0), ("no", 0)] {
            pbx.write_file(
                CONF,
                format!("[general]\nconsole_sets = {value}\n{UNLIMITED}"),
            )?;
            pbx.restart()?;
            let ami = pbx.manager()?;
            let sets = ami.list("AuthenticatePinsets", &[])?;
            ensure!(sets.len() == pin_sets, "{value}: {sets:#?}");
        }
        is_logged(
            pbx,
            &["[general] console_sets: must be the path of a folder"],
        )?;
        let logged = log_lines(pbx, &["#exec"])?;
        ensure!(logged.is_empty(), "{logged:#?}");
        Ok(())
    });
}

/// Nobody who can write to the folder can fill the log.
#[test]
fn errors_of_the_console_are_limited() {
    on(with(""), |pbx| {
        let ami = pbx.manager()?;
        for name in ["a", "b"] {
            write_set(pbx, name, &"[x]\nattempts = 0\n".repeat(60))?;
        }
        let errors = errors(&ami)?;
        ensure!((100..130).contains(&errors.len()), "{}", errors.len());
        let last = errors.last().context("no error")?;
        ensure!(
            last.ends_with("too many errors in console_sets: the rest is not read"),
            "{last}"
        );
        Ok(())
    });
}
