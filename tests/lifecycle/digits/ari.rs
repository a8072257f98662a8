//! ARI, over its web socket.

use std::process::{Child, Stdio};

use anyhow::{ensure, Result};
use harness::{Builder, Call, Pbx};

use super::{becomes, builder, call, on, passed};
use crate::support::eventually;

const HTTP: &str = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = 8088\n";
const ARI: &str = "[general]\nenabled = yes\n[client]\ntype = user\npassword = client\n";
const MODULES: &str = "load = res_sorcery_config.so\nload = res_stasis.so\nload = res_http_websocket.so\nload = res_websocket_client.so\nload = res_ari.so\n\
    load = res_ari_model.so\nload = res_ari_events.so";

/// Writes the ARI events of all channels into a file, one per line.
const CLIENT: &str = r#"
import socket
s = socket.create_connection(("127.0.0.1", 8088))
s.sendall(b"GET /ari/events?app=client&subscribeAll=true&api_key=client:client HTTP/1.1\r\n"
          b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ari\r\n"
          b"Sec-WebSocket-Version: 13\r\n\r\n")
f = s.makefile("rb")
status = f.readline()
while f.readline().strip(): pass
out = open("/tmp/ari", "wb", buffering=0)
out.write(status)
while True:
    kind, size = f.read(2)
    size &= 127
    if size == 126: size = int.from_bytes(f.read(2), "big")
    elif size == 127: size = int.from_bytes(f.read(8), "big")
    out.write(f.read(size).replace(b"\n", b" ") + b"\n")
"#;

/// An ARI application that sees all channels.
struct Eye<'a> {
    pbx: &'a Pbx,
    client: Child,
}

impl<'a> Eye<'a> {
    fn open(pbx: &'a Pbx) -> Result<Self> {
        let mut command = pbx.exec_command(&["python3", "-c", CLIENT]);
        let client = Self {
            pbx,
            client: command.stdin(Stdio::null()).spawn()?,
        };
        eventually("ARI", || {
            Ok(pbx
                .exec(&["bash", "-c", "cat /tmp/ari"])
                .is_ok_and(|messages| messages.contains("101")))
        })?;
        Ok(client)
    }

    /// Returns the events of the channel of a call that has ended.
    fn of(&self, channel: &str) -> Result<Vec<String>> {
        let of = || -> Result<Vec<String>> {
            let messages = self.pbx.exec(&["cat", "/tmp/ari"])?;
            let lines = messages.lines().filter(|line| line.contains(channel));
            Ok(lines.map(str::to_owned).collect())
        };
        eventually("the end of the channel", || {
            Ok(of()?.iter().any(|line| line.contains("ChannelDestroyed")))
        })?;
        of()
    }
}

impl Drop for Eye<'_> {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

fn with_ari(builder: Builder) -> Builder {
    builder
        .file("http.conf", HTTP)
        .file("ari.conf", ARI)
        .modules(MODULES)
}

#[test]
fn ari_gets_no_hidden_digit() {
    on(with_ari(builder()), |pbx| {
        let client = Eye::open(pbx)?;
        let keys = |call: &Call| -> Result<usize> {
            let report = becomes(pbx, call, &passed())?;
            let messages = client.of(&report.channel)?;
            Ok(messages.iter().filter(|line| line.contains("Dtmf")).count())
        };
        let hidden = keys(&call("doors", "4711#"))?;
        ensure!(hidden == 0, "{hidden}");
        // Else we have not looked.
        let shown = keys(&call("shown", "4711#").hidden_digits(false))?;
        ensure!(shown == 5, "{shown}");
        Ok(())
    });
}
