//! Services over TLS: a service with an invalid certificate gets no request.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::Pbx;

use super::service::{connect, Answer};
use super::{error, from_outside, on, Sets};
use crate::pin_sets::{becomes, log_lines, passed, shell};

/// An authority the system knows, one it does not, and certificates of both
/// for `localhost`, for another name, and of another time.
const MAKE: &str = "
mkdir /tls; cd /tls
new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc'
for ca in known unknown; do
    openssl req -x509 $new -keyout $ca.key -out $ca.crt -subj /CN=$ca \
        -addext basicConstraints=critical,CA:TRUE
done
issue() { # NAME CA HOST DATES...
    name=$1 ca=$2 host=$3; shift 3
    openssl req -x509 $new -keyout $name.key -out $name.crt -subj /CN=$name \
        -CA $ca.crt -CAkey $ca.key -addext subjectAltName=DNS:$host \
        -addext basicConstraints=critical,CA:FALSE \"$@\"
}
issue right known localhost
issue other-name known service.example
issue expired known localhost -not_before 20200101000000Z -not_after 20210101000000Z
issue unknown-ca unknown localhost
openssl req -x509 $new -keyout self-signed.key -out self-signed.crt -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost
cp known.crt /usr/local/share/ca-certificates/
update-ca-certificates
";

/// Each certificate has a port of its own.
const WRONG: [&str; 4] = ["other-name", "expired", "unknown-ca", "self-signed"];
const RIGHT: u16 = 8443;

fn port(number: usize) -> u16 {
    u16::try_from(number).map_or(0, |number| RIGHT + 1 + number)
}

fn lets_in() -> Answer {
    Answer::seq(&[connect("1091")])
}

fn is_refused(pbx: &Pbx, set: &str) -> Result<()> {
    let call = from_outside(set, "").deadline(Duration::from_secs(45));
    becomes(pbx, &call, &error()).context(set.to_owned())?;
    let lines = log_lines(pbx, &[set, "certificate"])?;
    ensure!(lines.len() == 1, "{set}: {lines:#?}");
    Ok(())
}

#[test]
fn certificates_are_verified() {
    let right = format!("https://localhost:{RIGHT}/right");
    let options = "success_destinations = 1091\nallow_http = yes";
    let mut sets = Sets::new().at("right", &right, options);
    for (number, set) in WRONG.iter().enumerate() {
        let url = format!("https://localhost:{}/{set}", port(number));
        sets = sets.at(set, &url, options);
    }
    on(sets.builder(), |pbx, service| {
        shell(pbx, MAKE)?;
        let listen = |port, name: &str| {
            service.listen_tls(
                port,
                &format!("/tls/{name}.crt"),
                &format!("/tls/{name}.key"),
            )
        };
        listen(RIGHT, "right")?;
        service.answers("/right", &[lets_in()])?;
        for (number, set) in WRONG.iter().enumerate() {
            listen(port(number), set)?;
            service.answers(&format!("/{set}"), &[lets_in()])?;
        }
        for _ in 0..2 {
            let call = from_outside("right", "");
            becomes(pbx, &call, &passed().went("agents,1091,1"))?;
        }
        ensure!(service.connections(RIGHT)? == 1);
        for set in WRONG {
            is_refused(pbx, set)?;
            ensure!(service.asked(&format!("/{set}"))?.is_empty(), "{set}");
        }
        Ok(())
    });
}
