//! `pinset convert`.
#![allow(clippy::unwrap_used)]

mod lab;

use lab::{Lab, Ran, MD5_OF_PIN, OTHER, PIN};

fn convert(lab: &Lab, input: &str, more: &[&str]) -> Ran {
    lab.list("in", input);
    let _ = std::fs::remove_file(lab.path("out"));
    lab.run(&[&["convert", "in", "--to", "out"], more].concat(), "")
}

/// Converts it, as what it is found out to be, and as `from`.
fn plain(input: &str, from: &str, wanted: &str, left_out: &[&str]) {
    let lab = Lab::new();
    for from in [from, "auto"] {
        let ran = convert(&lab, input, &["--plain", "--from", from]);
        assert_eq!(
            ran.code,
            i32::from(!left_out.is_empty()),
            "{from}: {}",
            ran.err
        );
        assert_eq!(lab.text("out"), wanted, "{from}");
        assert_eq!(lab.mode("out"), 0o640);
        let named: Vec<_> = ran
            .err
            .lines()
            .filter(|line| line.contains("left out:"))
            .collect();
        assert_eq!(named.len(), left_out.len(), "{}", ran.err);
        for (line, wanted) in named.iter().zip(left_out) {
            assert!(line.starts_with(&format!("pinset: in: {wanted}")), "{line}");
        }
    }
}

#[test]
fn plain_and_freepbx() {
    for from in ["plain", "freepbx"] {
        plain(
            &format!("{PIN}\r\n\n{OTHER}\n{PIN}x\n{PIN}\n"),
            from,
            &format!("account,secret\n1,plain:{PIN}\n3,plain:{OTHER}\n"),
            &[
                "line 4: left out: it has a character",
                "line 5: left out: its PIN is that of line 1",
            ],
        );
    }
}

#[test]
fn md5_stays_md5() {
    let lab = Lab::new();
    let ran = convert(&lab, &format!("alice:{MD5_OF_PIN}\n:{MD5_OF_PIN}\n"), &[]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        lab.text("out"),
        format!("account,secret\nalice,md5:{MD5_OF_PIN}\n")
    );
}

#[test]
fn what_the_database_shows() {
    plain(
        &format!(
            "/PINSETS/1/{PIN}                             : 1                        \n\
                  /PINSETS/1/{OTHER}                           : a/b:c\n\
                  nonsense\n2 results found.\n"
        ),
        "database-show",
        &format!("account,secret\n1,plain:{PIN}\n2,plain:{OTHER}\n"),
        &["line 3: left out: it is not /FAMILY/KEY"],
    );
    let lab = Lab::new();
    let ran = convert(&lab, "/PINSETS/1/12 : 1\n/PINSETS/2/34 : 1\n", &[]);
    assert!(
        ran.code == 3 && ran.err.contains("line 2: another family"),
        "{}",
        ran.err
    );
    assert!(!lab.path("out").exists());
}

#[test]
fn fusionpbx() {
    plain(
        &format!(
            "\"pin_number_uuid\",\"domain_uuid\",\"pin_number\",\"accountcode\",\"enabled\",\"description\"\n\
             \"u1\",\"d\",\"{PIN}\",\"sales\",\"true\",\"Bob, sales\"\n\
             \"u2\",\"d\",\"4711471\",\"x\",\"false\",\"\"\n\
             \"u3\",\"d\",\"{OTHER}\",\"\",\"true\",\"\"\n\
             \"u4\",\"d\",\"\",\"y\",\"true\",\"\"\n\
             \"u5\",\"d\"\n"
        ),
        "fusionpbx",
        &format!("account,secret,name\nsales,plain:{PIN},\"Bob, sales\"\n4,plain:{OTHER},\n"),
        &[
            "line 3: left out: it is disabled",
            "line 5: left out: there is no PIN",
            "line 6: left out: it has more or fewer",
        ],
    );
}

#[test]
fn cisco() {
    plain(
        &format!(
            "Authorization Code Name,Authorization Code,Authorization Level\n\
             alice,{PIN},10\nbob,{OTHER},256\ncarol,{OTHER}\u{20},255\n"
        ),
        "cisco-fac",
        &format!("account,secret,level\nalice,plain:{PIN},10\ncarol,plain:{OTHER},255\n"),
        &["line 3: left out: level: it must be"],
    );
}

#[test]
fn our_own_lists_are_hashed() {
    let lab = Lab::new();
    lab.pepper();
    let ran = convert(
        &lab,
        &format!(
            "secret,account,caller,valid_until\nplain:{PIN},alice,+905060508169,2099-01-01\n\
             plain:{PIN},bob,,\nmd5:{MD5_OF_PIN},carol,,\nplain:{OTHER},dave,101,\n"
        ),
        &["--hmac-sha256", "--pepper", "pepper"],
    );
    assert!(
        ran.code == 1
            && ran
                .err
                .contains("line 5: left out: caller: it is no usable"),
        "{}",
        ran.err
    );
    let text = lab.text("out");
    assert!(!text.contains(PIN));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[1].starts_with("alice,hmac-sha256:main:"), "{text}");
    assert!(lines[1].ends_with(",+905060508169,2099-01-01"), "{text}");
    assert_eq!(lines[3], format!("carol,md5:{MD5_OF_PIN},,"));
    assert_eq!(
        lab.verify("out", &["--pepper", "pepper", "--account", "bob"], PIN),
        0
    );
    // Nothing is overwritten.
    assert_eq!(
        lab.run(&["convert", "in", "--to", "out", "--plain"], "")
            .code,
        3
    );
    assert_eq!(lab.text("out"), text);
}

#[test]
fn argon2id_unless_told_and_too_many_of_it() {
    let lab = Lab::new();
    let ran = convert(&lab, &format!("{PIN}\n"), &[]);
    assert!(
        ran.code == 0 && ran.err.contains("--hmac-sha256"),
        "{}",
        ran.err
    );
    assert_eq!(lab.verify("out", &["--account", "1"], PIN), 0);
    assert_eq!(lab.verify("out", &[], PIN), 1);
    let codes: String = (10..19)
        .map(|code| format!("same,{PIN}{code},1\n"))
        .collect();
    let head = "Authorization Code Name,Authorization Code,Authorization Level\n";
    let ran = convert(&lab, &format!("{head}{codes}"), &[]);
    assert!(
        ran.code == 3 && ran.err.contains("more than 8"),
        "{}",
        ran.err
    );
    assert!(!lab.path("out").exists());
}
