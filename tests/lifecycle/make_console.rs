//! `make console`: the console that a person sees, and that nothing is left of it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{ensure, Context, Result};
use harness::{our_module, pinset, Engine};

#[test]
fn console_answers_until_it_is_interrupted_and_leaves_nothing() -> Result<()> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_harness"))
        .arg("console")
        .env("AUTHENTICATE_MODULE", our_module()?)
        .env("PINSET", pinset()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // Its end would end the program, too.
    let _input = program.stdin.take();
    let printed = BufReader::new(program.stdout.take().context("no output")?);
    let mut lines = printed.lines().map_while(Result::ok);
    let mut value = |name: &str| {
        let found = lines.find_map(|line| Some(line.trim().strip_prefix(name)?.trim().to_owned()));
        found.with_context(|| format!("no {name}"))
    };
    let url = value("URL")?;
    let (user, password) = (value("user")?, value("password")?);
    let form = [
        ("name", user.as_str()),
        ("password", &password),
        ("next", "/live"),
    ];
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .build()
        .into();
    let answer = agent.post(format!("{url}login")).send_form(form)?;
    ensure!(answer.status() == 303, "{}", answer.status());
    let cookie = answer.headers().get("set-cookie").context("no cookie")?;
    let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
    let live = agent
        .get(format!("{url}live"))
        .header("Cookie", cookie)
        .call()?;
    let live = live.into_body().read_to_string()?;
    ensure!(live.contains("caller locked"), "no sample calls: {live}");

    let id = program.id();
    let interrupted = Command::new("kill")
        .args(["-INT", &id.to_string()])
        .status()?;
    ensure!(interrupted.success(), "kill: {interrupted}");
    let ended = program.wait()?;
    ensure!(ended.code() == Some(130), "{ended}");
    ensure!(agent.get(&url).call().is_err(), "the console still answers");
    let prefix = format!("authenticate-harness-{id}-");
    let containers = Engine::find()?.output(["ps", "--all", "--format", "{{.Names}}"])?;
    let containers = String::from_utf8_lossy(&containers);
    ensure!(!containers.contains(&prefix), "{containers}");
    for entry in fs::read_dir(env::temp_dir())? {
        let name = entry?.file_name();
        ensure!(!name.to_string_lossy().starts_with(&prefix), "{name:?}");
    }
    Ok(())
}
