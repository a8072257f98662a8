//! Tests of `pinset convert`.
#![allow(clippy::unwrap_used)]

mod lab;

use lab::{Lab, Ran, MD5_OF_PIN, OTHER, PIN};

fn convert(lab: &Lab, input: &str, more: &[&str]) -> Ran {
    lab.list("in", input);
    let _ = std::fs::remove_file(lab.path("out"));
    lab.run(&[&["convert", "in", "--to", "out"], more].concat(), "")
}

/// Converts a file with the detected format, and with format `from`.
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
            .filter(|line| line.contains("skipped:"))
            .collect();
        assert_eq!(named.len(), left_out.len(), "{}", ran.err);
        for (line, wanted) in named.iter().zip(left_out) {
            assert!(line.starts_with(&format!("pinset: in: {wanted}")), "{line}");
        }
    }
}

#[test]
fn plain_and_freepbx_lists_are_converted() {
    for from in ["plain", "freepbx"] {
        plain(
            &format!("{PIN}\r\n\n{OTHER}\n{PIN}x\n{PIN}\n"),
            from,
            &format!("account,secret\n1,plain:{PIN}\n3,plain:{OTHER}\n"),
            &[
                "line 4: skipped: a character",
                "line 5: skipped: same PIN as line 1",
            ],
        );
    }
}

#[test]
fn md5_hashes_are_kept() {
    let lab = Lab::new();
    let ran = convert(&lab, &format!("alice:{MD5_OF_PIN}\n:{MD5_OF_PIN}\n"), &[]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        lab.text("out"),
        format!("account,secret\nalice,md5:{MD5_OF_PIN}\n")
    );
}

#[test]
fn database_show_is_converted() {
    plain(
        &format!(
            "/PINSETS/1/{PIN}                             : 1                        \n\
                  /PINSETS/1/{OTHER}                           : a/b:c\n\
                  nonsense\n2 results found.\n"
        ),
        "database-show",
        &format!("account,secret\n1,plain:{PIN}\n2,plain:{OTHER}\n"),
        &["line 3: skipped: not /FAMILY/KEY"],
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
fn fusionpbx_export_is_converted() {
    plain(
        &format!(
            "\"pin_number_uuid\",\"domain_uuid\",\"pin_number\",\"accountcode\",\"enabled\",\"description\"\n\
             \"u1\",\"d\",\"{PIN}\",\"sales\",\"true\",\"Bob, sales\"\n\
             \"u2\",\"d\",\"4711471\",\"x\",\"false\",\"\"\n\
             \"u3\",\"d\",\"{OTHER}\",\"\",\"true\",\"\"\n\
             \"u4\",\"d\",\"\",\"y\",\"true\",\"\"\n\
             \"u5\",\"d\"\n\
             \"u6\",\"d\",\"4711472\",\"x\",\"\",\"\"\n\
             \"u7\",\"d\",\"4711473\",\"x\",\"t\",\"\"\n"
        ),
        "fusionpbx",
        &format!(
            "account,secret,name,enabled\n\
             sales,plain:{PIN},\"Bob, sales\",\n\
             x,plain:4711471,,no\n\
             4,plain:{OTHER},,\n\
             x,plain:4711472,,no\n\
             x,plain:4711473,,no\n"
        ),
        &[
            "line 5: skipped: no PIN",
            "line 6: skipped: number of values differs",
        ],
    );
}

/// FusionPBX admits a PIN if one of its entries is enabled.
#[test]
fn enabled_pin_of_fusionpbx_is_kept_before_disabled_ones() {
    plain(
        &format!(
            "pin_number,accountcode,enabled\n\
             {PIN},old,false\n\
             {OTHER},ada,false\n\
             {PIN},new,true\n\
             {OTHER},bob,false\n"
        ),
        "fusionpbx",
        &format!("account,secret,enabled\nada,plain:{OTHER},no\nnew,plain:{PIN},\n"),
        &[
            "line 2: skipped: same PIN as line 4",
            "line 5: skipped: same PIN as line 3",
        ],
    );
}

#[test]
fn fusionpbx_export_without_enabled_is_refused_unless_assumed() {
    let lab = Lab::new();
    let input = include_str!("cases/fusion-cols.csv");
    let ran = convert(&lab, input, &["--plain"]);
    assert_eq!(ran.code, 3);
    for part in ["no column enabled", "--assume-enabled"] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    assert!(!lab.path("out").exists());
    let ran = convert(&lab, input, &["--plain", "--assume-enabled"]);
    assert_eq!(
        (ran.code, lab.text("out").as_str()),
        (0, "account,secret\n2,plain:0123\n")
    );
    // If the column exists, it is used.
    let input = "pin_number,enabled\n0123,FALSE\n4567,TRUE\n";
    let ran = convert(&lab, input, &["--plain", "--assume-enabled"]);
    assert_eq!(
        (ran.code, lab.text("out").as_str()),
        (
            0,
            "account,secret,enabled\n2,plain:0123,no\n3,plain:4567,\n"
        )
    );
    assert!(ran.err.contains("2 converted, 0 skipped"), "{}", ran.err);
}

#[test]
fn cisco_text_without_header_and_forced_code_are_converted() {
    plain(
        include_str!("cases/cisco-fac-noheader.csv"),
        "cisco-fac",
        "account,secret,level\nJohn Smith,plain:1234,20\nLisa Mendez,plain:1235,10\n\
         Debbie Dunn,plain:5551,30\n",
        &[],
    );
    plain(
        include_str!("cases/cisco-fac-forced.csv"),
        "cisco-fac",
        "account,secret,level\nJohn Smith,plain:1234,20\nLisa Mendez,plain:1235,010\n\
         \"Dunn, Debbie\",plain:5551,\n",
        &[],
    );
}

#[test]
fn prompt_lines_of_database_show_are_skipped() {
    let wanted = "account,secret\n2,plain:4711\n3,plain:8150\n";
    plain(
        include_str!("cases/database-show-prompt.txt"),
        "database-show",
        wanted,
        &[],
    );
    let coloured = "\x1b[0mpbx*CLI> \n\x1b[1m/PINSETS/1/4711\x1b[0m : 1\n/PINSETS/1/8150 : 1\n";
    plain(coloured, "database-show", wanted, &[]);
}

#[test]
fn tables_separated_by_semicolons_or_tabs_are_converted() {
    let input = include_str!("cases/excel-semicolon.csv");
    let wanted = "account,secret,caller\nada,plain:4711,+905060508169\n\
                  bob,plain:8150,0532 111 22 33\n";
    plain(input, "csv", wanted, &[]);
    plain(&input.replace(';', "\t"), "csv", wanted, &[]);
    plain(
        "pin_number;enabled;accountcode\n4711;true;a,b\n",
        "fusionpbx",
        "account,secret\n\"a,b\",plain:4711\n",
        &[],
    );
    plain(
        "1234;\"Smith, John\";20\n",
        "cisco-fac",
        "account,secret,level\n\"Smith, John\",plain:1234,20\n",
        &[],
    );
}

#[test]
fn accounts_with_pins_in_the_clear_are_converted() {
    let wanted = "account,secret,caller,name,level,valid_until,max_uses\n\
                  ada,plain:4711,+905060508169,Ada,3,2027-01-31,5\nbob,plain:8150,,,,,\n";
    let rows = "ada,4711,Ada,+905060508169,3,2027-01-31,5\nbob,8150,,,,,\n";
    plain(rows, "account-pin", wanted, &[]);
    let header = "Account,PIN,Name,Number,Level,Until,Uses\n";
    plain(&format!("{header}{rows}"), "account-pin", wanted, &[]);
    plain(
        "max_uses;caller;pin;account;e-mail;enabled\n5;0532 111 22 33;4711;ada;a@example.com;no\n",
        "account-pin",
        "account,secret,caller,max_uses,enabled\nada,plain:4711,0532 111 22 33,5,no\n",
        &[],
    );
    let two = "account,secret\nada,plain:4711\nbob,plain:8150\n";
    plain(
        "ada,4711\nbob,8150\nmax,8150\n",
        "account-pin",
        two,
        &["line 3: skipped: same PIN as line 2"],
    );
    plain(
        "pin\n4711\n",
        "account-pin",
        "account,secret\n2,plain:4711\n",
        &[],
    );
    let wrong = "ada,4711,Ada\nbob,8150\nmax,12x,\n";
    let skipped = [
        "line 2: skipped: number of values differs",
        "line 3: skipped: PIN with a character",
    ];
    plain(
        wrong,
        "account-pin",
        "account,secret,name\nada,plain:4711,Ada\n",
        &skipped,
    );
}

#[test]
fn nothing_converted_creates_no_file_and_lists_the_formats() {
    for input in [
        "",
        "x\ny\n",
        "account,secret\n",
        "pin_number,enabled\n,true\n",
    ] {
        let lab = Lab::new();
        let ran = convert(&lab, input, &["--plain"]);
        assert_eq!(ran.code, 3, "{input:?}");
        for form in [
            "--from",
            "plain",
            "md5",
            "database-show",
            "fusionpbx",
            "cisco-fac",
            "account-pin",
        ] {
            assert!(ran.err.contains(form), "{}", ran.err);
        }
        assert_eq!(lab.files(), ["in"]);
    }
}

/// A trunk prefix after the country code, a missing digit, or one too many.
#[test]
fn unusable_caller_number_is_reported() {
    let lab = Lab::new();
    let uk = ["--plain", "--country-code", "44"];
    let ran = convert(&lab, include_str!("cases/uk.csv"), &uk);
    assert_eq!(
        (ran.code, ran.err.contains("3 converted, 0 skipped")),
        (0, true),
        "{}",
        ran.err
    );
    for (caller, pin) in [
        ("02079460123", "4711"),
        ("+441614960123", "8150"),
        ("02079460999", "9034"),
    ] {
        let options = ["--caller", caller, "--country-code", "44"];
        assert_eq!(lab.verify("out", &options, pin), 0, "{caller}");
    }
    let missing =
        format!("account,secret,caller\nann,plain:{PIN},+44 20 7946 012\nben,plain:{OTHER},\n");
    let ran = convert(&lab, &missing, &uk);
    assert!(
        ran.code == 1 && ran.err.contains("line 2: skipped: caller: not a usable"),
        "{}",
        ran.err
    );
    let add = [
        "add",
        "new.csv",
        "--plain",
        "--account",
        "ann",
        "--country-code",
        "44",
        "--caller",
    ];
    let ran = lab.run(&[&add[..], &["+44 20 7946 012"]].concat(), PIN);
    assert!(
        ran.code == 3 && ran.err.contains("--caller: not a usable"),
        "{}",
        ran.err
    );
    assert_eq!(
        lab.run(&[&add[..], &["+44 (0)20 7946 0123"]].concat(), PIN)
            .code,
        0
    );
    let verify = ["--country-code", "44", "--caller", "+44 20 7946 012"];
    assert_eq!(lab.verify("new.csv", &verify, PIN), 3);
}

#[test]
fn cisco_export_is_converted() {
    plain(
        &format!(
            "Authorization Code Name,Authorization Code,Authorization Level\n\
             alice,{PIN},10\nbob,{OTHER},256\ncarol,{OTHER}\u{20},255\n"
        ),
        "cisco-fac",
        &format!("account,secret,level\nalice,plain:{PIN},10\ncarol,plain:{OTHER},255\n"),
        &["line 3: skipped: level: must be"],
    );
}

#[test]
fn plain_secrets_of_own_lists_are_hashed() {
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
        ran.code == 1 && ran.err.contains("line 5: skipped: caller: not a usable"),
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
fn argon2id_is_the_default_and_limited_per_caller() {
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
