//! Unloading after requests to web services over TLS, some of them cancelled by a
//! hangup: libcurl's thread-locals and threads must not stay.

use anyhow::ensure;
use harness::{Call, Module, Outcome, Pbx};

use super::threads;
use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::support::{eventually, on, side_by_side, Program, Shell};

const ROUNDS: usize = 20;

/// An authority the system knows, and a certificate of its for `localhost`.
const CERTIFICATES: &str = "mkdir /tls && cd /tls && \
    new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc' && \
    openssl req -x509 $new -keyout ca.key -out /usr/local/share/ca-certificates/tests.crt \
        -subj /CN=tests -addext basicConstraints=critical,CA:TRUE 2>/dev/null && \
    openssl req -x509 $new -keyout key -out certificate -subj /CN=localhost \
        -CA /usr/local/share/ca-certificates/tests.crt -CAkey ca.key \
        -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
        2>/dev/null && \
    update-ca-certificates > /dev/null 2>&1 && chmod a+r key && echo made";

/// Sends calls of `/sends` to 1091 after a sound. Prints `asked` for a request of
/// `/silent`, and does not answer it.
const SERVER: &str = "
import json, ssl, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Service(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        if self.path == '/silent':
            print('asked', flush=True)
            self.rfile.read(1)
            self.close_connection = True
            return
        seq = [{'action': 'play', 'args': {'url': 'https://localhost:8443/a.wav'}},
               {'action': 'connect', 'args': {'destination': 1091}}]
        self.answer('application/json', json.dumps({'version': 1.0, 'seq': seq}).encode())
    def do_GET(self):
        self.answer('audio/wav', b'no sound')
    def answer(self, kind, body):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Cache-Control', 'no-cache')
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain('/tls/certificate', '/tls/key')
server = ThreadingHTTPServer(('127.0.0.1', 8443), Service)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print('up', flush=True)
sys.stdin.read()
";

const CONFIGURATION: &str = "
[general]
connect_context = agents
success_destinations = 1091
[sends]
source = https://localhost:8443/sends
[silent]
source = https://localhost:8443/silent
timeout = 30
[lost]
source = https://no-such-host.invalid/
";

const AGENTS: &str = "
[agents]
exten => 1091,1,NoOp(an agent)
 same => n,Hangup()
include => harness-h
";

#[test]
fn module_is_unmapped_after_web_service_calls() {
    let builder = Pbx::builder()
        .file("authenticate.conf", CONFIGURATION)
        .dialplan(AGENTS);
    on(builder.module(Module::Ours), |pbx| {
        let mut shell = Shell::open(pbx)?;
        let made = shell.run(CERTIFICATES)?;
        ensure!(made.trim() == "made", "{made}");
        let mut server = Program::start(pbx, SERVER)?;
        let ami = pbx.ami()?;
        load_by_ami(&ami, &mut shell)?;
        unload_wholly(pbx, &ami, &mut shell)?;
        let idle = threads(&ami)?;
        for _ in 0..ROUNDS {
            module_action(&ami, "load", OURS)?;
            side_by_side(4, 4, |number| {
                let set = if number == 3 { "lost" } else { "sends" };
                let report = pbx.call(&Call::new(format!("pinset:{set},q")))?;
                let status = if number == 3 { "ERROR" } else { "SUCCESS" };
                ensure!(report.status() == status, "{set}: {report:#?}");
                Ok(())
            })?;
            let mut call = pbx.place(&Call::new("pinset:silent"))?;
            call.until("Authenticate", |frame| {
                frame.event() == Some("Newexten") && frame.has("Application", "Authenticate")
            })?;
            server.says("asked")?;
            call.hang_up()?;
            let report = call.finish()?;
            ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
            ensure!(report.status() == "HANGUP", "{report:#?}");
            // The request is given up at once; its end is not the call's.
            eventually("an unload", || {
                Ok(module_action(&ami, "unload", OURS).is_ok())
            })?;
            module_action(&ami, "load", OURS)?;
            unload_wholly(pbx, &ami, &mut shell)?;
            ensure!(
                threads(&ami)? == idle,
                "{}",
                ami.command("core show threads")?
            );
        }
        Ok(())
    });
}
