//! `pinset console` beside an Asterisk with sample PIN sets and calls: for a person
//! (`make console`), and for the tests in a web browser.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use anyhow::{bail, ensure, Context, Result};

use crate::builder::random_word;
use crate::call::Call;
use crate::module::{pinset, Module};
use crate::pbx::Pbx;

/// The PIN sets. Lockouts are those of the defaults.
const CONF: &str = "
[general]
country_code = 90
console_lists = /srv/pins

[customers]
source = file:/srv/pins/customers.csv
identify = caller
account_code = yes

[staff]
source = file:/srv/pins/staff.csv
identify = account

[doors]
source = astdb:doors
identify = pin
";

/// The harness's, and the file with the audit log.
const LOGGER: &str = "[general]\n\
    dateformat = %F %T.%3q\n\
    [logfiles]\n\
    full => notice,warning,error,verbose(5),debug,dtmf,security\n\
    authenticate.log => authenticate\n";

/// Sets the console up as root, with the password on standard input, and starts it as the user
/// of its unit. The folder of PIN files is one of the container, because that of
/// `/etc/asterisk` is one of the host, whose user may not be allowed to remove it.
const START: &str = r##"
port=$1
others=$2
useradd --system --user-group pinset
cd /etc/asterisk
mkdir -p manager.d
echo '#include "manager.d/*.conf"' >> manager.conf
pinset console init --admin ada
mv pins /srv/pins
sed -i "s|^#listen = .*|listen = \"127.0.0.1:$port\"|; s|^lists = .*|lists = \"/srv/pins\"|" \
    /etc/pinset/console.toml
for other in $others; do # NAME:PORT:SECRET
    IFS=: read -r name ami_port secret <<< "$other"
    install -m 640 -g pinset /dev/null "/etc/pinset/$name.secret"
    echo "$secret" > "/etc/pinset/$name.secret"
    printf '\n[pbx.%s]\naddress = "127.0.0.1:%s"\nsecret = "/etc/pinset/%s.secret"\n' \
        "$name" "$ami_port" "$name" >> /etc/pinset/console.toml
done
add() { # FILE PIN OPTION...
    file=/srv/pins/$1
    shift
    echo "$1" | pinset add "$file" --format csv --group asterisk "${@:2}"
}
add customers.csv 482913 --account ada --name 'Ada Lovelace' --caller +905060508169 --level 3
add customers.csv 730164 --account bob --name 'Bob Miller' --caller +905321112233 --max-uses 5
add customers.csv 915527 --account eve --name 'Eve Adams' --caller +905339998877 \
    --valid-until 2026-01-31
add staff.csv 604817 --account 101 --name 'Front desk'
add staff.csv 227395 --account 102 --name Workshop
echo 571904 | pinset add /srv/pins/guests.txt --group asterisk
chown pinset: /srv/pins/*
chmod 640 /srv/pins/*
asterisk -rx 'database put doors 384652 reception'
asterisk -rx 'module reload app_authenticate_rs.so'
mkdir -p /var/lib/pinset
chown pinset: /var/lib/pinset
setsid runuser -u pinset -g pinset -G asterisk -- pinset console \
    < /dev/null > /var/log/asterisk/pinset-console 2>&1 &
until : 2> /dev/null < /dev/tcp/127.0.0.1/$port; do kill -0 $!; done
"##;

/// Adds the console's user to the AMI of another PBX.
const AMI_USER: &str = r##"
printf '[pinset]\nsecret = %s\nread = security\nwrite = security\n' "$1" >> /etc/asterisk/manager.conf
asterisk -rx 'manager reload'
"##;

/// Calls: PIN set, caller number, digits.
const CALLS: [(&str, &str, &str); 8] = [
    ("customers", "+905060508169", "482913#"),
    ("customers", "05321112233", "730146# 730164#"),
    ("customers", "+905339998877", "915527# 915527# 915527#"),
    ("staff", "+902125550101", "101# 604817#"),
    ("doors", "+902125550102", "384652#"),
    ("customers", "+905060508169", "482913#"),
    ("customers", "+905425550199", "1111# 2222# 3333#"),
    ("customers", "+905425550199", "4444# 5555#"),
];

/// A console on a port of this machine's loopback address, and its Asterisk. All ends when it
/// is dropped.
#[derive(Debug)]
pub struct Console {
    pbx: Pbx,
    port: u16,
    password: String,
}

impl Console {
    /// The name of the administrator.
    pub const ADMIN: &'static str = "ada";

    /// Starts Asterisk with our module and the sample PIN sets, and the console.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a console that has further PBXs, by name, which share the host's network.
    pub fn start_with(others: &[(&str, &Pbx)]) -> Result<Self> {
        let pbx = Pbx::builder()
            .module(Module::Ours)
            .file("authenticate.conf", CONF)
            .file("logger.conf", LOGGER)
            .in_network_of_host(free_port()?)
            .start()?;
        pbx.put_program(&pinset()?, "/harness/pinset")?;
        pbx.exec(&["ln", "-s", "/harness/pinset", "/usr/bin/pinset"])?;
        let console = Self {
            pbx,
            port: free_port()?,
            password: random_word(),
        };
        let others = others.iter().map(|(name, other)| {
            let secret = random_word();
            other.exec(&["bash", "-ec", AMI_USER, "user", &secret])?;
            Ok(format!("{name}:{}:{secret}", other.ami_port()))
        });
        let others = others.collect::<Result<Vec<_>>>()?;
        console.set_up(&others.join(" "))?;
        Ok(console)
    }

    fn set_up(&self, others: &str) -> Result<()> {
        let port = self.port.to_string();
        let mut shell = self
            .pbx
            .exec_command(&["bash", "-ec", START, "console", &port, others])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut input = shell.stdin.take().context("no input")?;
        writeln!(input, "{}", self.password)?;
        drop(input);
        let output = shell.wait_with_output()?;
        if !output.status.success() {
            let log = self.pbx.outside("/var/log/asterisk/pinset-console");
            let log = log.and_then(|file| fs::read_to_string(file).ok());
            bail!(
                "the console did not start:\n{}{}",
                String::from_utf8_lossy(&output.stderr),
                log.unwrap_or_default()
            );
        }
        Ok(())
    }

    /// The Asterisk.
    pub fn pbx(&self) -> &Pbx {
        &self.pbx
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The password of the administrator.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Places sample calls: admitted and refused ones, and one that locks its caller out.
    pub fn place_calls(&self) -> Result<()> {
        let mut locked = false;
        for (pin_set, caller, keys) in CALLS {
            let args = format!("pinset:{pin_set}");
            let report = self.pbx.call(&Call::new(args).caller(caller).keys(keys))?;
            locked = report.status() == "LOCKED";
        }
        ensure!(locked, "the last caller is not locked out");
        Ok(())
    }
}

/// Returns a port of the loopback address that is free now, and that nobody else is likely to
/// take in the next second.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
