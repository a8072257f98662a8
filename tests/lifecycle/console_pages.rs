//! `pinset console` as `docs/console.md` sets it up, on a real Asterisk: a locked caller is
//! unlocked on a page, and a pasted list admits callers.

use anyhow::{ensure, Context, Result};
use harness::{Call, Outcome, Pbx, Phone, Report};

use crate::support::{eventually, on};
use crate::unprivileged::install_pinset;

const CONF: &str = "
[doors]
source = file:/etc/asterisk/pins/doors
identify = caller
lockout_caller = 5/15m/30m
";

/// The extension that phones call.
const EXTENSION: &str = "doors";

/// Follows `/live/events` with a cookie, until the console stops.
const FOLLOW: &str = "
exec 3<> /dev/tcp/127.0.0.1/5100
printf 'GET /live/events HTTP/1.1\\r\\nHost: 127.0.0.1:5100\\r\\nCookie: %s\\r\\n\\r\\n' \"$1\" >&3
setsid cat <&3 > /harness/live 2> /dev/null &
until grep -q '^HTTP/1.1 200' /harness/live; do kill -0 $!; done
";

/// Sets the console up as root, and starts it as the user of its unit.
const START: &str = "
useradd --system --user-group pinset
cd /etc/asterisk
mkdir -p manager.d
echo '#include \"manager.d/*.conf\"' >> manager.conf
echo 'correct horse battery' | pinset console init --admin ada
printf 'account,secret,caller\\nada,plain:4711,+4930555\\n' > pins/doors
chmod 644 pins/doors
asterisk -rx 'module reload app_authenticate_rs.so'
mkdir -p /var/lib/pinset
chown pinset: /var/lib/pinset
setsid runuser -u pinset -g pinset -G asterisk -- pinset console --config /etc/pinset/console.toml \\
    < /dev/null > /var/log/asterisk/pinset-console 2>&1 &
until : 2> /dev/null < /dev/tcp/127.0.0.1/5100; do kill -0 $!; done
";

/// Sends a request, whose body is a form, and prints the answer.
const REQUEST: &str = "
exec 3<> /dev/tcp/127.0.0.1/5100
printf '%s %s HTTP/1.1\\r\\nHost: 127.0.0.1:5100\\r\\nConnection: close\\r\\nCookie: %s\\r\\n' \\
    \"$1\" \"$2\" \"$3\" >&3
printf 'Sec-Fetch-Site: same-origin\\r\\nContent-Type: %s\\r\\n' \"$5\" >&3
printf 'Content-Length: %s\\r\\n\\r\\n%s' ${#4} \"$4\" >&3
cat <&3
";

fn request(pbx: &Pbx, method: &str, path: &str, cookie: &str, form: &str) -> Result<String> {
    let kind = match form.starts_with("--") {
        true => "multipart/form-data; boundary=limit",
        false => "application/x-www-form-urlencoded",
    };
    pbx.exec(&[
        "bash", "-ec", REQUEST, "request", method, path, cookie, form, kind,
    ])
}

/// Sets the console up, and returns the cookie of a session.
fn log_in(pbx: &Pbx) -> Result<String> {
    install_pinset(pbx)?;
    pbx.exec(&["bash", "-ec", START])?;
    let form = "name=ada&password=correct+horse+battery";
    let answer = request(pbx, "POST", "/login", "", form)?;
    let cookie = part(&answer, "set-cookie: ", ";")?;
    Ok(cookie.to_owned())
}

/// Returns the part of a text between two others.
fn part<'a>(text: &'a str, before: &str, after: &str) -> Result<&'a str> {
    let found = text.split(before).nth(1);
    let found = found.with_context(|| format!("{before}: {text}"))?;
    Ok(found.split(after).next().unwrap_or_default())
}

/// Five wrong PINs of a SIP phone.
#[test]
fn locked_caller_is_unlocked_on_the_page() {
    let builder = Pbx::builder()
        .file("authenticate.conf", CONF)
        .phone_extension(EXTENSION, "Authenticate(pinset:doors)")
        .pjsip();
    on(builder, |pbx| {
        let cookie = &log_in(pbx)?;
        let page = |path| request(pbx, "GET", path, cookie, "");
        pbx.exec(&["bash", "-ec", FOLLOW, "follow", cookie])?;

        let phone = Phone {
            number: "+4930555".into(),
            ..Phone::default()
        };
        let call = |keys| -> Result<Report> {
            let made = pbx.sip_call_by(&phone, EXTENSION, keys)?;
            Ok(made.report)
        };
        let refused = call("1# 2# 3#")?;
        ensure!(refused.status() == "FAILURE", "{refused:#?}");
        let refused = call("4# 5#")?;
        ensure!(refused.status() == "LOCKED", "{refused:#?}");
        // Both calls come to the open page, in their order.
        let live = || pbx.exec(&["cat", "/harness/live"]);
        eventually("both calls on /live", || {
            let live = live()?;
            let rows: Vec<&str> = live.split("<td>doors</td>").collect();
            Ok(rows.len() > 2 && live.contains("caller locked: "))
        })?;
        let live = live()?;
        let locked = live.find("caller locked: ").unwrap_or_default();
        let first = live.find("+4930555").context(live.clone())?;
        ensure!(first < locked, "{live}");
        let locked = page("/locked")?;
        for part in [
            "lockouts in force: 1",
            "value=\"+4930555\"",
            "<td>30 min</td>",
        ] {
            ensure!(locked.contains(part), "{part}: {locked}");
        }
        let live = page("/live")?;
        ensure!(live.contains("<td>doors</td>"), "{live}");
        let form = "pbx=main&kind=caller&value=%2B4930555&pin_set=doors";
        let answer = request(pbx, "POST", "/locked/unlock", cookie, form)?;
        ensure!(answer.contains("location: /locked?unlocked=1"), "{answer}");
        let admitted = call("4711#")?;
        ensure!(admitted.status() == "SUCCESS", "{admitted:#?}");

        let page = page("/pin-set?pbx=main&name=doors")?;
        ensure!(page.contains("<code>lockout_caller</code>"), "{page}");
        pbx.exec(&[
            "sh",
            "-c",
            "echo 'identify = nobody' >> /etc/asterisk/authenticate.conf",
        ])?;
        let answer = request(pbx, "POST", "/reload", cookie, "pbx=main")?;
        for part in [" 422 ", "stays in force. Errors: 1", "<td>identify</td>"] {
            ensure!(answer.contains(part), "{part}: {answer}");
        }
        Ok(())
    });
}

#[test]
fn pasted_list_admits_callers_without_a_reload() {
    let conf = "[customers]\nsource = file:/etc/asterisk/pins/customers.csv\nidentify = pin\n\
                lockout_caller = no\n";
    let builder = Pbx::builder().file("authenticate.conf", conf);
    on(builder, |pbx| {
        let cookie = &log_in(pbx)?;
        let file = "/etc/asterisk/pins/customers.csv";
        let create = [
            "install",
            "-o",
            "pinset",
            "-g",
            "asterisk",
            "-m",
            "0644",
            "/dev/null",
            file,
        ];
        pbx.exec(&create)?;
        let call = |pin: u32| {
            pbx.call(&Call::new("pinset:customers").keys(&format!("{pin}# {pin}# {pin}#")))
        };
        let refused = call(700_123)?;
        ensure!(refused.outcome != Outcome::Passed, "{refused:#?}");

        let list: String = (700_000..700_400).map(|pin| format!("{pin}\r\n")).collect();
        let mut form = String::new();
        for (name, value) in [("text", list.as_str()), ("format", "auto")] {
            form += "--limit\r\nContent-Disposition: form-data; name=\"";
            form += &format!("{name}\"\r\n\r\n{value}\r\n");
        }
        form += "--limit--\r\n";
        let paste = "/pin-file/paste?name=customers.csv";
        let answer = request(pbx, "POST", paste, cookie, &form)?;
        let preview = part(&answer, "location: ", "\r")?;
        let preview = request(pbx, "GET", preview, cookie, "")?;
        ensure!(preview.contains("Add the new rows: 400"), "{preview}");
        let (id, tag) = (
            part(&preview, "name=\"id\" value=\"", "\"")?,
            part(&preview, "name=\"tag\" value=\"", "\"")?,
        );
        let save = format!("id={id}&tag={tag}&form=md5");
        let answer = request(pbx, "POST", "/pin-file/paste/add", cookie, &save)?;
        let result = request(pbx, "GET", part(&answer, "location: ", "\r")?, cookie, "")?;
        ensure!(result.contains("Rows added: 400."), "{result}");
        let admitted = call(700_123)?;
        ensure!(admitted.outcome == Outcome::Passed, "{admitted:#?}");

        let rows = request(pbx, "GET", "/pin-file?name=customers.csv&q=124", cookie, "")?;
        let row = part(&rows, "name=\"row\" value=\"", "\"")?;
        let delete = format!("name=customers.csv&row={row}&action=delete");
        let answer = request(pbx, "POST", "/pin-file/rows", cookie, &delete)?;
        ensure!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        let refused = call(700_123)?;
        ensure!(refused.outcome != Outcome::Passed, "{refused:#?}");
        let other = call(700_124)?;
        ensure!(other.outcome == Outcome::Passed, "{other:#?}");
        Ok(())
    });
}

/// From the form to an admitted call, without an editor.
#[test]
fn pin_set_made_on_the_page_admits_callers() {
    on(Pbx::builder(), |pbx| {
        let cookie = &log_in(pbx)?;
        let make = |name: &str| {
            let form = "description=Ours&identify=pin&digits=4&account_code=yes&pbx=main&name=";
            request(
                pbx,
                "POST",
                "/new-pin-set",
                cookie,
                &format!("{form}{name}"),
            )
        };
        let answer = make("customers")?;
        ensure!(
            answer.contains("PIN set customers is in force on main"),
            "{answer}"
        );
        let add = "echo 4711 | pinset add /etc/asterisk/pins/customers.csv --plain --account ada";
        pbx.exec(&["bash", "-ec", add])?;
        let admitted = pbx.call(&Call::new("pinset:customers").keys("4711"))?;
        ensure!(admitted.outcome == Outcome::Passed, "{admitted:#?}");

        // An error elsewhere: the new files don't stay.
        pbx.write_file(
            "/etc/asterisk/authenticate.conf",
            "[doors]\nsource = astdb:doors\nattempts = 0\n",
        )?;
        let answer = make("others")?;
        for part in [" 422 ", "Nothing was made", "<td>attempts</td>"] {
            ensure!(answer.contains(part), "{part}: {answer}");
        }
        let files = "cd /etc/asterisk; ! ls pins/others.csv authenticate.d/others.conf";
        pbx.exec(&["bash", "-ec", files])?;
        let admitted = pbx.call(&Call::new("pinset:customers").keys("4711"))?;
        ensure!(admitted.outcome == Outcome::Passed, "{admitted:#?}");
        Ok(())
    });
}
