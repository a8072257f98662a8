//! Unloading during a call.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Result};
use harness::{Call, Module, Outcome, Pbx};

use crate::module::{load_by_ami, mappings, module_action, unload_wholly, use_count, OURS};
use crate::support::{eventually, on, Program, Shell};

#[test]
fn unload_during_a_call_is_refused_and_the_call_continues() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        ensure!(use_count(&ami)? == 0);
        let mut call = pbx.place(&Call::new("1234").keys("9999# <wait 0.3>1234#"))?;
        call.until_sound("auth-incorrect")?;
        ensure!(use_count(&ami)? == 1);
        ensure!(module_action(&ami, "unload", OURS).is_err());
        let printed = pbx.cli(&format!("module unload {OURS}"))?;
        ensure!(printed.contains("Unable to unload"), "{printed}");
        // A reload is no unload: it may come at any time.
        module_action(&ami, "reload", OURS)?;
        let report = call.finish()?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        ensure!(use_count(&ami)? == 0);
        unload_wholly(pbx, &ami, &mut shell)?;
        // Calls still reach the dialplan, and are refused without the
        // application.
        let report = pbx.call(&Call::new("1234").keys("1234#"))?;
        ensure!(report.outcome != Outcome::Passed, "{report:#?}");
        module_action(&ami, "load", OURS)?;
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        Ok(())
    });
}

/// `module unload -f` has Asterisk hang up the calls inside and then take the
/// module away whatever its use count. Here work goes on that no hang-up ends,
/// and the module itself refuses until it is done.
#[test]
fn forced_unload_during_a_call_is_refused() {
    let slow = "[slow]\nsource = http://127.0.0.1:8099/\ntimeout = 60\n";
    let builder = Pbx::builder().module(Module::Ours);
    on(builder.file("authenticate.conf", slow), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        let forced = format!("module unload -f {OURS}");
        let mut server = Program::start(pbx, SILENT_SERVER)?;
        let fetching = pbx.place(&Call::new("pinset:slow"))?;
        server.says("asked")?;
        let mut keying = pbx.place(&Call::new("1234").keys("9"))?;
        keying.until_sound("agent-pass")?;

        let printed = pbx.cli(&forced)?;
        ensure!(printed.contains("Unable to unload"), "{printed}");
        for call in [fetching, keying] {
            let report = call.finish()?;
            ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
            ensure!(report.status() == "HANGUP", "{report:#?}");
        }
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        let printed = pbx.cli(&forced)?;
        ensure!(printed.contains("Unable to unload"), "{printed}");
        drop(server);
        eventually("the end of the download", || {
            pbx.cli(&forced)?;
            Ok(use_count(&ami).is_err())
        })?;
        ensure!(mappings(pbx, &mut shell)? == 0, "still mapped");
        Ok(())
    });
}

/// Has calls play a sound that never comes.
const SILENT_SERVER: &str = "
import http.server, json, sys, threading
class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        seq = [{'action': 'play', 'args': {'url': 'http://127.0.0.1:8099/never.wav'}}]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({'version': '1', 'seq': seq}).encode())
    def do_GET(self):
        print('asked', flush=True)
        self.rfile.read(1)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 8099), Service)
server.daemon_threads = True
print('up', flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
";

/// Unloading in the middle of traffic. A call may have looked the application
/// up and be on its way to it when it is taken away: whatever moment it is, the
/// call is admitted, or refused without the application, and the PBX lives.
#[test]
fn unload_under_traffic_does_not_crash() {
    const UNLOADS: usize = 30;
    const WAIT_LIMIT: Duration = Duration::from_secs(180);
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        let pid = pbx.pid()?;
        let (over, passed) = (AtomicBool::new(false), AtomicUsize::new(0));
        let caller = || -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                let report = pbx.call(&Call::new("1,q,1,&").keys("<now>1"))?;
                if report.outcome == Outcome::Passed {
                    passed.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        };
        let (mut unloads, mut refusals) = (0, 0);
        std::thread::scope(|scope| -> Result<()> {
            let callers = [scope.spawn(caller), scope.spawn(caller)];
            let end = Instant::now() + WAIT_LIMIT;
            let mut unload_and_load = || -> Result<()> {
                // Which of the two an unload meets is chance: till both were met.
                while unloads < UNLOADS || refusals == 0 {
                    ensure!(Instant::now() < end, "{unloads}, {refusals}");
                    if module_action(&ami, "unload", OURS).is_err() {
                        refusals += 1;
                        continue;
                    }
                    unloads += 1;
                    module_action(&ami, "load", OURS)?;
                    // At once, or when somebody has just come through: who
                    // calls next is about as far.
                    let before = passed.load(Ordering::Relaxed);
                    if unloads % 2 == 0 {
                        eventually("a call", || Ok(passed.load(Ordering::Relaxed) > before))?;
                    }
                }
                Ok(())
            };
            let unloading = unload_and_load();
            over.store(true, Ordering::Relaxed);
            for caller in callers {
                caller.join().map_err(|_| anyhow!("a caller panicked"))??;
            }
            unloading
        })?;
        ensure!(pbx.pid()? == pid, "Asterisk has died");
        unload_wholly(pbx, &ami, &mut shell)
    });
}
