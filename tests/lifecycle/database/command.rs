//! `pinset database`, and two roles: an owner of the tables and the PBXs'.

use anyhow::{ensure, Result};
use harness::{Builder, Module, Pbx, Postgres};

use super::{add, asterisk, is, KEY};
use crate::pin_sets::made::hex;
use crate::pin_sets::on;
use crate::unprivileged::install_pinset;

/// Runs `pinset database`, as the owner of the tables: the exit code and the output.
fn pinset(pbx: &Pbx, arguments: &str) -> Result<(Option<i32>, String)> {
    let script = format!("pinset database {arguments} 2>&1");
    let output = pbx.exec_command(&["bash", "-c", &script]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.code(), text))
}

fn prints(pbx: &Pbx, arguments: &str, code: i32, parts: &[&str]) -> Result<()> {
    let (found, text) = pinset(pbx, arguments)?;
    let all = parts.iter().all(|part| text.contains(part));
    ensure!(found == Some(code) && all, "{arguments}: {found:?} {text}");
    Ok(())
}

/// An Asterisk whose role owns nothing, and the owner's connection string.
fn with_roles(server: &Postgres) -> Builder {
    let (owner, pbx) = (
        server.connection_string(),
        "host=/database user=pbx dbname=postgres",
    );
    asterisk(server)
        .module(Module::Ours)
        .pin_file_of_mode("owner", owner, 0o600)
        .pin_file_of_mode("database", pbx, 0o600)
        .pin_file_of_mode("other", format!("k2:{}\n", hex(&KEY)), 0o600)
}

#[test]
fn tables_are_made_granted_and_checked() -> Result<()> {
    const OWNER: &str = "--database /pins/owner";
    const PBX: &str = "--database /pins/database";
    let server = Postgres::start()?;
    server.sql("CREATE ROLE pbx LOGIN")?;
    on(with_roles(&server), |pbx| {
        install_pinset(pbx)?;
        let check = |of: &str| format!("check {of}");
        prints(
            pbx,
            &check(OWNER),
            1,
            &["there are no tables", "pinset database init"],
        )?;
        prints(
            pbx,
            &format!("upgrade {OWNER}"),
            3,
            &["pinset database init"],
        )?;
        prints(pbx, &format!("init {PBX}"), 3, &["permission denied"])?;
        prints(
            pbx,
            &format!("init {OWNER}"),
            0,
            &["the tables were created, version 2"],
        )?;
        prints(
            pbx,
            &format!("init {OWNER}"),
            0,
            &["there are tables already"],
        )?;
        add(&server, "customers", "ada", "1234", "max_uses=2")?;

        // The role of the PBXs may do nothing yet.
        is(pbx, "customers", "1234", "ERROR")?;
        prints(pbx, &check(PBX), 3, &["permission denied"])?;
        prints(pbx, &format!("init {OWNER} --grant pbx"), 0, &["already"])?;
        prints(
            pbx,
            &check(PBX),
            0,
            &["PIN set customers: 1 rows, 0 of them argon2id"],
        )?;
        crate::support::eventually("admitted", || {
            Ok(super::verify(pbx, "customers", "1234")?.has("Status", "SUCCESS"))
        })?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        is(pbx, "customers", "1234", "EXPIRED")?;

        let with_keys = format!("check {PBX} --pepper /pins/pepper");
        prints(pbx, &with_keys, 0, &["tables of version 2"])?;
        let without = format!("check {PBX} --pepper /pins/other");
        prints(
            pbx,
            &without,
            1,
            &["PIN set customers: 1 rows have key k1, which the pepper file lacks; the first is id 1"],
        )?;
        server.sql("REVOKE UPDATE (uses) ON pinset_pins FROM pbx")?;
        prints(pbx, &check(PBX), 1, &["--grant pbx"])?;
        server.sql("ALTER TABLE pinset_pins RENAME COLUMN level TO rank")?;
        prints(pbx, &check(OWNER), 1, &["column \"level\" does not exist"])?;
        server.sql("UPDATE pinset_schema SET version = 4")?;
        prints(pbx, &check(OWNER), 1, &["version 4, which is newer"])?;
        prints(
            pbx,
            &format!("upgrade {OWNER}"),
            3,
            &["version 4, which is newer"],
        )
    });
    Ok(())
}

#[test]
fn connection_string_of_others_is_refused() -> Result<()> {
    let server = Postgres::start()?;
    on(with_roles(&server), |pbx| {
        install_pinset(pbx)?;
        pbx.exec(&["chmod", "644", "/pins/owner"])?;
        prints(
            pbx,
            "init --database /pins/owner",
            3,
            &["others have rights", "chmod o="],
        )?;
        pbx.write_file("/pins/broken", "host=/database passw0rd")?;
        pbx.exec(&["chmod", "600", "/pins/broken"])?;
        let (code, text) = pinset(pbx, "check --database /pins/broken")?;
        ensure!(
            code == Some(3) && text.contains("no connection string"),
            "{text}"
        );
        ensure!(!text.contains("passw0rd"), "{text}");
        prints(pbx, "check --database /pins/none", 3, &["/pins/none: "])
    });
    Ok(())
}
