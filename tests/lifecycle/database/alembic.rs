//! The revisions of `packaging/alembic`, by Alembic.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use harness::{workspace, Postgres};

/// Everything that the tables consist of.
const TABLES: &str = "\
SELECT table_name, column_name, data_type, is_nullable, column_default, generation_expression \
FROM information_schema.columns WHERE table_name LIKE 'pinset\\_%' \
AND table_name <> 'pinset_alembic_version' \
ORDER BY 1, ordinal_position; \
SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'pinset\\_%' \
AND tablename <> 'pinset_alembic_version' ORDER BY 1; \
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint \
WHERE conrelid = 'pinset_pins'::regclass ORDER BY 1; \
SELECT relname, reloptions FROM pg_class WHERE relname LIKE 'pinset\\_%' AND relkind = 'r' \
AND relname <> 'pinset_alembic_version' ORDER BY 1; \
SELECT proname, md5(prosrc) FROM pg_proc WHERE proname LIKE 'pinset\\_%' ORDER BY 1; \
SELECT typname FROM pg_type WHERE typname LIKE 'pinset\\_failures'; TABLE pinset_schema";

/// Runs Alembic in the folder of the configuration.
fn alembic(folder: &Path, arguments: &[&str]) -> Result<String> {
    let packages = std::env::var_os("ALEMBIC")
        .context("ALEMBIC is not set: run make alembic, which prints it")?;
    // Debian's, which has the packages of Debian.
    let output = Command::new("/usr/bin/python3")
        .args(["-m", "alembic", "--config", "pinset.ini"])
        .args(arguments)
        .current_dir(folder)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{arguments:?}: {error}");
    Ok(String::from_utf8(output.stdout)? + &error)
}

fn steps() -> Result<Vec<String>> {
    let folder = workspace().join("crates/pinset/src/database/sql");
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths
        .iter()
        .map(|path| Ok(fs::read_to_string(path)?))
        .collect()
}

#[test]
fn revisions_make_the_tables_of_pinset() -> Result<()> {
    let server = Postgres::start()?;
    let folder = tempfile::tempdir()?;
    let source = workspace().join("packaging/alembic/.");
    let copied = Command::new("cp")
        .args(["--recursive", "--dereference"])
        .args([&source, &folder.path().to_owned()])
        .status()?;
    ensure!(copied.success());
    let sample = fs::read_to_string(folder.path().join("pinset.ini.sample"))?;
    let host = server.folder().display();
    let url = format!("postgresql+psycopg://postgres@/postgres?host={host}");
    let conf = sample.replace("postgresql://user:pass@localhost/pins", &url);
    ensure!(conf.contains(&url), "{sample}");
    fs::write(folder.path().join("pinset.ini"), conf)?;

    alembic(folder.path(), &["upgrade", "head"])?;
    let steps = steps()?;
    let by_alembic = server.sql(TABLES)?;
    server.sql("CREATE DATABASE other")?;
    let all = steps.join(";\n");
    let by_pinset = server.sql(&format!("\\connect other\n{all};\n{TABLES}"))?;
    ensure!(
        by_alembic == by_pinset,
        "{by_alembic}\n--- by pinset\n{by_pinset}"
    );
    let version = server.sql("SELECT max(version) FROM pinset_schema")?;
    ensure!(version == steps.len().to_string(), "{version}");
    let again = alembic(folder.path(), &["upgrade", "head"])?;
    ensure!(!again.contains("Running upgrade"), "{again}");

    alembic(folder.path(), &["downgrade", "base"])?;
    let left = "SELECT (SELECT count(*) FROM pg_tables WHERE tablename LIKE 'pinset%') \
                + (SELECT count(*) FROM pg_proc WHERE proname LIKE 'pinset%') \
                + (SELECT count(*) FROM pg_type WHERE typname = 'pinset_failures')";
    // Alembic's own.
    ensure!(server.sql(left)? == "1");
    alembic(folder.path(), &["upgrade", "head"])?;
    ensure!(server.sql(TABLES)? == by_pinset);
    Ok(())
}
