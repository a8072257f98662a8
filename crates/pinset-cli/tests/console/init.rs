//! `pinset console init`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{getegid, geteuid};

use crate::fixture::{is_root, PASSWORD};
use crate::lab::{Lab, Ran};

const DEBIAN: &str = "[general]\nenabled = yes\nport = 5039\n#include \"manager.d/*.conf\"\n";

/// Returns user and group of the service, and the group of Asterisk: others than root's
/// where the test may use them.
fn accounts() -> (String, u32, u32, String, u32) {
    let of = |name: &str| nix::unistd::User::from_name(name).unwrap().unwrap();
    match is_root() {
        true => {
            let nobody = of("nobody");
            (
                nobody.name,
                nobody.uid.as_raw(),
                nobody.gid.as_raw(),
                "daemon".to_owned(),
                1,
            )
        }
        false => {
            let uid = geteuid().as_raw();
            let me = nix::unistd::User::from_uid(uid.into()).unwrap().unwrap();
            let gid = getegid().as_raw();
            (me.name, uid, me.gid.as_raw(), gid.to_string(), gid)
        }
    }
}

fn lab(manager: &str) -> Lab {
    let lab = Lab::new();
    fs::create_dir_all(lab.path("etc/manager.d")).unwrap();
    lab.file("etc/manager.conf", manager, 0o640);
    // Asterisk's command line: reports what it was asked.
    let program =
        "#!/bin/sh\nfor last; do :; done\necho \"$last\" >> \"$(dirname \"$0\")/asked\"\n";
    lab.file("asterisk", program, 0o755);
    lab
}

fn init(lab: &Lab, more: &[&str], password: &str) -> Ran {
    let (user, _, _, asterisk, _) = accounts();
    let (etc, own, program) = (lab.path("etc"), lab.path("own"), lab.path("asterisk"));
    let defaults = [
        ["--admin", "ada"],
        ["--user", &user],
        ["--asterisk-group", &asterisk],
        ["--config-dir", etc.to_str().unwrap()],
        ["--pinset-dir", own.to_str().unwrap()],
        ["--asterisk", program.to_str().unwrap()],
    ];
    let mut arguments = vec!["console", "init"];
    for [name, value] in defaults {
        if !more.contains(&name) {
            arguments.extend([name, value]);
        }
    }
    arguments.extend(more);
    lab.run(&arguments, &format!("{password}\n"))
}

#[track_caller]
fn is_owned(lab: &Lab, name: &str, owner: u32, group: u32, mode: u32) {
    let about = fs::metadata(lab.path(name)).unwrap();
    assert_eq!((about.uid(), about.gid()), (owner, group), "{name}");
    assert_eq!(lab.mode(name), mode, "{name}");
}

#[test]
fn numbering_options_of_authenticate_conf_are_taken_over() {
    let lab = lab(DEBIAN);
    let conf = "[general]\ncountry_code = 90\nnational_length = 9-10\n";
    lab.file("etc/authenticate.conf", conf, 0o640);
    assert_eq!(init(&lab, &[], PASSWORD).code, 0);
    let text = lab.text("own/console.toml");
    let part = "[numbers]\ncountry_code = \"90\"\nnational_length = \"9-10\"\n\n[pbx.main]\n";
    assert!(text.contains(part), "{text}");
    let folder = format!("config_dir = {:?}\n", lab.path("etc"));
    assert!(text.contains(&folder), "{text}");
}

#[test]
fn files_are_written_once_with_their_owners() {
    let lab = lab(DEBIAN);
    let (_, service, service_group, _, asterisk) = accounts();
    let ran = init(&lab, &[], PASSWORD);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let root = geteuid().as_raw();
    is_owned(&lab, "own", root, service_group, 0o750);
    is_owned(&lab, "etc/manager.d/pinset.conf", root, asterisk, 0o640);
    for name in ["own/console.toml", "own/ami.secret", "own/console.users"] {
        is_owned(&lab, name, root, service_group, 0o640);
    }
    for name in ["etc/pins", "etc/authenticate.d"] {
        is_owned(&lab, name, service, asterisk, 0o2750);
    }
    let sets = format!("sets = {:?}\n", lab.path("etc/authenticate.d"));
    assert!(lab.text("own/console.toml").contains(&sets));
    let secret = lab.text("own/ami.secret").trim().to_owned();
    assert_eq!(secret.len(), 64);
    let user = lab.text("etc/manager.d/pinset.conf");
    let lines: Vec<&str> = user.lines().filter(|line| !line.starts_with(';')).collect();
    assert_eq!(
        lines,
        [
            "[pinset]",
            &format!("secret = {secret}"),
            "deny = 0.0.0.0/0.0.0.0",
            "permit = 127.0.0.1/255.255.255.255",
            "read = security",
            "write = security",
            "eventfilter = Event: Authenticate",
        ]
    );
    assert!(lab
        .text("own/console.toml")
        .contains("address = \"127.0.0.1:5039\""));
    assert!(lab
        .text("own/console.users")
        .starts_with("ada:admin:$argon2id$"));
    assert_eq!(lab.text("asked"), "manager reload\n");
    for name in [
        "etc/manager.d/pinset.conf",
        "own/console.toml",
        "own/ami.secret",
        "own/console.users",
        "etc/pins",
        "etc/authenticate.d",
    ] {
        let line = format!("pinset: wrote {}", lab.path(name).display());
        assert!(ran.err.contains(&line), "{line}: {}", ran.err);
    }
    assert!(
        !ran.err.contains(&secret) && !ran.err.contains("AMI is off"),
        "{}",
        ran.err
    );
    let before = everything(&lab);
    let again = init(&lab, &[], "another password");
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(!again.err.contains("wrote"), "{}", again.err);
    assert_eq!(everything(&lab), before);
}

fn everything(lab: &Lab) -> Vec<String> {
    let names = ["own/console.toml", "own/ami.secret", "own/console.users"];
    let names = names
        .iter()
        .chain(&["etc/manager.d/pinset.conf", "etc/manager.conf"]);
    names.map(|name| lab.text(name)).collect()
}

#[test]
fn files_of_the_administrator_are_kept_and_used() {
    let lab = lab(DEBIAN);
    let user = "[pinset]\nsecret = of-the-administrator\nread = security\nwrite = security\n";
    lab.file("etc/manager.d/pinset.conf", user, 0o640);
    let ran = init(&lab, &["--lists-only"], PASSWORD);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(lab.text("etc/manager.d/pinset.conf"), user);
    assert_eq!(lab.text("own/ami.secret"), "of-the-administrator\n");
    assert!(!lab.path("etc/authenticate.d").exists());
    assert!(!lab.text("own/console.toml").contains("sets"));
}

#[test]
fn freepbx_file_gets_the_user_after_its_own() {
    let lab = lab("[general]\nenabled = no\n#include manager_custom.conf\n");
    lab.file("etc/manager_custom.conf", "[other]\nsecret = x", 0o660);
    let ran = init(&lab, &[], PASSWORD);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = lab.text("etc/manager_custom.conf");
    assert!(text.starts_with("[other]\nsecret = x\n\n; "), "{text}");
    assert!(text.contains("\n[pinset]\nsecret = "), "{text}");
    assert_eq!(lab.mode("etc/manager_custom.conf"), 0o660);
    assert!(
        ran.err.contains("AMI is off: set enabled = yes"),
        "{}",
        ran.err
    );
    let again = init(&lab, &[], PASSWORD);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(lab.text("etc/manager_custom.conf"), text);
}

#[test]
fn init_that_can_not_end_well_writes_nothing() {
    for (manager, more, password, message) in [
        (
            "[general]\n",
            &[][..],
            PASSWORD,
            "includes no file for the console's user: add the line #include",
        ),
        (DEBIAN, &[], "short", "must have at least 12 characters"),
        (
            DEBIAN,
            &["--user", "no-such-user"],
            PASSWORD,
            "there is no user no-such-user: adduser --system",
        ),
        (
            DEBIAN,
            &["--asterisk-group", "no-such-group"],
            PASSWORD,
            "--asterisk-group: no-such-group: no such group",
        ),
        (
            DEBIAN,
            &["--admin", "a:b"],
            PASSWORD,
            "the name of a user must be",
        ),
    ] {
        let lab = lab(manager);
        let ran = init(&lab, more, password);
        assert_eq!(ran.code, 3, "{more:?}");
        assert!(ran.err.contains(message), "{}", ran.err);
        assert!(!lab.path("own").exists() && !lab.path("etc/pins").exists());
        assert!(!lab.path("etc/manager.d/pinset.conf").exists());
    }
}

/// What the console writes there would have all options.
#[test]
fn included_folder_of_pin_sets_is_refused() {
    let lab = lab(DEBIAN);
    let conf = "[general]\n #tryinclude authenticate.d/*.conf\n";
    lab.file("etc/authenticate.conf", conf, 0o640);
    let ran = init(&lab, &[], PASSWORD);
    assert_eq!(ran.code, 3);
    let wanted = "authenticate.conf: line 2: the console would write files that are included here";
    assert!(ran.err.contains(wanted), "{}", ran.err);
    assert!(!lab.path("own").exists() && !lab.path("etc/authenticate.d").exists());
    assert_eq!(init(&lab, &["--lists-only"], PASSWORD).code, 0);
}
