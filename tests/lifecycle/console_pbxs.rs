//! `pinset console --check` on a real AMI: TLS, rights, and texts of Asterisk.

use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{examples, workspace, Pbx};

use crate::support::on;
use crate::unprivileged::install_pinset;

const CONF: &str = "
[doors]
source = file:/srv/pins/doors

[staff]
source = file:/srv/pins/staff.csv
identify = nobody
";

/// Users of AMI, certificates of a CA, and a section of `console.toml` for each way to reach
/// AMI. The certificate of `/etc/asterisk` is the one of `docs/console.md`.
const PREPARE: &str = "
mkdir -p /tls /srv/pins /srv/console
echo 4711 > /srv/pins/doors
cd /tls
new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc'
openssl req -x509 $new -keyout ca.key -out ca.crt -subj /CN=ca \
    -addext basicConstraints=critical,CA:TRUE
openssl req -x509 $new -keyout pbx.key -out pbx.crt -subj /CN=pbx -CA ca.crt -CAkey ca.key \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE
cd /etc/asterisk
sed -i 's|^\\[general\\]|&\\ntlsenable = yes\\ntlsbindaddr = 127.0.0.1:5039\\ntlscertfile = /etc/asterisk/ami.crt\\ntlsprivatekey = /etc/asterisk/ami.key|' \
    manager.conf
for user in 'pinset reporting' 'guest call'; do
    set -- $user
    printf '[%s]\\nsecret = 0123456789abcdef\\nread = security\\nwrite = %s\\n' $1 $2 >> manager.conf
done
asterisk -rx 'manager reload'
asterisk -rx 'module reload app_authenticate_rs.so'
port=$(sed -n 's/^port = //p' manager.conf)
fingerprint=$(openssl x509 -in ami.crt -noout -fingerprint -sha256 | cut -d= -f2)
cd /srv/console
umask 077
echo 0123456789abcdef > secret
echo fedcba9876543210 > wrong
echo 'correct horse battery' | pinset console user add ada --role admin --users users --group root
exec > console.toml
printf '%s = \"/srv/%s\"\\n' lists pins users console/users database console/database
pbx() { # NAME ADDRESS USER SECRET [OPTION VALUE]
    printf '[pbx.%s]\\naddress = \"%s\"\\nuser = \"%s\"\\nsecret = \"/srv/console/%s\"\\n' $1 $2 $3 $4
    [ $# = 4 ] || printf '%s = \"%s\"\\n' $5 $6
}
pbx ca localhost:5039 pinset secret ca /tls/ca.crt
pbx fingerprint 127.0.0.1:5039 pinset secret fingerprint $fingerprint
pbx guest 127.0.0.1:$port guest secret
pbx host 127.0.0.1:5039 pinset secret ca /tls/ca.crt
pbx plain 127.0.0.1:$port pinset secret
pbx port localhost:$port pinset secret ca /tls/ca.crt
pbx secret 127.0.0.1:$port pinset wrong
";

/// Gives AMI the certificate of the CA.
const CHANGE_CERTIFICATE: &str = "
sed -i 's|/etc/asterisk/ami|/tls/pbx|' /etc/asterisk/manager.conf
asterisk -rx 'manager reload'
";

/// Returns the example of `docs/console.md` that creates a certificate.
fn documented() -> Result<String> {
    let text = fs::read_to_string(workspace().join("docs/console.md"))?;
    let mut found = examples(&text)?.into_iter();
    let found = found.find(|example| example.text.contains("openssl req"));
    Ok(found.context("no example")?.text)
}

/// Runs a script to its end; any command that fails is an error.
fn shell(pbx: &Pbx, script: &str) -> Result<()> {
    pbx.exec(&["bash", "-ec", script]).map(drop)
}

/// Returns what is found about connections and PIN sets, without times.
fn findings(pbx: &Pbx) -> Result<Vec<String>> {
    let config = "/srv/console/console.toml";
    let mut command = pbx.exec_command(&["pinset", "console", "--config", config, "--check"]);
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().filter(|line| {
        let mut words = line.split(": ").skip(1);
        let checks = ["certificate", "connection", "module_version", "pin_sets"];
        words.next().is_some_and(|check| checks.contains(&check))
    });
    let found = found.map(|line| match line.split_once(" since ") {
        Some((before, after)) => format!("{before}{}", &after["hh:mm:ss".len()..]),
        None => line.to_owned(),
    });
    let found: Vec<_> = found.collect();
    ensure!(!found.is_empty(), "{output:?}");
    Ok(found)
}

#[test]
fn console_reaches_ami_by_tls_and_names_what_is_wrong() {
    let builder = Pbx::builder().file("authenticate.conf", CONF);
    on(builder, |pbx| {
        install_pinset(pbx)?;
        shell(pbx, &documented()?)?;
        shell(pbx, PREPARE)?;
        let found = findings(pbx)?;
        expect(
            &found,
            &["fingerprint", "plain"],
            &[
                ("ca", "TLS: invalid peer certificate: "),
                ("host", "TLS: invalid peer certificate: "),
                ("port", "the port does not speak TLS) -> tlsenable = yes"),
                ("secret", "login refused) -> "),
            ],
        )?;
        let certificate = "ok: certificate: fingerprint: valid until ";
        ensure!(
            found.iter().any(|line| line.starts_with(certificate)),
            "{found:#?}"
        );
        let right = "the AMI user has no right to AuthenticatePinsets -> write = security";
        let right = format!("warning: connection: guest: {right}");
        ensure!(
            found.iter().any(|line| line.starts_with(&right)),
            "{found:#?}"
        );

        shell(pbx, CHANGE_CERTIFICATE)?;
        expect(
            &findings(pbx)?,
            &["ca", "plain"],
            &[
                (
                    "fingerprint",
                    "its certificate is not the one of fingerprint, but ",
                ),
                (
                    "host",
                    "TLS: invalid peer certificate: certificate not valid for name",
                ),
            ],
        )?;

        // Of 30 days.
        let renew = "warning: certificate: ca: valid until ";
        let found = findings(pbx)?;
        ensure!(
            found.iter().any(|line| line.starts_with(renew)),
            "{found:#?}"
        );

        shell(pbx, "asterisk -rx 'module unload app_authenticate_rs.so'")?;
        let unknown = "warning: connection: ca: the PBX does not know AuthenticatePinsets -> ";
        let found = findings(pbx)?;
        ensure!(found[0].starts_with(unknown), "{found:#?}");
        Ok(())
    });
}

/// Checks that these PBXs are connected, and these others are not and why.
fn expect(found: &[String], connected: &[&str], failed: &[(&str, &str)]) -> Result<()> {
    let staff = "staff admits nobody: errors in authenticate.conf";
    let connected = connected.iter().flat_map(|name| {
        [
            format!("ok: connection: {name}: connected, 2 PIN sets"),
            format!("ok: module_version: {name}: app_authenticate_rs 0."),
            format!("warning: pin_sets: {name}: {staff}"),
        ]
    });
    let failed = failed
        .iter()
        .map(|(name, why)| format!("warning: connection: {name} does not answer ({why}"));
    for start in connected.chain(failed) {
        let has = found.iter().any(|line| line.starts_with(&start));
        ensure!(has, "{start}: {found:#?}");
    }
    Ok(())
}
