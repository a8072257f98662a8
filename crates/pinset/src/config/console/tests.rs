use std::fs::{self, Permissions};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::os::unix::net::UnixListener;

use super::syntax::parse_console_file as parse;
use super::*;
use crate::config::pin_set::Identify;
use crate::config::Settings;
use proptest::prelude::*;

const LISTS: &str = "/etc/asterisk/pins";

/// The sections of a file, each as its name, its line, and its options.
fn sections(text: &str) -> Vec<String> {
    let sections = parse(text.as_bytes()).expect("valid");
    let option =
        |option: &ConsoleOption| format!(" {}:{}={}", option.line, option.name, option.value);
    let section = |section: &ConsoleSection| {
        let options: String = section.options.iter().map(option).collect();
        format!("{}:{}{options}", section.line, section.name)
    };
    sections.iter().map(section).collect()
}

/// The only section of a file, with these defaults: the PIN set and its errors.
fn pin_set(options: &str, defaults: &PinSet) -> (PinSet, Vec<String>) {
    let sections = parse(format!("[customers]\n{options}").as_bytes()).expect("valid");
    let (set, errors) = sections[0].pin_set(defaults, Path::new(LISTS));
    let errors = errors
        .iter()
        .map(|(option, error)| format!("{} {}: {error}", option.line, option.name));
    (set, errors.collect())
}

#[test]
fn sections_options_and_comments_are_parsed() {
    for (text, expected) in [
        ("", &[][..]),
        ("; a comment [x]\n\n  \t\r\n", &[]),
        (
            "[customers]\r\nsource = file:/a b\r\n",
            &["1:customers 2:source=file:/a b"],
        ),
        (
            "\n[A.b-c_9]\n Min_Digits=4 ; at least\nx =\n[b] ; another\ny = a = b",
            &["2:A.b-c_9 3:min_digits=4 4:x=", "5:b 6:y=a = b"],
        ),
    ] {
        assert_eq!(sections(text), expected, "{text:?}");
    }
}

#[test]
fn other_syntax_refuses_the_file() {
    let long = "x".repeat(80);
    for (text, line, message) in [
        (
            "[a]\n#include /etc/asterisk/manager.conf\n",
            2,
            "#include, #exec",
        ),
        ("#exec /bin/true\n", 1, "#include, #exec"),
        ("  #tryinclude x\n", 1, "#include, #exec"),
        ("[a](!)\n", 1, "must be [NAME] alone"),
        ("[a]\n[b](a)\n", 2, "must be [NAME] alone"),
        ("[a](+)\n", 1, "must be [NAME] alone"),
        ("[a\n", 1, "must be [NAME] alone"),
        ("[general]\n", 1, "[general] belongs to authenticate.conf"),
        ("[GENERAL]\n", 1, "[general] belongs to authenticate.conf"),
        ("[]\n", 1, "the name of a PIN set"),
        ("[a/b]\n", 1, "the name of a PIN set"),
        ("[a b]\n", 1, "the name of a PIN set"),
        ("[a]]\n", 1, "the name of a PIN set"),
        ("[\u{e9}]\n", 1, "the name of a PIN set"),
        (&format!("[{long}]\n"), 1, "the name of a PIN set"),
        ("source = file:/x\n[a]\n", 1, "no [NAME] is above it"),
        ("[a]\nsource\n", 2, "must be option = value"),
        ("[a]\n= x\n", 2, "must be option = value"),
        ("[a]\nattempts += 4\n", 2, "must be option = value"),
        ("[a]\n\u{202e}x = y\n", 2, "must be option = value"),
        (&format!("[a]\n{long} = y\n"), 2, "must be option = value"),
        ("[a]\n;-- x\ny = z\n--;\n", 2, "comments with ;--"),
        ("[a]\nsource = file:/x\x1b[2J\n", 2, "a control character"),
        ("[a]\n; \0\n", 2, "a control character"),
        ("[a]\nx = \u{85}\n", 2, "a control character"),
        (
            &format!("[a]\n{}", "x = y\n".repeat(21)),
            22,
            "over 20 options",
        ),
    ] {
        let error = parse(text.as_bytes()).expect_err(text);
        assert_eq!(error.line, Some(line), "{text:?}");
        assert!(error.to_string().contains(message), "{text:?}: {error}");
    }
    let error = parse(b"[a]\nsource = \xff\n").expect_err("no UTF-8");
    assert_eq!(
        (error.line, error.to_string()),
        (Some(2), "not in UTF-8".to_owned())
    );
}

#[test]
fn allowed_options_make_a_pin_set() {
    let defaults = PinSet {
        attempts: 7,
        source: Some(Source::Astdb("PINSETS/1".to_owned())),
        ..PinSet::default()
    };
    let (set, errors) = pin_set(
        "source = file:/etc/asterisk/pins/customers.csv\nidentify = caller\n\
         min_digits = 4\nmax_digits = 6\naccount_code = yes\n",
        &defaults,
    );
    assert_eq!(errors, [""; 0]);
    let path = Path::new(LISTS).join("customers.csv");
    let wanted = PinSet {
        source: Some(Source::File(path)),
        identify: Identify::Caller,
        min_digits: 4,
        max_digits: 6,
        account_code: AccountCode::Account,
        attempts: 7,
        confined_to: Some(LISTS.into()),
        ..PinSet::default()
    };
    assert_eq!(set, wanted);
    // That of [general] is not theirs.
    let (set, errors) = pin_set("identify = pin\n", &defaults);
    assert_eq!((set.source, errors.len()), (None, 0));
}

#[test]
fn every_other_option_is_an_error() {
    let of_pin_sets = PinSet::default().all_options();
    let names = of_pin_sets.iter().map(|(name, _)| *name);
    let general = [
        "pepper_file",
        "console_sets",
        "console_lists",
        "max_list_memory",
    ];
    for name in names.chain(general) {
        let (set, errors) = pin_set(&format!("{name} = x\n"), &PinSet::default());
        let is_allowed = OPTIONS.contains(&name);
        let not_allowed = errors[0].starts_with(&format!("2 {name}: not allowed in console_sets"));
        assert_eq!(not_allowed, !is_allowed, "{errors:?}");
        let unchanged = PinSet {
            confined_to: Some(LISTS.into()),
            ..PinSet::default()
        };
        assert_eq!(set, unchanged, "{name}");
    }
    for (options, error) in [
        ("no_option = 1\n", "2 no_option: there is no such option"),
        (
            "on_success = goto:vip,1,1\n",
            "2 on_success: not allowed in console_sets, only source, identify, min_digits, \
             max_digits, account_code: move the section to authenticate.conf",
        ),
        ("ATTEMPTS = 4\n", "2 attempts: not allowed"),
        ("min_digits = 0\n", "2 min_digits: must be a whole number"),
        (
            "identify = name\n",
            "2 identify: must be pin, caller or account",
        ),
        (
            "account_code = pin\n",
            "2 account_code: must be yes or no in console_sets",
        ),
        (
            "min_digits = 4\nmax_digits = 5\nMin_Digits = 3\n",
            "4 min_digits: set in line 2 already: remove one of both",
        ),
    ] {
        let (_, errors) = pin_set(options, &PinSet::default());
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with(error), "{errors:?}");
    }
}

#[test]
fn source_is_a_file_below_the_lists() {
    for (source, is_below) in [
        ("file:/etc/asterisk/pins/a.csv", true),
        ("FILE:/etc/asterisk/pins/sub/./a", true),
        ("file:/etc/asterisk//pins/a", true),
        ("file:/etc/asterisk/pins", false),
        ("file:/etc/asterisk/pins/.", false),
        ("file:/etc/asterisk/pins/../manager.conf", false),
        ("file:/etc/asterisk/x/../pins/a", false),
        ("file:/etc/asterisk/pins/a/../b", false),
        ("file:/etc/asterisk/pins.csv", false),
        ("file:/etc/asterisk/pinsx/a", false),
        ("file:/etc/passwd", false),
        ("file:pins/a", false),
        ("/etc/asterisk/pins/a", false),
        ("astdb:PINSETS/1", false),
        ("https://crm.example.com/", false),
        ("http://127.0.0.1/", false),
        ("realtime:pins", false),
        ("", false),
    ] {
        let (set, errors) = pin_set(&format!("source = {source}\n"), &PinSet::default());
        assert_eq!(set.source.is_some(), is_below, "{source}");
        let message = "2 source: must be file: and a path below the folder console_lists, \
                       without '..'";
        let expected = if is_below { vec![] } else { vec![message] };
        assert_eq!(errors, expected, "{source}");
    }
}

/// A folder with files of these names and contents.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// The names of the files that are read, each with its sections or its error.
fn read(folder: &Path) -> Result<Vec<String>, String> {
    let files = read_folder(folder, |path| path.ends_with("skipped.conf"));
    let files = files.map_err(|error| error.to_string())?;
    let file = |file: &ConsoleFile| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        match &file.sections {
            Ok(sections) => {
                let names = sections.iter().map(|section| section.name.clone());
                format!("{name}: {}", names.collect::<Vec<_>>().join(" "))
            }
            Err(error) => format!("{name}: {error}"),
        }
    };
    Ok(files.iter().map(file).collect())
}

#[test]
fn files_of_the_folder_are_read_by_name() {
    let set = "[a]\n";
    let folder = folder(&[
        ("b.conf", "[b]\n[c]\n"),
        ("a.conf", set),
        ("skipped.conf", "#include x\n"),
        (".hidden.conf", set),
        ("a.conf.bak", set),
        ("conf", set),
        ("a\nb.conf", set),
        ("\u{202e}.conf", set),
    ]);
    let name = "the name of the file must have only letters, digits, '-', '_' and '.'";
    assert_eq!(
        read(folder.path()),
        Ok(vec![
            format!("a?b.conf: {name}"),
            "a.conf: a".to_owned(),
            "b.conf: b c".to_owned(),
            format!("?.conf: {name}"),
        ])
    );
    assert_eq!(read(&folder.path().join("none")), Ok(Vec::new()));
}

#[test]
fn what_is_no_regular_small_file_is_not_read() {
    let large = format!("[a]\n{}", "; comment\n".repeat(1700));
    let folder = folder(&[
        ("large.conf", &large),
        ("target", "[a]\n"),
        ("open.conf", "[a]\n"),
    ]);
    let at = |name: &str| folder.path().join(name);
    symlink(at("target"), at("link.conf")).expect("a link");
    symlink("nowhere", at("broken.conf")).expect("a link");
    fs::create_dir(at("folder.conf")).expect("a folder");
    let fifo = std::process::Command::new("mkfifo")
        .arg(at("fifo.conf"))
        .status();
    assert!(fifo.expect("run").success());
    let _socket = UnixListener::bind(at("socket.conf")).expect("a socket");
    fs::set_permissions(at("open.conf"), Permissions::from_mode(0o646)).expect("set");
    let link = "a symbolic link, which is not followed in console_sets";
    let special = "not a regular file";
    assert_eq!(
        read(folder.path()),
        Ok(vec![
            format!("broken.conf: {link}"),
            format!("fifo.conf: {special}"),
            format!("folder.conf: {special}"),
            "large.conf: over 16384 bytes".to_owned(),
            format!("link.conf: {link}"),
            "open.conf: world-writable: take the right to write from other users".to_owned(),
            format!("socket.conf: {special}"),
        ])
    );
}

#[test]
fn folder_with_too_much_or_open_to_all_is_refused() {
    let set = "[a]\n".repeat(1001);
    let many = folder(&[("many.conf", &set)]);
    assert_eq!(read(many.path()), Err("has over 1000 PIN sets".to_owned()));
    fs::set_permissions(many.path(), Permissions::from_mode(0o777)).expect("set");
    let error = "is world-writable: take the right to write from other users";
    assert_eq!(read(many.path()), Err(error.to_owned()));
    let files = folder(&[]);
    for number in 0..1001 {
        fs::write(files.path().join(format!("{number}.conf")), "").expect("written");
    }
    assert_eq!(read(files.path()), Err("has over 1000 files".to_owned()));
    let file = folder(&[("file", "")]);
    let error = read(&file.path().join("file")).expect_err("no folder");
    assert!(error.starts_with("can't be read: "), "{error}");
}

#[test]
fn folders_are_options_of_general() {
    let mut settings = Settings::default();
    for (name, value, is_right) in [
        ("console_sets", "/srv/sets/", true),
        ("console_lists", "/srv/pins", true),
        ("console_sets", "no", false),
        ("console_lists", "", false),
        ("console_lists", "/", false),
        ("console_lists", "pins", false),
    ] {
        let done = settings.set(name.as_bytes(), value.as_bytes());
        let error = Err(OptionError::InvalidFolder);
        assert_eq!(
            done,
            if is_right { Ok(()) } else { error },
            "{name} = {value}"
        );
    }
    let folders = (
        settings.console_sets.as_deref(),
        settings.console_lists.as_path(),
    );
    assert_eq!(
        folders,
        (Some(Path::new("/srv/sets")), Path::new("/srv/pins"))
    );
    assert_eq!(settings.set(b"console_sets", b""), Ok(()));
    assert_eq!(settings.console_sets, None);
}

proptest! {
    /// What is accepted is short, safe to print, and confined.
    #[test]
    fn parsing_any_text_is_safe(text in "(\\[[ab/\u{202e}]{0,3}\\]|source = file:/[a-z./]{0,9}|account_code=pin|;|--|#|=|\n|\n|\\PC){0,30}") {
        let Ok(sections) = parse(text.as_bytes()) else { return Ok(()) };
        for section in &sections {
            let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            prop_assert!(!section.name.is_empty() && section.name.bytes().all(is_safe));
            let (set, _) = section.pin_set(&PinSet::default(), Path::new(LISTS));
            prop_assert!(set.account_code != AccountCode::Pin);
            prop_assert!(set.confined_to.is_some());
            if let Some(source) = set.source {
                let Source::File(path) = source else { panic!("no file") };
                prop_assert!(path.starts_with(LISTS));
            }
        }
    }
}
