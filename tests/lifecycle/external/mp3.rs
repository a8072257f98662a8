//! MP3 files from the field: with tags, of any rate, mono and stereo.

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::service::{connect, play, Answer};
use super::sounds::{heard, url};
use super::{from_outside, on, Sets};
use crate::pin_sets::{becomes, passed, shell};

/// A kind of MP3: the second byte of its frames, which says which MPEG it is, the
/// index of its rate, and the rate.
const KINDS: [(u8, u8, usize); 6] = [
    (0xfb, 0, 44_100),
    (0xfb, 2, 32_000),
    (0xf3, 0, 22_050),
    (0xf3, 2, 16_000),
    (0xe3, 0, 11_025),
    (0xe3, 2, 8_000),
];

/// The sizes of tags, of which the last is that of Hipcall's sounds.
const TAGS: [usize; 3] = [0, 200, 16_655];

/// What a sound is asked for at, its file, and how many samples it is at 8 kHz.
struct Mp3 {
    path: String,
    tag: Vec<u8>,
    frames: Vec<u8>,
    samples: usize,
    /// At 8 kHz.
    frame_samples: usize,
}

/// Frames of layer III in which nothing is encoded: silence.
fn mp3((mpeg, rate_index, rate): (u8, u8, usize), stereo: bool, tag: usize) -> Mp3 {
    const FRAMES: usize = 12;
    let mpeg_1 = mpeg == 0xfb;
    // 64 kbit/s, or 32.
    let (bitrate_index, bits, samples) = match mpeg_1 {
        true => (5, 64_000, 1152),
        false => (4, 32_000, 576),
    };
    let mode = if stereo { 0x00 } else { 0xc0 };
    let mut frame = vec![0xff, mpeg, bitrate_index << 4 | rate_index << 2, mode];
    frame.resize(samples / 8 * bits / rate, 0);
    let channels = if stereo { "stereo" } else { "mono" };
    Mp3 {
        path: format!("/{rate}-{channels}-{tag}.mp3"),
        tag: id3v2(tag),
        frames: frame.repeat(FRAMES),
        samples: FRAMES * samples * 8000 / rate,
        frame_samples: samples * 8000 / rate,
    }
}

/// A tag of this many bytes in all; of none, none.
fn id3v2(bytes: usize) -> Vec<u8> {
    let Some(size) = bytes.checked_sub(10) else {
        return Vec::new();
    };
    let seven = |shift: usize| u8::try_from(size >> shift & 0x7f).unwrap_or_default();
    let mut tag = b"ID3\x04\0\0".to_vec();
    tag.extend([seven(21), seven(14), seven(7), seven(0)]);
    // A picture has bytes of all kinds, such as those that begin a frame.
    let picture = [0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0xff, 0xfb];
    tag.extend(picture.iter().cycle().take(size));
    tag
}

/// The samples that Asterisk gets out of the sounds of a call, in turn.
fn decoded(pbx: &Pbx, sounds: &[String]) -> Result<Vec<usize>> {
    pbx.cli("module load res_convert.so")?;
    let foreign = sounds.iter().filter(|sound| sound.starts_with('/'));
    foreign
        .enumerate()
        .map(|(number, sound)| {
            let raw = format!("/tmp/{number}.sln");
            pbx.cli(&format!("file convert {sound}.mp3 {raw}"))?;
            let bytes = shell(pbx, &format!("stat -c %s {raw}"))?;
            let bytes: usize = bytes.trim().parse().with_context(|| bytes.clone())?;
            Ok(bytes / 2)
        })
        .collect()
}

fn all() -> Vec<Mp3> {
    let mut all = Vec::new();
    for kind in KINDS {
        for stereo in [false, true] {
            all.extend(TAGS.map(|tag| mp3(kind, stereo, tag)));
        }
    }
    all
}

#[test]
fn tagged_mp3_of_a_service_plays_at_its_length() {
    let options = "success_destinations = 1091\nmax_steps = 100";
    let sets = Sets::new().set("people", options);
    on(sets.builder(), |pbx, service| {
        pbx.cli("module load format_mp3.so")?;
        let all = all();
        let mut script = Vec::new();
        for sound in &all {
            let file = [sound.tag.as_slice(), &sound.frames].concat();
            service.answers(&sound.path, &[Answer::sound("audio/mpeg", &file)])?;
            script.push(play(&url(&sound.path)));
        }
        script.push(connect("1091"));
        service.answers("/people", &[Answer::seq(&script)])?;
        let call = from_outside("people", "").deadline(std::time::Duration::from_secs(120));
        let report = becomes(pbx, &call, &passed().went("agents,1091,1"))?;
        let heard = heard(pbx, &report)?;
        let files: Vec<usize> = all.iter().map(|sound| sound.frames.len()).collect();
        ensure!(heard == files, "{heard:?} is not {files:?}");
        for (sound, samples) in all.iter().zip(decoded(pbx, &report.sounds)?) {
            // The decoder keeps the end of the last frame.
            let right = samples.abs_diff(sound.samples) <= 2 * sound.frame_samples;
            ensure!(right, "{}: {samples}, not {}", sound.path, sound.samples);
        }
        Ok(())
    });
}

#[test]
fn tagged_mp3_of_a_prompt_plays() {
    on(Sets::new().builder(), |pbx, service| {
        pbx.cli("module load format_mp3.so")?;
        let sound = mp3(KINDS[0], true, 16_655);
        let file = [sound.tag.as_slice(), &sound.frames].concat();
        service.answers(&sound.path, &[Answer::sound("audio/mpeg", &file)])?;
        let call = Call::new(format!("1234,,,{}", url(&sound.path))).keys("1234#");
        let report = becomes(pbx, &call, &passed().attempts("1"))?;
        ensure!(heard(pbx, &report)? == [sound.frames.len()]);
        Ok(())
    });
}
