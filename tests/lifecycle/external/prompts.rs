//! Prompts of the dialplan from a URL.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::service::{Answer, PORT};
use super::sounds::{heard, url, wav};
use super::{on, Sets};
use crate::pin_sets::{becomes, log_lines, passed};

/// A call that is admitted at the first attempt, after these sounds, of which those
/// from the web have these lengths.
fn asks(pbx: &Pbx, prompt: &str, keys: &str, from_web: &[usize]) -> Result<Vec<String>> {
    let call = Call::new(format!("1234,,,{prompt}")).keys(keys);
    let want = passed().attempts("1");
    let report = becomes(pbx, &call, &want).with_context(|| prompt.to_owned())?;
    let heard = heard(pbx, &report)?;
    ensure!(heard == from_web, "{prompt}: {:?}", report.sounds);
    Ok(report.sounds)
}

#[test]
fn stored_prompt_plays_if_its_server_fails_later() {
    on(Sets::new().builder(), |pbx, service| {
        let sound = wav(Duration::from_millis(300));
        let head = ["Content-Type: audio/wav", "Cache-Control: max-age=0"];
        let first = Answer::http("200 OK", &head, &sound);
        let hangs = Answer::default().hang();
        for (path, later) in [
            ("/missing.wav", Answer::http("404 Not Found", &[], "")),
            ("/failing.wav", Answer::http("500 Oops", &[], "")),
            ("/closing.wav", Answer::default().close()),
            ("/slow.wav", hangs),
        ] {
            service.answers(path, &[first.clone(), later])?;
            for _ in 0..2 {
                asks(pbx, &url(path), "1234#", &[sound.len()])?;
            }
            let times = service.asked(path)?.len();
            ensure!(times >= 2, "{path}: asked {times} times");
        }
        Ok(())
    });
}

#[test]
fn unavailable_prompt_is_replaced_and_logged() {
    on(Sets::new().builder(), |pbx, service| {
        let garbage = Answer::sound("audio/wav", b"<html>");
        service.answers("/garbage.wav", &[garbage])?;
        for (prompt, why) in [
            (url("/lost.wav"), "HTTP 404"),
            (url("/garbage.wav"), "can't play"),
            ("http://127.0.0.1:9/refused.wav".to_owned(), "onnect"),
            (
                "http://no-such-host.invalid/nameless.wav".to_owned(),
                "resolve",
            ),
            (
                "ftp://127.0.0.1/file.wav".to_owned(),
                "ftp: is not supported",
            ),
            ("http://[/broken.wav".to_owned(), "not a URL"),
        ] {
            let sounds = asks(pbx, &prompt, "1234#", &[])?;
            ensure!(sounds == ["agent-pass", "auth-thankyou"], "{sounds:?}");
            let lines = log_lines(pbx, &[&prompt, why])?;
            ensure!(lines.len() == 1, "{prompt}: {lines:#?}");
        }
        ensure!(log_lines(pbx, &["within 3 s"])?.is_empty());
        // Where another sound of the prompt plays, none takes its place.
        let two = format!("{}&beep", url("/lost.wav"));
        let sounds = asks(pbx, &two, "1234#", &[])?;
        ensure!(sounds == ["beep", "auth-thankyou"], "{sounds:?}");
        Ok(())
    });
}

#[test]
fn redirected_prompt_plays() {
    on(Sets::new().builder(), |pbx, service| {
        let sound = wav(Duration::from_millis(300));
        let there = format!("Location: {}", url("/there.wav"));
        service.answers("/moved.wav", &[Answer::http("302 Found", &[&there], "")])?;
        service.answers("/there.wav", &[Answer::sound("audio/wav", &sound)])?;
        asks(pbx, &url("/moved.wav"), "1234#", &[sound.len()])?;
        // To HTTP alone.
        let file = "Location: file:///etc/passwd";
        service.answers("/local.wav", &[Answer::http("302 Found", &[file], "")])?;
        asks(pbx, &url("/local.wav"), "1234#", &[])?;
        ensure!(service.connections(PORT)? > 0);
        Ok(())
    });
}
