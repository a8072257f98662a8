//! Documents agree with the table, and their examples can be tested.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use harness::{documents, examples, workspace};
use serde_json::Value;

use crate::table;

fn document(path: &str) -> Result<String> {
    fs::read_to_string(workspace().join(path)).with_context(|| path.to_owned())
}

#[test]
fn marked_differences_are_documented() -> Result<()> {
    let text = document("docs/compatibility.md")?;
    for row in table::rows() {
        if let Some((mark, _)) = row.mark {
            let there = text.contains(&format!("\n| {mark} |"))
                || text.contains(&format!("\n| `{mark}` |"));
            assert!(
                there,
                "{}: {mark} is not in docs/compatibility.md",
                row.name
            );
        }
    }
    Ok(())
}

/// Who goes on after a failure and does not look lets everybody in.
#[test]
fn examples_of_option_c_check_the_status() -> Result<()> {
    let mut paths = vec![
        "README.md".to_owned(),
        "packaging/documentation/app_authenticate_rs-en_US.xml".to_owned(),
    ];
    paths.extend(documents()?);
    let mut uses = 0;
    for path in &paths {
        let text = document(path)?;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if carries_on(line) {
                uses += 1;
                let next = lines.next().unwrap_or_default();
                assert!(next.contains("${AUTHENTICATESTATUS}"), "{path}: {line}");
            }
        }
    }
    assert!(uses > 0, "no example of c");
    Ok(())
}

/// Whether this is a step of a dialplan that uses option `c`.
fn carries_on(line: &str) -> bool {
    let step = line.trim_start();
    (step.starts_with("exten") || step.starts_with("same"))
        && step
            .split_once("Authenticate(")
            .and_then(|(_, arguments)| arguments.split([',', ')']).nth(1))
            .is_some_and(|options| options.contains('c'))
}

#[test]
fn option_c_in_an_example_is_recognized() {
    assert!(carries_on(" same => n,Authenticate(/pin,dc)"));
    assert!(carries_on("exten => s,1,Authenticate(/pin,cd,4,beep)"));
    assert!(!carries_on(" same => n,Authenticate(/pin,d,4,c)"));
    assert!(!carries_on(" same => n,Authenticate(/cc)"));
}

/// The kinds of examples that `tests/lifecycle/examples.rs` runs.
const RUN: [&str; 10] = [
    "sh",
    "console",
    "csv",
    "json",
    "ini authenticate.conf",
    "ini extensions.conf",
    "ini logger.conf",
    "ini manager.conf",
    "ini modules.conf",
    "toml serve.toml",
];

/// What other programs read, and what is printed. `tests/lifecycle/database` and `realtime`
/// run SQL.
const SHOWN: [&str; 5] = ["crontab", "logrotate", "mermaid", "sql", "text"];

/// Commands of examples with `no-run`: they need a network, a package manager,
/// systemd, FreePBX, or this repository.
const NOT_IN_A_CONTAINER: [&str; 15] = [
    "apt-get",
    "argon2",
    "cargo",
    "curl",
    "docker",
    "fail2ban-regex",
    "git",
    "install",
    "make",
    "ngrok",
    "systemctl",
    "sub-pincheck'",
    "useradd",
    "$FUZZ",
    "AUTHENTICATE_COMMIT=1a2b3c4d",
];

/// Examples with `no-run` that other tests run: `install/takeover.rs`, `install/switch.rs`,
/// `doctor.rs`, `console_pbxs.rs`, `database/documented.rs`, `database/alembic.rs`,
/// `realtime/uses.rs`, `crates/pinset-cli/tests/report` and `serve`.
const RUN_ELSEWHERE: [&str; 12] = [
    "--database owner.database",
    "alembic -c pinset.ini",
    "module unload app_authenticate",
    "openssl req -x509",
    "pinset asterisk",
    "pinset console",
    "pinset database",
    "pinset doctor",
    "pinset report",
    "pinset serve",
    "source = database",
    "source = realtime:",
];

#[test]
fn every_example_has_a_kind_that_is_tested() -> Result<()> {
    let mut paths = documents()?;
    paths.extend(["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]);
    let mut count = 0;
    for page in paths {
        for example in examples(&document(&page)?).with_context(|| page.clone())? {
            let place = format!("{page}:{}", example.line);
            let kind = example.kind.as_str();
            assert!(
                RUN.contains(&kind) || SHOWN.contains(&kind),
                "{place}: unknown kind of example: {kind:?}"
            );
            let has_reason = example.text.lines().any(|line| {
                let mut words = line.split_whitespace();
                words.any(|word| NOT_IN_A_CONTAINER.contains(&word))
            }) || RUN_ELSEWHERE.iter().any(|text| example.text.contains(text));
            assert!(!example.no_run || has_reason, "{place}: why no-run?");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
    Ok(())
}

#[test]
fn each_alert_has_a_section_a_severity_and_a_unit_test() -> Result<()> {
    let rules = document("packaging/grafana/authenticate.rules.yml")?;
    let tests = document("packaging/grafana/authenticate.rules.test.yml")?;
    let page = document("docs/monitoring.md")?;
    let mut names = BTreeSet::new();
    for alert in rules.split("- alert: ").skip(1) {
        let (name, rule) = alert.split_once('\n').context("no name")?;
        let severity = ["Critical", "Warning"]
            .into_iter()
            .find(|word| rule.contains(&format!("severity: {}}}", word.to_lowercase())));
        let severity = severity.context(name.to_owned())?;
        assert!(
            page.contains(&format!("\n### {name}\n\n{severity}: ")),
            "docs/monitoring.md: {name}"
        );
        let runbook = format!("runbook: \"docs/monitoring.md#{}\"", name.to_lowercase());
        assert!(rule.contains(&runbook), "{name}: {runbook}");
        let fires = format!("alertname: {name}\n");
        assert!(tests.contains(&fires), "no unit test: {name}");
        names.insert(name);
    }
    let sections = page.split("\n## Alerts\n").nth(1).unwrap_or_default();
    assert_eq!(sections.matches("\n### ").count(), names.len());
    Ok(())
}

#[test]
fn dashboard_is_well_formed() -> Result<()> {
    let dashboard = document("packaging/grafana/authenticate.dashboard.json")?;
    let dashboard: Value = serde_json::from_str(&dashboard)?;
    for key in ["title", "uid", "schemaVersion", "description"] {
        assert!(!dashboard[key].is_null(), "{key}");
    }
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        let title = panel["title"].as_str().context("no title")?;
        assert!(ids.insert(panel["id"].as_u64()), "{title}: same id");
        let number = |key: &str| panel["gridPos"][key].as_u64().context(title.to_owned());
        let (left, top) = (number("x")?, number("y")?);
        for x in left..left + number("w")? {
            for y in top..top + number("h")? {
                assert!(
                    x < 24 && cells.insert((x, y)),
                    "{title}: covers another panel"
                );
            }
        }
        if panel["type"] != "row" {
            assert!(panel["description"].is_string(), "{title}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            let targets = panel["targets"].as_array().context("no targets")?;
            assert!(!targets.is_empty(), "{title}");
            let refs: BTreeSet<_> = targets
                .iter()
                .map(|target| target["refId"].as_str())
                .collect();
            assert_eq!(refs.len(), targets.len(), "{title}");
        }
    }
    Ok(())
}
