//! PIN files, plain and with hashes, and families of Asterisk's database.

use crate::expect::{failed, passed, passed_second, silent, unreadable, Expect};
use crate::row::Row;

pub(super) const MD5_OF_1234: &str = "81dc9bdb52d04dc20036dbd8313ed055";
/// `echo 1234 | md5sum`.
const MD5_OF_1234_AND_LINE_END: &str = "e7df7cd2ca07f4f1ab415d457a6e1c13";
const MD5_OF_5678: &str = "674f3c2c1a8a6f90461e8a66fb5550ba";
const MD5_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = plain();
    rows.extend(written_oddly());
    rows.extend(md5());
    rows.extend(md5_oddly());
    rows.extend(families());
    rows
}

/// A row whose list is `/pins/NAME`, `args` being what follows that.
fn list(
    name: &'static str,
    file: &'static str,
    contents: impl Into<Vec<u8>>,
    args: &str,
    keys: &str,
    ours: Expect,
) -> Row {
    Row::new(name, &format!("/pins/{file}{args}"), keys, ours).file(file, contents)
}

fn plain() -> Vec<Row> {
    let orig = |expect: Expect| expect.code("orig");
    vec![
        list(
            "a list",
            "plain",
            "1111\n1234\n5678\n",
            "",
            "9999# 1234#",
            passed_second(),
        ),
        list(
            "a list, option a",
            "plain-a",
            "1111\n1234\n",
            ",a",
            "9# 1234#",
            passed_second().code("1234"),
        )
        .orig(),
        list(
            "a list without option a",
            "plain-no-a",
            "1234\n",
            "",
            "1234#",
            orig(passed()),
        )
        .orig(),
        list(
            "the start of a PIN is none",
            "starts",
            "12345\n",
            "",
            "1234# 123456# 1#",
            failed(),
        ),
        list("an empty list", "empty", "", "", "1234# 0# #", failed()),
        list(
            "an empty list, nobody there",
            "empty-silent",
            "",
            "",
            "",
            silent(),
        )
        .impatient(),
        list(
            "the last line has no end",
            "no-end",
            "1111\n1234",
            "",
            "1234#",
            passed(),
        )
        // It has not been written to for a while.
        .shell("touch -d '1 minute ago' /pins/no-end"),
        list(
            "somebody may still be writing the last line",
            "writing",
            "5678\n1234",
            "",
            "1234# 5678#",
            passed_second(),
        )
        .shell("touch -d '1 hour' /pins/writing")
        .marked("last line", passed().whatever_keyed()),
        Row::new(
            "a dangling symlink",
            "/pins/dangling",
            "1# 2# 3#",
            unreadable(),
        )
        .shell("ln -s /pins/nowhere /pins/dangling"),
        list(
            "a list that goes away",
            "goes",
            "1234\n",
            "",
            "9# 1234# 1234#",
            failed().status("ERROR"),
        )
        .meanwhile(|pbx, call| {
            call.until_sound("auth-incorrect")?;
            pbx.exec(&["rm", "/pins/goes"]).map(drop)
        }),
        Row::new("a symlink", "/pins/link", "1234#", passed())
            .file("link-to", "1234\n")
            .shell("ln -s link-to /pins/link"),
        list("r without d", "r", "1234\n", ",r", "1234#", passed()),
        Row::new(
            "no such list",
            "/pins/no-such-list",
            "1234# 1234# 1234#",
            unreadable(),
        )
        .with(|call| call.report("CDR(dst)")),
        Row::new(
            "no such list, nobody there",
            "/pins/no-such-list-2",
            "",
            unreadable(),
        )
        .impatient(),
        Row::new(
            "a list that comes late",
            "/pins/late",
            "1# 1234#",
            passed()
                .attempts("2")
                .sounds(&["agent-pass", "agent-pass", "auth-thankyou"]),
        )
        .meanwhile(|pbx, call| {
            // With the second prompt, the first attempt was verified.
            call.until_sound("agent-pass")?;
            call.until_sound_again("agent-pass")?;
            pbx.pin_file("late", "1234\n")
        }),
        list(
            "a PIN that is taken away",
            "removed",
            "1234\n",
            "",
            "9# 1234# 1234#",
            failed(),
        )
        .meanwhile(|pbx, call| {
            call.until_sound("agent-pass")?;
            pbx.pin_file("removed", "5678\n")
        }),
    ]
}

/// docs/compatibility.md, rows P and E.
fn written_oddly() -> Vec<Row> {
    let p = |name, file, contents: &[u8]| {
        list(name, file, contents, "", "1234# 1234# 1234#", passed())
            .with(|call| call.keys("1234#"))
            .impatient()
            .marked("P", failed())
    };
    vec![
        p("CRLF", "crlf", b"1111\r\n1234\r\n5678\r\n"),
        p("a byte order mark", "bom", b"\xef\xbb\xbf1234\n5678\n"),
        p("blanks around a PIN", "blanks", b"1111\n \t1234  \n"),
        list(
            "an over-long line's tail",
            "tail",
            format!("{}1234\n5678\n", "x".repeat(255)),
            "",
            "1234# 5678#",
            passed_second(),
        )
        .marked("E", passed().whatever_keyed()),
        list(
            "the tail of a line of many blocks",
            "long-tail",
            format!("{}1234\n5678\n", "9".repeat(255 * 40)),
            "",
            "1234# 5678#",
            passed_second(),
        )
        .marked("E", passed().whatever_keyed()),
        list(
            "an entry of nothing and a blank line",
            "blank-line",
            "\n1234\n",
            ",a",
            "# # #",
            failed().code("orig"),
        )
        .orig()
        .marked("M", failed()),
    ]
}

fn md5() -> Vec<Row> {
    let lines = format!("alice:{MD5_OF_1234}\nbob:{MD5_OF_5678}\n");
    let bob = || passed().account("bob");
    vec![
        list(
            "m and a",
            "md5-ma",
            lines.clone(),
            ",ma",
            "5678#",
            bob().code("bob"),
        )
        .orig(),
        list(
            "m alone",
            "md5-m",
            lines.clone(),
            ",m",
            "5678#",
            bob().code("orig"),
        )
        .orig(),
        list(
            "m, the second try",
            "md5-again",
            lines.clone(),
            ",am",
            "1# 1234#",
            passed_second().account("alice").code("alice"),
        ),
        list(
            "m, wrong",
            "md5-wrong",
            lines,
            ",ma",
            "1# 2# 3#",
            failed().code("orig"),
        )
        .orig(),
        list(
            "m, an account of blanks and dots",
            "md5-name",
            format!("a b.c:{MD5_OF_1234}\n"),
            ",ma",
            "1234#",
            passed().account("a b.c").code("a b.c"),
        ),
        list(
            "m, a plain list",
            "md5-plain",
            "1234\n",
            ",m",
            "1234# 1# 2#",
            failed(),
        ),
        Row::new(
            "m, no such list",
            "/pins/no-such-list-m,m",
            "1# 2# 3#",
            unreadable(),
        ),
        list(
            "m, the hash of nothing and silence",
            "md5-f",
            format!("eve:{MD5_OF_NOTHING}\n"),
            ",m",
            "",
            silent(),
        )
        .impatient()
        .marked("F", passed()),
        list(
            "m, the hash of nothing and #",
            "md5-f2",
            format!("eve:{MD5_OF_NOTHING}\n"),
            ",ma",
            "# # #",
            failed().code("orig"),
        )
        .orig()
        .marked("F", passed().code("eve").whatever_keyed()),
    ]
}

fn md5_oddly() -> Vec<Row> {
    let upper = MD5_OF_1234.to_uppercase();
    let alice = || passed().account("alice").code("alice");
    let odd = |name, file, contents: String| {
        list(name, file, contents, ",ma", "1234#", alice())
            .impatient()
            .marked("P", failed())
    };
    let without_account = || {
        failed()
            .code("orig")
            .logged("/pins/md5-n' line 1 gives nobody a PIN")
    };
    vec![
        odd("m, upper case", "md5-upper", format!("alice:{upper}\n")),
        odd("m, CRLF", "md5-crlf", format!("alice:{MD5_OF_1234}\r\n")),
        odd(
            "m, a blank behind the colon",
            "md5-colon",
            format!("alice: {MD5_OF_1234}\n"),
        ),
        odd(
            "m, as md5sum prints it",
            "md5-sum",
            format!("alice:{MD5_OF_1234}  -\n"),
        ),
        odd(
            "m, a blank at the end",
            "md5-end",
            format!("alice:{MD5_OF_1234} \n"),
        ),
        list(
            "m, a byte order mark",
            "md5-bom",
            format!("\u{feff}alice:{MD5_OF_1234}\n"),
            ",ma",
            "1234#",
            alice(),
        )
        .marked("P", alice().code("\u{feff}alice")),
        list(
            "m, no account",
            "md5-n",
            format!(":{MD5_OF_1234}\n"),
            ",ma",
            "1234# 1# 2#",
            without_account(),
        )
        .orig()
        .marked("M", failed()),
        list(
            "m, no account, without a",
            "md5-n2",
            format!(":{MD5_OF_1234}\n"),
            ",m",
            "1234# 1# 2#",
            failed()
                .code("orig")
                .logged("/pins/md5-n2' line 1 gives nobody a PIN"),
        )
        .orig()
        .marked("N", failed().code("orig")),
        list(
            "m, the MD5 of a PIN and a line end",
            "md5-echo",
            format!("eve:{MD5_OF_1234_AND_LINE_END}\n"),
            ",ma",
            "1234# 1# 2#",
            failed()
                .code("orig")
                .logged("/pins/md5-echo' gives 'eve' the MD5 of a PIN and a line end"),
        )
        .orig()
        .marked("line end", failed().code("orig")),
        list(
            "m, two colons",
            "md5-colons",
            format!("a:b:{MD5_OF_1234}\n"),
            ",ma",
            "1234# 1# 2#",
            failed().logged("/pins/md5-colons' line 1 gives nobody a PIN"),
        )
        .marked("N", failed()),
    ]
}

fn families() -> Vec<Row> {
    let left = |family, there| passed().key(family, "1234", there);
    vec![
        Row::new(
            "d",
            "/f-d,d",
            "9# 1234#",
            passed_second().key("f-d", "1234", true),
        )
        .key("f-d", "1234"),
        Row::new("d, the value does not matter", "/f-v,d", "1234#", passed())
            .with(|call| call.before("Set(DB(f-v/1234)=disabled)")),
        Row::new("d, not even an empty one", "/f-e,d", "1234#", passed())
            .with(|call| call.before("Set(DB(f-e/1234)=)")),
        Row::new(
            "d, a family of many levels",
            "/f/one/two,d",
            "1234#",
            passed(),
        )
        .key("f/one/two", "1234"),
        Row::new("d, a family above", "/f2/one,d", "1234# 1# 2#", failed())
            .key("f2/one/two", "1234"),
        Row::new("d, no such family", "/f-none,d", "1# 2# 3#", failed()),
        Row::new("d and a", "/f-da,da", "1234#", passed().code("1234"))
            .key("f-da", "1234")
            .orig(),
        Row::new("d, * and letters", "/f-star,d", "*1A#", passed()).key("f-star", "*1A"),
        Row::new("dr", "/f-dr,dr", "1234#", left("f-dr", false)).key("f-dr", "1234"),
        Row::new(
            "dr, the wrong one",
            "/f-dw,dr",
            "1# 2# 3#",
            failed().key("f-dw", "1234", true),
        )
        .key("f-dw", "1234"),
        Row::new(
            "dr, others are left",
            "/f-do,adr",
            "1234#",
            left("f-do", false).key("f-do", "5678", true).code("1234"),
        )
        .key("f-do", "1234")
        .key("f-do", "5678"),
        Row::new("dm", "/f-dm,dm", "1234#", left("f-dm", true).code("orig"))
            .key("f-dm", "1234")
            .orig(),
        Row::new(
            "dma",
            "/f-dma,dma",
            "1234#",
            left("f-dma", true).code("1234"),
        )
        .key("f-dma", "1234")
        .orig()
        .marked("O", left("f-dma", true).code("orig")),
        Row::new("d, an empty key and silence", "/f-c,d", "", silent())
            .with(|call| call.before("Set(DB(f-c/)=1)"))
            .impatient()
            .marked("C", passed()),
        Row::new(
            "d, an empty key and #",
            "/f-c2,da",
            "# # #",
            failed().code("orig"),
        )
        .with(|call| call.before("Set(DB(f-c2/)=1)"))
        .orig()
        .marked("C", passed().code("").whatever_keyed()),
    ]
}
