//! One `pinset console` for two PBXs, of which one stops and comes back.

use anyhow::{ensure, Context, Result};
use harness::{free_port, Call, Console, Outcome, Pbx};
use ureq::Agent;

use crate::support::eventually;

const WEST: &str = "
[doors]
source = file:/pins/doors.csv
identify = caller
lockout_caller = 2/15m/30m
";

const LIST: &str = "account,secret,caller\nada,plain:482913,+905060508169\n";
const CALLER: &str = "+905060508169";
const RIGHT: &str = "482913#";

/// A browser without pages: it keeps the cookie.
struct Session<'a> {
    console: &'a Console,
    agent: Agent,
    cookie: String,
}

impl<'a> Session<'a> {
    fn begin(console: &'a Console) -> Result<Self> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        let mut session = Self {
            console,
            agent: agent.into(),
            cookie: String::new(),
        };
        let form = [("name", Console::ADMIN), ("password", console.password())];
        let answer = session.post("/login", &form)?;
        let cookie = answer.headers().get("set-cookie").context("no cookie")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
        session.cookie = cookie.to_owned();
        Ok(session)
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<ureq::http::Response<ureq::Body>> {
        let request = self.agent.post(self.console.url(path));
        let request = request.header("Cookie", &self.cookie);
        let request = request.header("Sec-Fetch-Site", "same-origin");
        Ok(request.send_form(form.iter().copied())?)
    }

    fn page(&self, path: &str) -> Result<String> {
        let request = self.agent.get(self.console.url(path));
        let mut answer = request.header("Cookie", &self.cookie).call()?;
        let text = answer.body_mut().read_to_string()?;
        ensure!(
            answer.status() == 200,
            "{path}: {}: {text}",
            answer.status()
        );
        Ok(text)
    }

    /// Checks that a page has all these parts.
    fn shows(&self, path: &str, parts: &[&str]) -> Result<()> {
        let text = self.page(path)?;
        for part in parts {
            ensure!(text.contains(part), "{path}: {part}: {text}");
        }
        Ok(())
    }

    /// Locks a caller out on a PBX, sees it on the pages, and unlocks it there.
    fn lock_out_and_unlock(
        &self,
        pbx: &Pbx,
        name: &str,
        pin_set: &str,
        wrong: &[&str],
    ) -> Result<()> {
        let call = |keys| {
            let call = Call::new(format!("pinset:{pin_set}"))
                .caller(CALLER)
                .keys(keys);
            pbx.call(&call)
        };
        self.shows("/locked", &[&format!("{name}: nobody is locked out")])?;
        let mut refused = call(wrong[0])?;
        for keys in &wrong[1..] {
            refused = call(keys)?;
        }
        ensure!(refused.status() == "LOCKED", "{refused:#?}");
        let lockout = format!("name=\"pbx\" value=\"{name}\"");
        self.shows(
            "/locked",
            &[&format!("{name}: lockouts in force: 1"), &lockout],
        )?;
        let cell = format!("<td>{pin_set}</td>");
        self.shows(&format!("/live?pbx={name}"), &[&cell])?;
        self.shows(
            "/callers?q=%2B905060508169",
            &[&format!("{name}: <strong>caller locked out</strong>")],
        )?;
        let fields = [
            ("pbx", name),
            ("kind", "caller"),
            ("value", CALLER),
            ("pin_set", pin_set),
        ];
        let answer = self.post("/locked/unlock", &fields)?;
        let to = answer.headers().get("location").context("not unlocked")?;
        ensure!(to == "/locked?unlocked=1", "{to:?}");
        let admitted = call(RIGHT)?;
        ensure!(admitted.outcome == Outcome::Passed, "{admitted:#?}");
        Ok(())
    }
}

#[test]
fn lockouts_are_ended_on_each_pbx_and_pages_work_without_one() {
    if let Err(error) = both() {
        panic!("{error:#}");
    }
}

fn both() -> Result<()> {
    let west = Pbx::builder()
        .file("authenticate.conf", WEST)
        .pin_file("doors.csv", LIST)
        .in_network_of_host(free_port()?)
        .start()?;
    let console = Console::start_with(&[("west", &west)])?;
    let session = Session::begin(&console)?;
    // Both are connected.
    session.shows("/setup", &["main: connected", "west: connected"])?;
    session.shows(
        "/",
        &["pbx=main&amp;name=customers", "pbx=west&amp;name=doors"],
    )?;
    session.lock_out_and_unlock(console.pbx(), "main", "customers", &["1# 2# 3#", "4# 5#"])?;
    session.lock_out_and_unlock(&west, "west", "doors", &["1# 2#"])?;

    west.stop()?;
    let down = "west does not answer since ";
    eventually("the end of west", || {
        Ok(session.page("/locked")?.contains(down))
    })?;
    session.shows("/", &[down, "pbx=main&amp;name=customers"])?;
    session.shows("/live", &[down, "<td>customers</td>"])?;
    session.shows(
        "/callers?q=%2B905060508169",
        &[down, "main: not locked out"],
    )?;
    session.shows("/setup", &[down, "main: connected"])?;
    let fields = [
        ("pbx", "west"),
        ("kind", "caller"),
        ("value", CALLER),
        ("pin_set", "doors"),
    ];
    let mut answer = session.post("/locked/unlock", &fields)?;
    ensure!(answer.status() == 502, "{answer:?}");
    let text = answer.body_mut().read_to_string()?;
    ensure!(text.contains(down), "{text}");
    session.lock_out_and_unlock(console.pbx(), "main", "customers", &["1# 2# 3#", "4# 5#"])?;

    west.start_again()?;
    eventually("west", || {
        Ok(session
            .page("/locked")?
            .contains("west: nobody is locked out"))
    })
}
