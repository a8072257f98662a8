//! The steps of `docs/cluster.md`, one after the other, on two PBXs.

use anyhow::{ensure, Context, Result};
use harness::{examples, workspace, Example, Module, Pbx, Postgres};

use super::is;
use crate::pin_sets::reload;
use crate::support::on;
use crate::unprivileged::install_pinset;

const HOST: &str = "host=db.example.com";

/// The examples between two headings of the page.
fn part(from: &str, to: &str) -> Result<Vec<Example>> {
    let page = std::fs::read_to_string(workspace().join("docs/cluster.md"))?;
    let (_, part) = page.split_once(&format!("\n{from}\n")).context("begin")?;
    let (part, _) = part.split_once(&format!("\n{to}\n")).context("end")?;
    examples(part)
}

/// Runs commands, of which one asks for a PIN.
fn run(pbx: &Pbx, text: &str) -> Result<String> {
    let text = text.trim_end().replace(HOST, "host=/database");
    pbx.exec(&[
        "bash",
        "-ec",
        &format!("cd /root; echo 482913 | {{ {text}\n }}"),
    ])
}

/// Does the steps of a PBX and of the database. Another PBX shares the pepper file that the
/// first has made.
fn follow(pbx: &Pbx, server: &Postgres, first: Option<&Pbx>) -> Result<()> {
    install_pinset(pbx)?;
    for (at, step) in part("## Set up", "### With Alembic")?.iter().enumerate() {
        let text = step.text.as_str();
        match (step.kind.as_str(), first) {
            ("ini authenticate.conf", _) => {
                pbx.write_file("/etc/asterisk/authenticate.conf", text)?;
                reload(pbx, true)?;
            }
            ("sh", Some(first)) if text.contains("pepper new") => {
                let pepper = first.exec(&["cat", "/etc/asterisk/pepper"])?;
                let copy = format!(
                    "install -m 640 -o root -g asterisk /dev/stdin /etc/asterisk/pepper <<< '{pepper}'"
                );
                pbx.exec(&["bash", "-ec", &copy])?;
                let others = text.lines().filter(|line| !line.contains("pepper new"));
                run(pbx, &others.collect::<Vec<_>>().join("\n"))?;
            }
            // The database is made once.
            (_, Some(_)) => {}
            ("sh", None) => {
                run(pbx, text)?;
            }
            ("sql", None) => {
                // The first step is the administrator's, in no database yet.
                let database = if at == 0 { "postgres" } else { "pins" };
                server.sql(&format!("\\connect {database}\n{text}"))?;
            }
            (kind, None) => anyhow::bail!("{kind}: {text}"),
        }
    }
    Ok(())
}

#[test]
fn documented_steps_admit_a_call_on_two_pbxs() -> Result<()> {
    let server = Postgres::start()?;
    let pbx = || {
        Pbx::builder()
            .module(Module::Ours)
            .unprivileged()
            .database(&server)
    };
    on(pbx(), |one| {
        follow(one, &server, None)?;
        let other = pbx().start()?;
        follow(&other, &server, Some(one))?;
        // It has one use.
        is(&other, "customers", "482913", "SUCCESS")?;
        is(one, "customers", "482913", "EXPIRED")?;
        one.write_file("/root/customers.csv", "account,secret\neve,plain:660042\n")?;
        one.write_file("/root/million.csv", "account,pin\nc1,550718\n")?;
        for commands in part("## Rows", "## If the database fails")? {
            run(one, &commands.text)?;
        }
        is(one, "customers", "482913", "FAILURE")?;
        is(one, "customers", "660042", "SUCCESS")?;
        let copy = one.exec(&["wc", "-l", "/root/copy.csv"])?;
        ensure!(copy.starts_with("502 "), "{copy}");
        let shown = one.cli("authenticate show database")?;
        for part in ["Reached: yes", " of 4\n", "Failed queries: 0"] {
            ensure!(shown.contains(part), "{shown}");
        }
        Ok(())
    });
    Ok(())
}
