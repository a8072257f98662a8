//! Digits of real phones, by each way of transport.

use anyhow::{ensure, Context, Result};
use harness::{Phone, Signal};

use super::{builder, is_seen, on, record, Witness};

const SIGNALS: [Signal; 3] = [Signal::Rfc4733, Signal::Info, Signal::InBand];

/// Recorded all the time, and as docs/security.md says.
const RECORDED: &str = "
exten => recorded,1,MixMonitor(/tmp/both.wav,r(/tmp/caller.wav))
 same => n,Authenticate(pinset:doors)
 same => n,StopMixMonitor()
 same => n,Hangup()
exten => paused,1,MixMonitor(/tmp/both.wav,r(/tmp/caller.wav))
 same => n,StopMixMonitor()
 same => n,Authenticate(pinset:doors,c)
 same => n,MixMonitor(/tmp/both.wav,ar(/tmp/caller.wav))
 same => n,Playback(silence/1)
 same => n,StopMixMonitor()
 same => n,Hangup()
";

/// How long the recording of the caller is, and how often it is loud in it, with
/// 50 ms of silence between.
const LISTEN: &str = r#"
import array, os, wave
with wave.open("/tmp/caller.wav") as w:
    rate, sound = w.getframerate(), array.array("h", w.readframes(w.getnframes()))
os.remove("/tmp/caller.wav")
loud = [n for n, x in enumerate(sound) if abs(x) > 1000]
print(len(sound) / rate, sum(n - last > rate / 20 for last, n in zip([-rate] + loud, loud)))
"#;

/// At debug level 1, at which the RTP stack shows keys: `docs/security.md`.
#[test]
fn hidden_digits_of_a_phone_appear_nowhere() {
    let builder = builder()
        .pjsip()
        .debug(1)
        .phone_extension("hidden", "Authenticate(pinset:doors)")
        .phone_extension("shown", "Authenticate(pinset:shown)");
    on(builder, |pbx| {
        let mut witness = Witness::new(pbx)?;
        let mut key = |signal: Signal, extension: &str| -> Result<Vec<String>> {
            let called = pbx.sip_call_by(&Phone::keying(signal), extension, "99# 4711#");
            let report = called
                .with_context(|| format!("{signal:?} {extension}"))?
                .report;
            let attempts = report.variable("AUTHENTICATEATTEMPTS");
            ensure!(report.status() == "SUCCESS", "{signal:?}: {report:#?}");
            ensure!(attempts == "2", "{signal:?}: {attempts}");
            witness.signs()
        };
        for signal in SIGNALS {
            let signs = key(signal, "hidden")?;
            ensure!(signs.is_empty(), "{signal:?}: {signs:#?}");
            // Else we have not looked.
            let signs = key(signal, "shown")?;
            is_seen(pbx, &signs).with_context(|| format!("{signal:?}"))?;
            let begins = signs.iter().any(|sign| sign.starts_with("DTMFBegin"));
            ensure!(begins == (signal != Signal::Info), "{signs:#?}");
        }
        Ok(())
    });
}

/// While the call is recorded: hidden, and in the recording what docs/security.md
/// says.
#[test]
fn recording_contains_in_band_tones_only() {
    let builder = builder()
        .pjsip()
        .modules("load = app_mixmonitor.so")
        .phone_dialplan(RECORDED);
    on(builder, |pbx| {
        let mut witness = Witness::new(pbx)?;
        let mut listen = |signal: Signal, extension: &str| -> Result<usize> {
            let report = pbx
                .sip_call_by(&Phone::keying(signal), extension, "4711#")?
                .report;
            ensure!(report.status() == "SUCCESS", "{signal:?}: {report:#?}");
            let signs = witness.signs()?;
            ensure!(signs.is_empty(), "{signal:?}, {extension}: {signs:#?}");
            let heard = pbx.exec(&["python3", "-c", LISTEN])?;
            let (seconds, tones) = heard.split_once(' ').context("nothing")?;
            let (seconds, tones): (f64, usize) = (seconds.parse()?, tones.trim().parse()?);
            ensure!(seconds > 0.5, "{signal:?}: {seconds} s");
            Ok(tones)
        };
        // What Asterisk has left of them.
        let tones = listen(Signal::InBand, "recorded")?;
        ensure!(tones <= 5, "{tones}");
        for (signal, extension) in [
            (Signal::Rfc4733, "recorded"),
            (Signal::Info, "recorded"),
            (Signal::InBand, "paused"),
        ] {
            let tones = listen(signal, extension)?;
            ensure!(tones == 0, "{signal:?}, {extension}: {tones}");
        }
        Ok(())
    });
}

/// Digits that arrive while the call is being answered count, and the core's copy
/// of them stops no later sound.
#[test]
fn digits_during_answer_count() {
    let builder = builder()
        .pjsip()
        .phone_extension("ahead", "Authenticate(pinset:ahead)");
    on(builder, |pbx| {
        record(pbx, "four-seconds", 4)?;
        let called = pbx.sip_call_by(&Phone::keying(Signal::Info), "ahead", "<now>9#")?;
        let report = called.report;
        ensure!(report.status() == "FAILURE", "{report:#?}");
        ensure!(
            report.variable("AUTHENTICATEATTEMPTS") == "2",
            "{report:#?}"
        );
        // The sound, and the time for a first key.
        ensure!(report.elapsed >= 5.0, "{} s", report.elapsed);
        Ok(())
    });
}
