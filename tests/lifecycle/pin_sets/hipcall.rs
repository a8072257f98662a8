//! Hipcall's guide "Authenticate Callers with PIN Verification": caller number and PIN
//! decide between customer support and sales.

use anyhow::{ensure, Context, Result};
use harness::Call;

use super::{all_become, becomes, call, on, passed, record, refused, row, shell, with, Want};

/// One `gather` of one to four digits, then `play` and `connect`.
const CONF: &str = "
[general]
country_code = 90

[customers]
source = file:/pins/customers.csv
identify = caller
attempts = 1
max_digits = 4
on_success = goto:internal,1091,1
on_failure = goto:internal,1092,1
prompt = pin-auth/pin_prompt
success_prompt = pin-auth/success
failure_prompt = pin-auth/failure
";

const SOUNDS: [&str; 3] = [
    "pin-auth/pin_prompt",
    "pin-auth/success",
    "pin-auth/failure",
];

const CUSTOMERS: &str = "account,secret,caller\n\
    ada,plain:1234,5060508169\n\
    bob,plain:77,5321112233\n";

/// The customer of the page, in each form a trunk may send.
const SPELLINGS: [&str; 5] = [
    "+905060508169",
    "905060508169",
    "05060508169",
    "5060508169",
    "00905060508169",
];

fn support() -> Want {
    passed()
        .went("internal,1091,1")
        .sounds(&["pin-auth/pin_prompt", "pin-auth/success"])
}

fn sales(status: &'static str) -> Want {
    refused(status)
        .went("internal,1092,1")
        .sounds(&["pin-auth/pin_prompt", "pin-auth/failure"])
}

/// A call from this number, with the number as the application sees it.
fn from(number: &str, keys: &str) -> Call {
    call("customers", keys)
        .caller(number)
        .report("CALLERID(num)")
}

#[test]
fn number_and_pin_decide_the_destination() {
    on(with(CONF).pin_file("customers.csv", CUSTOMERS), |pbx| {
        record(pbx, "en", &SOUNDS)?;
        let mut rows = Vec::new();
        for number in SPELLINGS {
            let came = |want: Want| want.variable("CALLERID(num)", number);
            rows.push(row(
                &format!("{number}, right"),
                from(number, "1234"),
                came(support().account("ada").attempts("1")),
            ));
        }
        let number = SPELLINGS[0];
        rows.push(row(
            "wrong",
            from(number, "4321"),
            sales("FAILURE").account("").attempts("1"),
        ));
        rows.push(row(
            "another customer's PIN",
            from(number, "77#"),
            sales("FAILURE").account(""),
        ));
        rows.push(row(
            "fewer digits than four, and #",
            from("+905321112233", "77#"),
            support().account("bob"),
        ));
        rows.push(row(
            "an unknown number",
            from("+905060508160", "1234"),
            sales("FAILURE").account(""),
        ));
        let short = std::time::Duration::from_millis(300);
        rows.push(row(
            "no PIN",
            from(number, "").timeouts(short, short),
            sales("TIMEOUT").account("").attempts("1"),
        ));
        // What the page's own code would compare with the database as it is.
        rows.push(row(
            "no number",
            call("customers", ""),
            refused("FAILURE")
                .went("internal,1092,1")
                .sounds(&["pin-auth/failure"]),
        ));
        all_become(pbx, &rows)
    });
}

/// Rows may be spelled in any of the forms, too.
#[test]
fn numbers_of_rows_are_normalized_like_callers() {
    on(with(CONF), |pbx| {
        record(pbx, "en", &SOUNDS)?;
        for (spelling, from_number) in SPELLINGS.iter().zip(SPELLINGS.iter().rev()) {
            let list = format!("account,secret,caller\nada,plain:1234,{spelling}\n");
            pbx.pin_file("customers.csv", list)?;
            becomes(pbx, &from(from_number, "1234"), &support())
                .with_context(|| format!("{spelling} in the list"))?;
        }
        // Of another country, it is another number.
        pbx.pin_file(
            "customers.csv",
            "account,secret,caller\nada,plain:1234,+15060508169\n",
        )?;
        becomes(pbx, &from("5060508169", "1234"), &sales("FAILURE")).map(drop)
    });
}

/// Layer III of MPEG 2.5, 8000 Hz, one channel, 8 kbit/s: a frame is 72 bytes
/// and 72 ms. Behind its four bytes of header, nothing but zeros is silence.
fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = [0; 72];
    frame[..4].copy_from_slice(&[0xff, 0xe3, 0x18, 0xc0]);
    frame.repeat(frames)
}

/// The page's sounds are MP3 files.
#[test]
fn mp3_prompts_play() {
    const FRAMES: usize = 20;
    const SECONDS: f64 = 0.072 * 20.0;
    let builder = with(CONF)
        .pin_file("customers.csv", CUSTOMERS)
        .modules("load = format_mp3.so");
    on(builder, |pbx| {
        for sound in SOUNDS {
            pbx.write_file("/harness/sound.mp3", mp3(FRAMES))?;
            let dir = "/usr/share/asterisk/sounds/en";
            shell(
                pbx,
                &format!("mkdir -p {dir}/pin-auth; cp /harness/sound.mp3 {dir}/{sound}.mp3"),
            )?;
        }
        let report = becomes(pbx, &from(SPELLINGS[0], "1234"), &support())?;
        // Started, and heard to its end: a file that can't be decoded is over
        // at once.
        let time = |wanted: &dyn Fn(&harness::Frame) -> bool| {
            let mut frames = report.events.iter();
            frames.find(|frame| wanted(frame))?.time()
        };
        let starts = time(&|frame| frame.has("Message", SOUNDS[1])).context("not played")?;
        let ends =
            time(&|frame| frame.event() == Some("Newexten") && frame.has("Context", "internal"));
        let played = ends.context("went nowhere")? - starts;
        ensure!(
            (SECONDS - 0.2..SECONDS + 5.0).contains(&played),
            "{played} s instead of {SECONDS} s"
        );
        Ok(())
    });
}

/// The page does it all in three lines more than the source.
#[test]
fn default_prompts_play() -> Result<()> {
    let conf = "[general]\n\
        country_code = 90\n\
        [customers]\n\
        source = file:/pins/customers.csv\n\
        identify = caller\n\
        on_success = goto:internal,1091,1\n\
        on_failure = goto:internal,1092,1\n";
    on(with(conf).pin_file("customers.csv", CUSTOMERS), |pbx| {
        let right = passed()
            .went("internal,1091,1")
            .sounds(&["agent-pass", "auth-incorrect", "auth-thankyou"])
            .account("ada")
            .attempts("2");
        let wrong = refused("FAILURE")
            .went("internal,1092,1")
            .sounds(&[
                "agent-pass",
                "auth-incorrect",
                "auth-incorrect",
                "vm-goodbye",
            ])
            .attempts("3");
        all_become(
            pbx,
            &[
                row("right", from(SPELLINGS[0], "9999# 1234#"), right),
                row("wrong", from(SPELLINGS[0], "9999# 77# 1#"), wrong),
            ],
        )
    });
    Ok(())
}
