//! The examples of the documentation, copied out of each page and run in its order.
//!
//! `tests/compliance/documents.rs` checks that each example has a kind known here.

use std::fs;
use std::process::Stdio;

use anyhow::{ensure, Context, Result};
use harness::{documents, examples, workspace, Example, Pbx};

use crate::module::OURS;
use crate::support::on;
use crate::unprivileged::install_pinset;

const SETTINGS: &str = "/etc/asterisk/authenticate.conf";
const DIALPLAN: &str = "/etc/asterisk/extensions.conf";
const LOGGER: &str = "/etc/asterisk/logger.conf";

/// Removes what the examples of the page before have created, and creates what
/// examples refer to.
const PREPARE: &str = "
rm -rf /etc/asterisk/pins /etc/asterisk/pepper /tmp/folder
mkdir -p /etc/asterisk/pins /etc/pinset/audio /var/lib/pinset
echo pbx:correct-horse > /etc/pinset/pbx.secret
echo admin:battery-staple > /etc/pinset/logs.secret
printf '836490\\n' > /etc/asterisk/pins.txt
printf 'account,secret,caller\\nada,plain:1234,+905060508169\\n' > /etc/pinset/customers.csv
chmod 640 /etc/pinset/*.secret
pinset pepper new --group asterisk /etc/asterisk/pepper
";

/// Before each example: a CLI command that Asterisk does not know fails, and each
/// `pinset` command reads the next of the PINs that a person would enter.
const SHELL: &str = r#"
set -eo pipefail
asterisk() {
    # What it prints where there is no network card.
    answer=$(command asterisk "$@" | sed '/^No ethernet interface/d')
    printf '%s\n' "$answer"
    case $answer in *"No such command"* | *"Unable to"* | *"reload failure"*) return 1 ;; esac
}
pinset() {
    if [ -z "$PINS" ]; then command pinset "$@"; return; fi
    pin=${PINS%% *}
    PINS=${PINS#* }
    command pinset "$@" <<< "$pin"
}
cd "$(cat /tmp/folder 2> /dev/null || echo /root)"
trap 'pwd > /tmp/folder' EXIT
"#;

/// Runs a script as a person at a shell would; returns what it printed.
fn shell(pbx: &Pbx, script: &str, pins: &[String]) -> Result<String> {
    // A space after each, so that the last one is parsed like the others.
    let pins: String = pins.iter().map(|pin| format!("{pin} ")).collect();
    let script = format!("PINS='{pins}'\n{SHELL}{script}");
    let mut command = pbx.exec_command(&["bash", "-c", &script]);
    let output = command.stdin(Stdio::null()).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{script}\n{printed}{errors}");
    Ok(printed)
}

/// Whether a line is printed as documented; `…` is any text.
fn is_line(documented: &str, printed: &str) -> bool {
    let mut rest = printed;
    let mut parts = documented.split('…');
    if let Some(first) = parts.next() {
        let Some(behind) = rest.strip_prefix(first) else {
            return false;
        };
        rest = behind;
    }
    let mut is_open = false;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        is_open = part.is_empty();
    }
    is_open || rest.is_empty()
}

/// `$ COMMAND` and what it prints, without the questions at a terminal.
fn console(pbx: &Pbx, example: &Example) -> Result<()> {
    for part in example.text.split("$ ").skip(1) {
        let (command, documented) = part.split_once('\n').unwrap_or((part, ""));
        let printed = shell(pbx, command, &example.pins)?;
        let documented: Vec<&str> = documented
            .lines()
            .filter(|line| !line.starts_with("PIN:") && !line.starts_with("Repeat the PIN"))
            .collect();
        let printed: Vec<&str> = printed.lines().collect();
        let same = documented.len() == printed.len()
            && documented
                .iter()
                .zip(&printed)
                .all(|(documented, printed)| is_line(documented, printed));
        ensure!(same, "documented: {documented:#?}, printed: {printed:#?}");
    }
    Ok(())
}

/// Creates a file that an option names, if there is none.
fn put_file_of_option(pbx: &Pbx, line: &str) -> Result<()> {
    let path = |text: &str| text.split([' ', ';']).next().unwrap_or_default().to_owned();
    let script = if let Some((_, file)) = line.split_once("= file:") {
        let file = path(file);
        format!("[ -e {file} ] || cp /etc/pinset/customers.csv {file}; chmod o-w {file}")
    } else if let Some((_, file)) = line.split_once("basic:") {
        let file = path(file);
        format!("[ -e {file} ] || cp -p /etc/pinset/pbx.secret {file}")
    } else if let Some((_, file)) = line.split_once("pepper_file = ") {
        let file = path(file);
        format!("[ -e {file} ] || pinset pepper new --group asterisk {file}")
    } else {
        return Ok(());
    };
    shell(pbx, &script, &[]).map(drop)
}

/// Lines of Asterisk's log, since it was this long, that complain.
fn complaints(pbx: &Pbx, before: usize) -> Result<Vec<String>> {
    let log = pbx.log()?;
    let complains = |line: &&str| line.contains("WARNING[") || line.contains("ERROR[");
    let lines = log.get(before..).unwrap_or_default().lines();
    Ok(lines.filter(complains).map(str::to_owned).collect())
}

/// Options without a section continue the example before them.
fn settings(pbx: &Pbx, text: &str, previous: &mut String) -> Result<()> {
    if text.starts_with('[') {
        previous.clear();
    }
    previous.push_str(text);
    for line in text.lines() {
        put_file_of_option(pbx, line)?;
    }
    pbx.write_file(SETTINGS, &*previous)?;
    let before = pbx.log()?.len();
    let answer = pbx.cli(&format!("module reload {OURS}"))?;
    ensure!(answer.contains("reloaded successfully"), "{answer}");
    let complaints = complaints(pbx, before)?;
    ensure!(complaints.is_empty(), "{complaints:#?}");
    Ok(())
}

/// The applications and functions that Asterisk's documentation has, as elements.
fn documented_names(pbx: &Pbx) -> Result<String> {
    pbx.exec(&[
        "sh",
        "-c",
        "cat /usr/share/asterisk/documentation/*.xml /usr/share/asterisk/documentation/*/*.xml \
         | grep -oE '<(application|function) name=\"[A-Za-z_0-9]+\"'",
    ])
}

/// Whether all steps of a dialplan are loaded, and their applications are known.
fn dialplan(pbx: &Pbx, text: &str, rest: &str, names: &str) -> Result<()> {
    let mut text = text.to_owned();
    if !text.starts_with('[') {
        let begin = text.trim_start();
        let first = if begin.starts_with("same") {
            "exten => s,1,NoOp()\n"
        } else {
            ""
        };
        text = format!("[example]\n{first}{text}");
    }
    let contexts = text.lines().filter_map(|line| line.strip_prefix('['));
    let contexts: Vec<&str> = contexts.filter_map(|line| line.split(']').next()).collect();
    let is_step = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("exten =") || line.starts_with("same =")
    };
    let steps: Vec<&str> = text.lines().filter(is_step).collect();
    pbx.write_file(DIALPLAN, format!("{rest}\n{text}"))?;
    let before = pbx.log()?.len();
    pbx.cli("dialplan reload")?;
    let complaints = complaints(pbx, before)?;
    ensure!(complaints.is_empty(), "{complaints:#?}");
    let mut loaded = 0;
    for context in contexts {
        let shown = pbx.cli(&format!("dialplan show {context}"))?;
        // `-= 1 extension (4 priorities) in 1 context. =-`
        let (_, behind) = shown.rsplit_once('(').with_context(|| shown.clone())?;
        let count = behind.split(' ').next().unwrap_or_default();
        loaded += count.parse::<usize>().with_context(|| shown.clone())?;
    }
    ensure!(loaded == steps.len(), "{loaded} of {} steps", steps.len());
    for step in steps {
        let (_, call) = step.split_once(',').context("a step has commas")?;
        let call = if step.trim_start().starts_with("exten") {
            call.split_once(',').context("a step has an application")?.1
        } else {
            call
        };
        let name = call.split('(').next().unwrap_or(call).trim();
        let known = names
            .to_lowercase()
            .contains(&format!("<application name=\"{}\"", name.to_lowercase()));
        ensure!(known, "no application {name:?}: {step}");
        for function in step.split("${").skip(1) {
            let end =
                function.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let (name, behind) = function.split_at(end.unwrap_or(function.len()));
            let known = names.contains(&format!("<function name=\"{name}\""));
            ensure!(
                !behind.starts_with('(') || known,
                "no function {name}: {step}"
            );
        }
    }
    Ok(())
}

/// `noload` and `load` lines name modules that exist.
fn modules(text: &str) -> Result<()> {
    for line in text.lines() {
        let (word, module) = line.split_once(" = ").context("no option")?;
        let module = module.split(' ').next().unwrap_or_default();
        ensure!(["load", "noload"].contains(&word), "{line}");
        let exists = ["app_authenticate.so", "app_authenticate_rs.so"].contains(&module);
        ensure!(exists, "{line}");
    }
    Ok(())
}

/// Each file of an example is a channel of Asterisk's logger.
fn logger(pbx: &Pbx, text: &str, rest: &str) -> Result<()> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('[')).collect();
    pbx.write_file(LOGGER, format!("{rest}\n{}\n", lines.join("\n")))?;
    pbx.cli("logger reload")?;
    let shown = pbx.cli("logger show channels")?;
    for line in lines {
        let (file, _) = line.split_once(" => ").context("no file")?;
        let channel = shown.lines().find(|shown| shown.contains(file));
        let channel = channel.with_context(|| format!("{file}: {shown}"))?;
        ensure!(channel.contains("AUTHENTICATE"), "{channel}");
    }
    Ok(())
}

/// Adds AMI users, and checks that Asterisk shows their classes.
fn manager(pbx: &Pbx, text: &str) -> Result<()> {
    let conf = "/etc/asterisk/manager.conf";
    let before = pbx.exec(&["cat", conf])?;
    pbx.write_file(conf, format!("{before}\n{text}"))?;
    pbx.cli("manager reload")?;
    let (_, rest) = text.split_once('[').context("no user")?;
    let (user, lines) = rest.split_once(']').context("no user")?;
    let shown = pbx.cli(&format!("manager show user {user}"))?;
    for line in lines.lines() {
        if let Some((name @ ("read" | "write"), class)) = line.split_once(" = ") {
            let row = shown
                .lines()
                .find(|row| row.contains(&format!("{name} perm")));
            ensure!(
                row.is_some_and(|row| row.contains(class)),
                "{line}: {shown}"
            );
        }
    }
    pbx.write_file(conf, before)?;
    pbx.cli("manager reload").map(drop)
}

/// The state of an Asterisk that runs examples.
struct Runner<'a> {
    pbx: &'a Pbx,
    /// The dialplan and the logger's files that the harness needs.
    dialplan: String,
    logger: String,
    names: String,
    settings: String,
}

impl<'a> Runner<'a> {
    fn new(pbx: &'a Pbx) -> Result<Self> {
        install_pinset(pbx)?;
        Ok(Self {
            pbx,
            dialplan: pbx.exec(&["cat", DIALPLAN])?,
            logger: pbx.exec(&["cat", LOGGER])?,
            names: documented_names(pbx)?,
            settings: String::new(),
        })
    }

    fn run(&mut self, example: &Example) -> Result<()> {
        let (pbx, text) = (self.pbx, example.text.as_str());
        if example.no_run {
            return Ok(());
        }
        match example.kind.as_str() {
            "sh" => shell(pbx, text, &example.pins).map(drop),
            "console" => console(pbx, example),
            "ini authenticate.conf" => settings(pbx, text, &mut self.settings),
            "ini extensions.conf" => dialplan(pbx, text, &self.dialplan, &self.names),
            "ini modules.conf" => modules(text),
            "ini logger.conf" => logger(pbx, text, &self.logger),
            "ini manager.conf" => manager(pbx, text),
            "toml serve.toml" => {
                pbx.write_file("/etc/pinset/serve.toml", text)?;
                let check = "pinset serve --config /etc/pinset/serve.toml --check";
                shell(pbx, check, &[]).map(drop)
            }
            "csv" => {
                pbx.write_file("/tmp/example.csv", text)?;
                let check = "pinset check --country-code 90 /tmp/example.csv || [ $? = 1 ]";
                shell(pbx, check, &[]).map(drop)
            }
            "json" => {
                let value: Result<serde_json::Value, _> = serde_json::from_str(text);
                value.map(drop).context("no JSON")
            }
            "text" => self.commands(text),
            "crontab" | "logrotate" | "mermaid" | "sql" => Ok(()),
            kind => anyhow::bail!("unknown kind of example: {kind:?}"),
        }
    }

    /// Checks that Asterisk knows the commands after its prompt.
    fn commands(&self, text: &str) -> Result<()> {
        for command in text.lines().filter_map(|line| line.strip_prefix("*CLI> ")) {
            let answer = self.pbx.cli(command)?;
            ensure!(!answer.contains("No such command"), "{command}: {answer}");
        }
        Ok(())
    }
}

#[test]
fn documented_examples_run() {
    on(Pbx::builder().unprivileged(), |pbx| {
        let mut runner = Runner::new(pbx)?;
        let mut pages = vec!["README.md".to_owned()];
        pages.extend(documents()?);
        let mut errors = Vec::new();
        for page in pages {
            shell(
                pbx,
                "rm -rf /etc/asterisk/pins /etc/asterisk/pepper /tmp/folder",
                &[],
            )?;
            pbx.exec(&["sh", "-c", PREPARE])?;
            pbx.write_file(SETTINGS, "")?;
            pbx.cli(&format!("module reload {OURS}"))?;
            for example in examples(&fs::read_to_string(workspace().join(&page))?)? {
                if let Err(error) = runner.run(&example) {
                    errors.push(format!("{page}:{}: {error:#}", example.line));
                }
            }
        }
        ensure!(errors.is_empty(), "{}", errors.join("\n\n"));
        Ok(())
    });
}

#[test]
fn broken_examples_fail() {
    on(Pbx::builder().unprivileged(), |pbx| {
        let mut runner = Runner::new(pbx)?;
        pbx.exec(&["sh", "-c", PREPARE])?;
        for broken in [
            "```sh\nasterisk -rx 'authenticate shew pinsets'\n```\n",
            "```sh\npinset chek /etc/asterisk/pins.txt\n```\n",
            "```console pins=1234\n$ pinset hash --plain\nplain:1235\n```\n",
            "```ini authenticate.conf\n[a]\nsource = file:/etc/asterisk/pins/customers.csv\nattemps = 3\n```\n",
            "```ini extensions.conf\nexten => 600,1,Authentikate(pinset:a)\n```\n",
            "```ini extensions.conf\nexten => 600,1,Set(A=${AUTHENTICATE_VERFY(a,B)})\n```\n",
            "```ini extensions.conf\nexten => 600,one,NoOp()\n```\n",
            "```ini modules.conf\nload = app_authenticate-rs.so\n```\n",
            "```ini logger.conf\nauthenticate.log => AUTENTICATE\n```\n",
            "```toml serve.toml\nlisten = 5000\n```\n",
            "```csv\naccount;secret\nada;plain:1234\n```\n",
            "```json\n{\"version\": 1,}\n```\n",
            "```text\n*CLI> authenticate show pinset-s\n```\n",
            "```\nmake\n```\n",
        ] {
            let example = examples(broken)?;
            ensure!(runner.run(&example[0]).is_err(), "not found: {broken}");
        }
        Ok(())
    });
}

#[test]
fn documented_line_matches_with_gaps() {
    assert!(is_line("a…c", "abc"));
    assert!(is_line("hmac-sha256:k…:…", "hmac-sha256:k12:34"));
    assert!(is_line("a", "a"));
    assert!(!is_line("a", "ab"));
    assert!(!is_line("a…c", "abcd"));
    assert!(!is_line("a…c", "b"));
}
