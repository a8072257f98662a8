//! Prompts from a URL.

use anyhow::Result;
use harness::Pbx;

use crate::expect::{failed, passed, passed_second, Expect, ANY};
use crate::row::Row;

/// A web server of the container's own: `/x.wav` is half a second of silence,
/// `/hang.wav` keeps its clients waiting for six seconds and has nothing for
/// them.
const SERVER: &str = r#"
import http.server, struct, time

data = bytes(8000)
wav = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " \
    + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) \
    + b"data" + struct.pack("<I", len(data)) + data

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/hang.wav"):
            time.sleep(6)
        elif self.path.startswith("/x.wav"):
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(wav)))
            self.end_headers()
            self.wfile.write(wav)
        else:
            self.send_error(404)

http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"#;

/// Starts the server and waits until it answers.
pub(super) fn serve(pbx: &Pbx) -> Result<()> {
    pbx.write_file("/harness/server.py", SERVER)?;
    let script = "setsid python3 /harness/server.py </dev/null >/harness/server.log 2>&1 & \
                  until exec 3<>/dev/tcp/127.0.0.1/8000; do kill -0 $! && sleep 0.1; done 2>/dev/null";
    pbx.exec(&["bash", "-ec", script]).map(drop)
}

/// The stock module has room for the path of the downloaded file only if the
/// URL is longer than that.
const PAD: &str = "pad=0123456789012345678901234567890123456789012345678901234567890123456789";

pub(super) fn rows() -> Vec<Row> {
    let url = |what: &str| format!("http://127.0.0.1:8000/{what}");
    let row = |name, prompt: String, keys: &str, ours: Expect| {
        Row::new(name, &format!("1234,,,{prompt}"), keys, ours)
    };
    let heard = || passed().sounds(&[ANY, "auth-thankyou"]);
    let skipped = passed;
    let dropped = || failed().sounds(&["vm-goodbye"]).whatever_keyed();
    vec![
        row("a URL", url(&format!("x.wav?{PAD}")), "1234#", heard()),
        row(
            "a URL with & and a sound behind it",
            format!("'{}'&beep", url(&format!("x.wav?a=1&{PAD}"))),
            "<silence> 1234#",
            passed().sounds(&[ANY, "beep", "auth-thankyou"]),
        )
        .before_16_30(Some(passed_second().sounds(&[
            "beep",
            "auth-incorrect",
            "auth-thankyou",
        ]))),
        row("a short URL", url("x.wav"), "1234#", heard())
            .marked("url", dropped())
            .before_16_30(None),
        row(
            "a URL of nothing",
            url(&format!("nothing.wav?{PAD}")),
            "<now><wait 2>1234#",
            skipped(),
        )
        .marked("J", dropped()),
        row(
            "a URL that hangs, and keys meanwhile",
            url(&format!("hang.wav?{PAD}")),
            "<now>1234#",
            skipped().elapsed(3.0, 20.0),
        )
        .marked("url", dropped().elapsed(6.5, 60.0))
        .slow(),
    ]
}
