//! `/setup` and `--check` with an Asterisk on this machine.

use std::fs;

use crate::fixture::{configure, lab, Browser};
use crate::lab::server::Server;
use crate::lab::Lab;

const SUM: &str = "0123456789abcdef0123456789abcdef";

/// Creates the files of an Asterisk where everything is right, and its program.
fn asterisk() -> Lab {
    let lab = lab("[numbers]\ncountry_code = 90\n");
    for folder in ["asterisk", "modules", "bin"] {
        fs::create_dir(lab.path(folder)).unwrap();
    }
    let modules = lab.path("modules");
    let conf = format!("[directories]\nastmoddir => {}\n", modules.display());
    lab.file("asterisk/asterisk.conf", conf, 0o644);
    lab.file(
        "asterisk/authenticate.conf",
        "[general]\ncountry_code = 90\n",
        0o644,
    );
    lab.file(
        "asterisk/logger.conf",
        "[logfiles]\na.log => authenticate\n",
        0o644,
    );
    lab.file("asterisk/cdr.conf", "[csv]\nloguniqueid = yes\n", 0o644);
    let module = format!("authrs-built-for:22:{SUM} ");
    lab.file("modules/app_authenticate_rs.so", module, 0o644);
    lab.file("modules/app_authenticate.so", SUM, 0o644);
    lab.file("bin/asterisk", "#!/bin/sh\necho Asterisk 22.5.2\n", 0o755);
    lab.file("bin/timedatectl", "#!/bin/sh\necho yes\n", 0o755);
    lab
}

/// Starts the console with these programs.
fn start(lab: &Lab) -> Server {
    let mut command = lab.command(&["console", "--config", "console.toml"]);
    command.env("PATH", lab.path("bin"));
    Server::run(lab, command)
}

/// Returns the rows of a check: level, text, remedy.
fn rows(page: &str, check: &str) -> Vec<[String; 3]> {
    let rows = page.split("<tr><td class=\"").skip(1);
    let rows = rows.map(|row| row.split("</tr>").next().unwrap());
    let rows = rows.filter(|row| row.contains(&format!("<td>{check}</td>")));
    let row = |row: &str| {
        let level = row.split('"').next().unwrap().to_owned();
        let cells: Vec<&str> = row.split("</td>").collect();
        let text = |at: usize| cells[at].replace("<td>", "").replace("<code>", "");
        [level, text(2), text(3).replace("</code>", "")]
    };
    rows.map(row).collect()
}

#[test]
fn asterisk_of_this_machine_is_checked_and_each_mistake_has_its_remedy() {
    let lab = asterisk();
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get("/setup").text();
    for (check, part) in [
        ("module_file", "is built for this Asterisk"),
        ("configuration", "authenticate.conf is valid"),
        ("numbers", "country_code = 90, "),
        ("audit_log", "is logged to a.log"),
        ("cdr", "loguniqueid = yes"),
        ("clock", "synchronized"),
    ] {
        let found = rows(&page, check);
        let is_right =
            |row: &[String; 3]| row[0] == "ok" && row[1].contains(part) && row[2].is_empty();
        assert!(found.iter().any(is_right), "{check}: {found:?}");
    }
    let other = "authrs-built-for:22:ffffffffffffffffffffffffffffffff ";
    lab.file("modules/app_authenticate_rs.so", other, 0o644);
    lab.file(
        "asterisk/authenticate.conf",
        "[general]\nnational_length = 9\n",
        0o644,
    );
    lab.file(
        "asterisk/logger.conf",
        "[logfiles]\na.log => notice\n",
        0o644,
    );
    lab.file("asterisk/cdr.conf", "[csv]\n", 0o644);
    lab.file("bin/timedatectl", "#!/bin/sh\necho no\n", 0o755);
    let page = browser.get("/setup").text();
    for (check, level, part, remedy) in [
        (
            "module_file",
            "error",
            "other build options",
            "build it with the headers of this Asterisk",
        ),
        (
            "numbers",
            "warning",
            "by other options than console.toml",
            "country_code = &quot;&quot;, national_length = &quot;9-9&quot;",
        ),
        (
            "audit_log",
            "warning",
            "logged nowhere",
            "authenticate.log =&gt; AUTHENTICATE",
        ),
        (
            "cdr",
            "warning",
            "calls have no identity",
            "loguniqueid = yes in [csv]",
        ),
        (
            "clock",
            "warning",
            "not synchronized",
            "timedatectl set-ntp true",
        ),
    ] {
        let found = rows(&page, check);
        let is_wrong =
            |row: &[String; 3]| row[0] == level && row[1].contains(part) && row[2].contains(remedy);
        assert!(found.iter().any(is_wrong), "{check}: {found:?}");
    }
    lab.file(
        "asterisk/authenticate.conf",
        "[doors]\nattempts = 0\n",
        0o644,
    );
    let page = browser.get("/setup").text();
    let found = rows(&page, "configuration");
    assert_eq!(found[0][0], "error");
    assert!(found[0][1].contains("line 2: attempts"), "{found:?}");
}

#[test]
fn each_pin_file_is_checked() {
    let lab = asterisk();
    lab.list("pins/a.csv", "account,secret\n");
    // Its owner or group can't be kept by the service.
    std::os::unix::fs::symlink("a.csv", lab.path("pins/link")).unwrap();
    lab.list("pins/b.csv", "account,secret\n");
    let server = start(&lab);
    let page = Browser::logged_in(&server, "ada").get("/setup").text();
    let texts: Vec<String> = rows(&page, "lists")
        .into_iter()
        .map(|row| row[1].clone())
        .collect();
    assert!(texts.contains(&"a.csv".to_owned()), "{texts:?}");
    assert!(texts.contains(&"b.csv".to_owned()), "{texts:?}");
    assert_eq!(texts.len(), 3);
}

#[test]
fn own_certificate_is_checked() {
    let lab = asterisk();
    let tls = "[tls]\ncertificate = \"LAB/cert.pem\"\nkey = \"LAB/key.pem\"\n";
    configure(&lab, tls);
    let key = rcgen::KeyPair::generate().unwrap();
    lab.file("key.pem", key.serialize_pem(), 0o600);
    for (year, line) in [(2020, "error: certificate: "), (3000, "ok: certificate: ")] {
        let mut parameters = rcgen::CertificateParams::new(["x".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 6, 2);
        let certificate = parameters.self_signed(&key).unwrap();
        lab.file("cert.pem", certificate.pem(), 0o644);
        let out = crate::fixture::check(&lab).out;
        let found = out.lines().find(|found| found.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("{line}: {out}"));
        assert!(found.contains(&format!("{year}-06-0")), "{found}");
    }
}
