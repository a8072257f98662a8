//! `pinset console` as `docs/console.md` sets it up, on a real Asterisk: a locked caller is
//! unlocked on a page.

use anyhow::{ensure, Context, Result};
use harness::{Call, Outcome, Pbx};

use crate::support::on;
use crate::unprivileged::install_pinset;

const CONF: &str = "
[doors]
source = file:/etc/asterisk/pins/doors
identify = caller
lockout_caller = 2/15m/30m
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
printf 'Sec-Fetch-Site: same-origin\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\n' >&3
printf 'Content-Length: %s\\r\\n\\r\\n%s' ${#4} \"$4\" >&3
cat <&3
";

fn request(pbx: &Pbx, method: &str, path: &str, cookie: &str, form: &str) -> Result<String> {
    pbx.exec(&[
        "bash", "-ec", REQUEST, "request", method, path, cookie, form,
    ])
}

#[test]
fn locked_caller_is_unlocked_on_the_page() {
    let builder = Pbx::builder().file("authenticate.conf", CONF);
    on(builder, |pbx| {
        install_pinset(pbx)?;
        pbx.exec(&["bash", "-ec", START])?;
        let log_in = "name=ada&password=correct+horse+battery";
        let answer = request(pbx, "POST", "/login", "", log_in)?;
        let cookie = answer
            .split("set-cookie: ")
            .nth(1)
            .context(answer.clone())?;
        let cookie = cookie.split(';').next().unwrap_or_default();
        let page = |path| request(pbx, "GET", path, cookie, "");

        let call = |keys| pbx.call(&Call::new("pinset:doors").caller("+4930555").keys(keys));
        let refused = call("1# 2# 3#")?;
        ensure!(refused.status() == "LOCKED", "{refused:#?}");
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
        ensure!(admitted.outcome == Outcome::Passed, "{admitted:#?}");

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
