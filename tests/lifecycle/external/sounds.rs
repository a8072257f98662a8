//! Sounds of a service: fetched by the module, played from disk, skipped with a log
//! line if that fails.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Pbx, Report};

use super::service::{connect, gather, play, Answer, PORT};
use super::{from_outside, on, Sets};
use crate::pin_sets::{becomes, is_logged, log_lines, passed, shell};

/// Silence of this length, as a WAV file.
pub(super) fn wav(length: Duration) -> Vec<u8> {
    let samples = u32::try_from(length.as_millis() * 16).unwrap_or(u32::MAX - 36);
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((samples + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(8000_u32.to_le_bytes());
    file.extend(16000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(samples.to_le_bytes());
    file.resize(file.len() + samples as usize, 0);
    file
}

/// Frames of MPEG 2.5, layer III, 8 kHz, 8 kbit/s, one channel, in which
/// nothing is encoded: silence, 72 ms each.
fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xe3, 0x18, 0xc0];
    frame.resize(72, 0);
    frame.repeat(frames)
}

/// Where the service has it.
pub(super) fn url(path: &str) -> String {
    format!("http://127.0.0.1:{PORT}{path}")
}

/// The sizes of the files a call has heard, but for Asterisk's own.
pub(super) fn heard(pbx: &Pbx, report: &Report) -> Result<Vec<usize>> {
    let foreign = report.sounds.iter().filter(|sound| sound.starts_with('/'));
    foreign
        .map(|sound| {
            // Its metadata is in a file next to it.
            let list = format!("stat -c %s {sound}.wav {sound}.mp3 2>/dev/null || true");
            let size = shell(pbx, &list)?;
            size.trim().parse().context(size.clone())
        })
        .collect()
}

const SUCCESS: &str = "success_destinations = 1091";

#[test]
fn sounds_play_and_are_cached() {
    let sets = Sets::new().set("people", SUCCESS);
    on(sets.builder(), |pbx, service| {
        let time = Duration::from_millis;
        let [ask, yes] = [wav(time(400)), wav(time(200))];
        service.answers("/ask.wav", &[Answer::sound("audio/wav", &ask)])?;
        // The name determines the format, or else the type does.
        service.answers("/yes?id=7", &[Answer::sound("audio/x-wav", &yes)])?;
        let script = [
            Answer::seq(&[gather("pin_code", (1, 4), Some(&url("/ask.wav")))]),
            Answer::seq(&[play(&url("/yes?id=7")), connect("1091")]),
        ];
        for _ in 0..2 {
            service.answers("/people", &script)?;
            let call = from_outside("people", "12#");
            let report = becomes(pbx, &call, &passed().went("agents,1091,1"))?;
            let heard = heard(pbx, &report)?;
            ensure!(heard == [ask.len(), yes.len()], "{heard:?}");
        }
        for path in ["/ask.wav", "/yes?id=7"] {
            let asked = service.asked(path)?;
            ensure!(asked.len() == 1, "{path}: {asked:?}");
            ensure!(asked[0].method == "GET", "{path}: {asked:?}");
        }
        Ok(())
    });
}

/// An MP3 plays where Asterisk can read one.
#[test]
fn mp3_plays_with_format_mp3() {
    let sets = Sets::new().set("people", SUCCESS);
    on(sets.builder(), |pbx, service| {
        let sound = mp3(5);
        service.answers("/yes.mp3", &[Answer::sound("audio/mpeg", &sound)])?;
        let script = [Answer::seq(&[play(&url("/yes.mp3")), connect("1091")])];
        service.answers("/people", &script)?;
        let call = from_outside("people", "");
        let want = passed().went("agents,1091,1");
        let report = becomes(pbx, &call, &want)?;
        ensure!(report.sounds.is_empty(), "{:?}", report.sounds);
        is_logged(pbx, &["people", "/yes.mp3"])?;
        pbx.cli("module load format_mp3.so")?;
        let report = becomes(pbx, &call, &want)?;
        let heard = heard(pbx, &report)?;
        ensure!(heard == [sound.len()], "{heard:?}");
        Ok(())
    });
}

/// Whatever is wrong with a sound, the call goes on without it.
#[test]
fn unplayable_sound_is_skipped() {
    let sound = || Answer::sound("audio/wav", &wav(Duration::from_millis(200)));
    let large = Answer::sound("audio/wav", &wav(Duration::from_secs(330)));
    let moved = format!("Location: {}", url("/trap.wav"));
    let rows = [
        ("lost", url("/lost.wav"), None),
        (
            "moved",
            url("/moved.wav"),
            Some(Answer::http("302 Found", &[&moved], "")),
        ),
        ("large", url("/large.wav"), Some(large)),
        ("silent", url("/silent.wav"), Some(Answer::default().hang())),
        (
            "dripping",
            url("/dripping.wav"),
            Some(Answer::default().drip(&[b'x'; 600])),
        ),
        (
            "cut-off",
            url("/cut-off.wav"),
            Some(Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nRIFF").close()),
        ),
        (
            "no-sound",
            url("/no-sound.wav"),
            Some(Answer::sound("audio/wav", b"<html>")),
        ),
        (
            "no-type",
            url("/no-type"),
            Some(Answer::sound("text/html", b"<html>")),
        ),
        (
            "foreign",
            format!("http://localhost:{PORT}/foreign.wav"),
            Some(sound()),
        ),
    ];
    let mut sets = Sets::new();
    for (set, ..) in &rows {
        sets = sets.set(set, SUCCESS);
    }
    on(sets.builder(), |pbx, service| {
        service.answers("/trap.wav", &[sound()])?;
        for (set, url, answer) in &rows {
            let path = format!("/{}", url.rsplit('/').next().unwrap_or_default());
            if let Some(answer) = answer {
                service.answers(&path, std::slice::from_ref(answer))?;
            }
            let script = Answer::seq(&[play(url), connect("1091")]);
            service.answers(&format!("/{set}"), &[script])?;
        }
        crate::support::side_by_side(rows.len(), 8, |number| {
            let set = rows[number].0;
            let call = from_outside(set, "").deadline(Duration::from_secs(45));
            let report = becomes(pbx, &call, &passed().went("agents,1091,1")).context(set)?;
            ensure!(report.sounds.is_empty(), "{set}: {:?}", report.sounds);
            let lines = log_lines(pbx, &[set, "wav"])?;
            ensure!(lines.len() == 1 || set == "no-type", "{set}: {lines:#?}");
            Ok(())
        })?;
        ensure!(service.asked("/foreign.wav")?.is_empty());
        ensure!(service.asked("/trap.wav")?.is_empty());
        Ok(())
    });
}

/// Other hosts may deliver sounds if the configuration says so.
#[test]
fn sounds_come_from_allowed_hosts_only() {
    let sets = Sets::new().set("people", &format!("{SUCCESS}\nsound_hosts = localhost"));
    on(sets.builder(), |pbx, service| {
        let sound = wav(Duration::from_millis(200));
        service.answers("/yes.wav", &[Answer::sound("audio/wav", &sound)])?;
        let script = [Answer::seq(&[
            play(&format!("http://localhost:{PORT}/yes.wav")),
            connect("1091"),
        ])];
        service.answers("/people", &script)?;
        let call = from_outside("people", "");
        let report = becomes(pbx, &call, &passed().went("agents,1091,1"))?;
        ensure!(heard(pbx, &report)? == [sound.len()], "{:?}", report.sounds);
        Ok(())
    });
}
