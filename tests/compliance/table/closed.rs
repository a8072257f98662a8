//! Calls for which the stock module admits a wrong caller, rejects the right one, or
//! never returns.

use crate::expect::{failed, passed, passed_second, passed_third, refused, unreadable};
use crate::row::{Place, Row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = refused_ones();
    rows.extend(sounds());
    rows.extend(habitual_hash());
    rows.extend(no_files());
    rows
}

fn refused_ones() -> Vec<Row> {
    let orig = || refused().code("orig");
    vec![
        Row::new("an empty password and silence", ",a", "", orig())
            .orig()
            .impatient()
            .marked("A", passed()),
        Row::new("an empty password and #", ",", "#", refused()).marked("A", passed()),
        Row::new("an empty password in quotes", "\"\"", "#", refused()).marked("A", passed()),
        Row::new("d without a slash", "1234,d", "1234#", refused()).marked("D", passed()),
        Row::new("d without a slash, option a", "1234,da", "1234#", orig())
            .orig()
            .marked("D", passed().code("1234")),
        Row::new("m without a slash", "1234,m", "1234#", refused()).marked("D", passed()),
        Row::new("d, and a slash only", "/,d", "", refused())
            .impatient()
            .marked("D", failed()),
        Row::new("no such PIN set", "pinset:1234", "1234#", refused())
            .impatient()
            .marked("pinset", failed()),
    ]
}

fn sounds() -> Vec<Row> {
    vec![
        Row::new(
            "the prompt is missing",
            "1234,,,no-such-sound",
            "<now><wait 1>1234#",
            // The one that asks unless told otherwise takes its place.
            passed(),
        )
        .marked("J", failed().sounds(&["vm-goodbye"]).whatever_keyed()),
        Row::new(
            "the last prompt of two is missing",
            "1234,,,beep&no-such-sound",
            "<after-prompt><wait 1>1234#",
            passed().sounds(&["beep", "auth-thankyou"]),
        )
        .marked(
            "J",
            failed().sounds(&["beep", "vm-goodbye"]).whatever_keyed(),
        ),
        Row::new(
            "auth-incorrect is missing",
            "1234",
            "9999# <now><wait 1>1234#",
            passed().attempts("2").sounds(&["agent-pass"]),
        )
        .place(Place::NoSounds)
        .marked("J", failed().sounds(&["agent-pass"]).whatever_keyed()),
        Row::new(
            "auth-thankyou is missing",
            "1234",
            "1234#",
            passed().sounds(&["agent-pass"]),
        )
        .place(Place::NoSounds)
        .marked("I", failed().sounds(&["agent-pass"])),
        Row::new(
            "auth-thankyou is missing, a PIN that works once",
            "/f-i,dr",
            "1234#",
            passed().sounds(&["agent-pass"]).key("f-i", "1234", false),
        )
        .key("f-i", "1234")
        .place(Place::NoSounds)
        .marked(
            "I",
            failed().sounds(&["agent-pass"]).key("f-i", "1234", false),
        ),
        Row::new(
            "vm-goodbye is missing",
            "/pins/no-such-list-g",
            "1# 2# 3#",
            unreadable().sounds(&["agent-pass", "agent-pass", "agent-pass"]),
        )
        .place(Place::NoSounds),
    ]
}

fn habitual_hash() -> Vec<Row> {
    vec![
        Row::new(
            "# after maxdigits, wrong",
            "1234,,4",
            "9999# 1234#",
            passed_second(),
        )
        .marked("L", passed_third()),
        Row::new("# after maxdigits, right", "1234,,4", "1234#", passed()),
        Row::new(
            "# long after maxdigits is an entry",
            "1234,,4",
            "9999<wait 3># 1234",
            passed_third(),
        ),
        Row::new(
            "# # after maxdigits is an entry",
            "1234,,4",
            "9999## 1234",
            passed_third(),
        )
        // Both are entries there, and the last ones.
        .marked("L", failed().whatever_keyed()),
    ]
}

/// docs/compatibility.md, rows B and X.
fn no_files() -> Vec<Row> {
    let never = |name, path: &str, letter| {
        Row::new(name, path, "1234# 1# 2#", unreadable()).marked_never(letter)
    };
    vec![
        never("a FIFO", "/pins/fifo", "X").shell("mkfifo /pins/fifo"),
        never("a directory", "/pins", "B"),
        never("a directory, option m", "/pins,m", "B"),
        never("/dev/zero", "/dev/zero", "X"),
        Row::new("/dev/null", "/dev/null", "1# 2# 3#", unreadable()).marked("X", failed()),
    ]
}
