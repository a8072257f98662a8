//! Unchanged behaviour of the stock module: prompts, attempts, timeouts, `maxdigits`,
//! spellings of arguments.

use std::time::Duration;

use harness::Call;

use crate::expect::{failed, passed, passed_second, passed_third, silent};
use crate::row::Row;

/// How many seconds Asterisk waits for the first digit and for the next.
const FIRST_DIGIT: f64 = 10.0;
const DIGIT: f64 = 5.0;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = conversation();
    rows.extend(timeouts());
    rows.extend(max_digits());
    rows.extend(prompts());
    rows.extend(arguments());
    rows
}

fn conversation() -> Vec<Row> {
    let nothing = failed()
        .status("ERROR")
        .attempts("")
        .sounds(&[])
        .never_opened()
        .logged("Authenticate requires an argument(password)");
    vec![
        Row::new(
            "right at once",
            "1234",
            "1234#",
            passed().reply(0.0, 0.9 * DIGIT),
        ),
        Row::new("right at last", "1234", "1# 2# 1234#", passed_third()),
        Row::new(
            "three wrong ones, and no fourth",
            "1234",
            "1# 2# 3# 1234#",
            // The goodbye is a sound, during which digits arrive.
            failed().whatever_keyed(),
        ),
        Row::new("nobody there", "1234", "", silent()).impatient(),
        Row::new("only #", "1234", "# # #", failed()),
        Row::new(
            "silent first, then right",
            "1234",
            "<silence> 1234#",
            passed_second(),
        )
        .impatient(),
        Row::new(
            "one # in three attempts is no silence",
            "1234",
            "<silence> #",
            failed(),
        )
        .impatient(),
        Row::new("without arguments", "", "", nothing),
        Row::new("answered before", "1234", "1234#", passed()).answered(),
        Row::new(
            "a key stops the prompt",
            // Whole it takes 73 seconds.
            "1234,,,demo-instruct",
            "1234#",
            passed()
                .sounds(&["demo-instruct", "auth-thankyou"])
                .elapsed(0.5, 60.0),
        ),
        Row::new(
            "keys after the prompt",
            "1234",
            "<after-prompt><wait 0.5>1234#",
            passed(),
        ),
        Row::new("every key but #", "12*ABCD0", "12*ABCD0#", passed()),
        Row::new("no PIN matches #", "12#34", "12#34#", failed()).impatient(),
        Row::new(
            "longer than the PIN",
            "1234",
            "12345# 123# 1234#",
            passed_third(),
        ),
    ]
}

fn timeouts() -> Vec<Row> {
    vec![
        Row::new(
            "ten seconds for the first key",
            "1234,,,beep",
            "",
            // Three times ten, and the sounds: auth-incorrect takes long.
            silent()
                .sounds(&["beep", "auth-incorrect", "auth-incorrect", "vm-goodbye"])
                .elapsed(40.4, 40.4 + 0.9 * FIRST_DIGIT),
        )
        .slow(),
        Row::new(
            "five seconds for the next",
            "1234",
            "1234",
            passed().reply(0.98 * DIGIT, 0.9 * FIRST_DIGIT),
        )
        .slow(),
        Row::new(
            "a part is judged when time is up",
            "1234",
            "12 1234",
            passed_second().reply(1.9, 0.9 * DIGIT),
        )
        .impatient(),
        Row::new(
            "TIMEOUT(response) and TIMEOUT(digit)",
            "1234,,,beep",
            "<silence> 12",
            // Two seconds, one behind the 2, two.
            silent()
                .status("FAILURE")
                .sounds(&["beep", "auth-incorrect", "auth-incorrect", "vm-goodbye"])
                .reply(0.9, 0.9 * DIGIT)
                .elapsed(11.0, 11.0 + FIRST_DIGIT),
        )
        .with(|call| call.timeouts(Duration::from_secs(2), Duration::from_secs(1)))
        .slow(),
        Row::new(
            "a list that ends in &",
            "1234,,,beep&",
            "",
            silent()
                .sounds(&["beep", "auth-incorrect", "auth-incorrect", "vm-goodbye"])
                .elapsed(34.4, 42.0),
        )
        .with(|call| call.variable("TIMEOUT(response)", "8"))
        .slow()
        // It waits the time for the first key twice.
        .marked(
            "empty item",
            silent()
                .sounds(&["beep", "auth-incorrect", "auth-incorrect", "vm-goodbye"])
                .elapsed(42.4, 50.0),
        ),
    ]
}

fn max_digits() -> Vec<Row> {
    let at_once = || passed().reply(0.0, 0.9 * DIGIT);
    let unlimited = |name, number: &str| {
        Row::new(
            name,
            &format!("123456789012,,{number}"),
            "123456789012#",
            passed(),
        )
    };
    let long = "0123456789".repeat(26);
    let (most, over) = (&long[..254], &long[..255]);
    vec![
        Row::new("maxdigits 6", "123456,,6", "123456", at_once()),
        Row::new(
            "maxdigits 6), as in a recipe",
            "123456,,6)",
            "123456",
            at_once(),
        ),
        Row::new("maxdigits with a blank", "1234,, 4", "1234", at_once()),
        Row::new(
            "maxdigits 4abc",
            "1234,,4abc",
            "1234",
            at_once().logged("maxdigits '4abc' is read as 4"),
        )
        // It reads the same without a word.
        .marked("S", at_once()),
        Row::new(
            "maxdigits over 32 bits",
            "1234,,4294967300",
            "1234",
            at_once(),
        ),
        Row::new("fewer keys than maxdigits", "12,,4", "12#", passed()),
        Row::new("more keys than maxdigits", "1234,,2", "12 34 12", failed()),
        unlimited("maxdigits 0", "0"),
        unlimited("maxdigits -1", "-1"),
        unlimited("maxdigits 300", "300"),
        unlimited("maxdigits abc", "abc"),
        Row::new("254 keys are an entry", most, most, passed())
            .with(|call| call.key_gap(Duration::ZERO))
            .slow(),
        Row::new("255 keys are none", over, over, failed())
            .with(|call| call.key_gap(Duration::ZERO))
            .impatient()
            .slow(),
    ]
}

fn prompts() -> Vec<Row> {
    let sounds = |sounds: &[&'static str]| passed().sounds(sounds);
    let in_xx = "install -D /usr/share/asterisk/sounds/en/beep.gsm \
                 /usr/share/asterisk/sounds/xx/only-in-xx.gsm";
    vec![
        Row::new(
            "another prompt",
            "1234,,,beep",
            "1234#",
            sounds(&["beep", "auth-thankyou"]),
        ),
        Row::new(
            "another prompt, once",
            "1234,,,beep",
            "1# 1234#",
            passed_second().sounds(&["beep", "auth-incorrect", "auth-thankyou"]),
        ),
        Row::new(
            "the first of two is entered into",
            "1234,,,agent-pass&beep",
            "1234#",
            sounds(&["agent-pass", "auth-thankyou"]),
        ),
        Row::new(
            "both of two are heard",
            "1234,,,beep&agent-pass",
            "<silence> 1234#",
            sounds(&["beep", "agent-pass", "auth-thankyou"]),
        ),
        Row::new(
            "only # in the first of two",
            "1234,,,agent-pass&beep",
            "# 1234#",
            passed_second(),
        ),
        Row::new(
            "no prompt",
            "1234,,,&",
            "<now>1234#",
            sounds(&["auth-thankyou"]),
        ),
        Row::new(
            "empty items of a list",
            "1234,,,&beep&&",
            "1234#",
            sounds(&["beep", "auth-thankyou"]),
        ),
        Row::new(
            "blanks and quotes in a list",
            "1234,,, 'beep' & \"agent-pass\" ",
            "<silence> 1234#",
            sounds(&["beep", "agent-pass", "auth-thankyou"]),
        )
        .before_16_30(Some(failed().sounds(&["vm-goodbye"]).whatever_keyed())),
        Row::new(
            "a prompt's path",
            "1234,,,/pins/path-prompt",
            "1234#",
            sounds(&["/pins/path-prompt", "auth-thankyou"]),
        )
        .shell("cp /usr/share/asterisk/sounds/en/beep.gsm /pins/path-prompt.gsm"),
        Row::new(
            "a missing first of two",
            "1234,,,no-such-sound&beep",
            "1234#",
            sounds(&["beep", "auth-thankyou"]),
        ),
        Row::new(
            "the channel's language",
            "1234,,,only-in-xx",
            "1234#",
            sounds(&["only-in-xx", "auth-thankyou"]),
        )
        .with(|call| call.variable("CHANNEL(language)", "xx"))
        .shell(in_xx),
        Row::new(
            "the language without its country",
            "1234,,,only-in-xx",
            "1234#",
            sounds(&["only-in-xx", "auth-thankyou"]),
        )
        .with(|call| call.variable("CHANNEL(language)", "xx_YY"))
        .shell(in_xx),
    ]
}

fn arguments() -> Vec<Row> {
    let list = |name, args: &str| Row::new(name, args, "1234#", passed().code("1234"));
    vec![
        list("a comma in quotes", "\"/pins/a,b\",a").file("a,b", "1234\n"),
        list("a comma behind a backslash", "/pins/c\\,d,a").file("c,d", "1234\n"),
        list("a comma in parentheses", "/pins/e(f,g),a").file("e(f,g)", "1234\n"),
        list("a comma in brackets", "/pins/h[i,j],a").file("h[i,j]", "1234\n"),
        list("a blank in a name", "/pins/k l,a").file("k l", "1234\n"),
        list("a quoted PIN", "\"1234\",a"),
        list("an option with an argument", "1234,a(b,c)"),
        Row::new(
            "an unknown option",
            "1234,Wa",
            "1234#",
            passed().code("1234").logged("Unrecognized option: 'W'"),
        ),
        Row::new(
            "a blank before the options",
            "1234, a",
            "1234#",
            passed().code("1234").logged("Unrecognized option: ' '"),
        ),
        Row::new(
            "an option that is never closed",
            "1234,aV(",
            "1234#",
            passed()
                .code("1234")
                .logged("Missing closing parenthesis for argument 'V'"),
        ),
        Row::of(
            "no comma is too many",
            Call::new("1234,,,beep,x").keys("<now><wait 1>1234#"),
            // The last argument is all of the rest: no such sound.
            passed(),
        )
        .marked("J", failed().sounds(&["vm-goodbye"]).whatever_keyed()),
    ]
}
