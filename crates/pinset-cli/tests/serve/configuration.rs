//! Configuration errors, with file, line and option.

use crate::server::{lab, write, HIPCALL};

#[test]
fn configuration_error_names_file_line_and_option() {
    let lab = lab();
    std::fs::create_dir_all(lab.path("sub/x")).unwrap();
    lab.file("sub/a.cred", "secret", 0o600);
    let head = "state = \"LAB/state.db\"\n";
    for (text, said) in [
        ("listen = \"here\"\n", "serve.toml:1: listen: must be an address"),
        ("listen = \n", "serve.toml:1: "),
        ("lisen = \"127.0.0.1:1\"\n", "serve.toml:1: lisen: unknown field `lisen`"),
        ("", "no [service.NAME] section"),
        ("[numbers]\ncountry_code = 090\n", "serve.toml:2: [numbers] country_code: "),
        ("[numbers]\ncountry_code = \"090\"\n", "serve.toml:2: [numbers] country_code: must be a country code"),
        ("[lists]\nsource_timeout = 100\n", "serve.toml:2: [lists] source_timeout: "),
        ("[limits]\nbody = 0\n", "serve.toml:2: [limits] body: must be from 1"),
        ("[log]\ndays = 0\n", "serve.toml:2: [log] days: must be above 0"),
        ("trusted_proxies = [\"x\"]\n", "serve.toml:1: trusted_proxies: must be an address"),
        ("[tls]\ncertificate = \"LAB/no.pem\"\nkey = \"LAB/no.key\"\n", "serve.toml:2: [tls] certificate: "),
        ("[service.a]\nlist = \"LAB/list.csv\"\n", "missing field `success`"),
        ("[service.a]\nlist = \"list.csv\"\nsuccess = [\"hangup\"]\nfailure = [\"hangup\"]\n", "serve.toml:2: [service.a] list: must be an absolute path"),
        ("[service.a]\nlist = \"realtime:pins\"\nsuccess = [\"hangup\"]\nfailure = [\"hangup\"]\n", "serve.toml:2: [service.a] list: PIN sets in Realtime are read by drivers of Asterisk"),
        ("[service.a]\ndatabase = \"realtime:pins\"\nsuccess = [\"hangup\"]\nfailure = [\"hangup\"]\n", "serve.toml:2: [service.a] database: PIN sets in Realtime are read by drivers of Asterisk"),
        ("[service.a]\nlist = \"LAB/list.csv\"\nsuccess = []\nfailure = [\"hangup\"]\n", "serve.toml:3: [service.a] success: must end with"),
        ("[service.a]\nlist = \"LAB/list.csv\"\nsuccess = [{ play = \"a.mp3\" }, \"hangup\"]\nfailure = [\"hangup\"]\n", "serve.toml:3: [service.a] success: must be a URL"),
        ("[service.a]\nlist = \"LAB/list.csv\"\nsuccess = [{ record = \"1\" }]\nfailure = [\"hangup\"]\n", "serve.toml:3: [service.a] success: unknown variant `record`"),
        ("[service.a]\npath = \"/logs\"\nHIPCALL", "serve.toml:2: [service.a] path: this path is reserved"),
        ("[service.a]\npath = \"logs\"\nHIPCALL", "serve.toml:2: [service.a] path: must be a path"),
        ("[service.a]\nidentify = \"name\"\nHIPCALL", "serve.toml:2: [service.a] identify: "),
        ("[service.a]\nidentify = \"account\"\nHIPCALL", "[service.NAME.account] is missing"),
        ("[service.a]\nattempts = 0\nHIPCALL", "serve.toml:2: [service.a] attempts: "),
        ("[service.a]\none_time = true\nHIPCALL", "serve.toml:2: [service.a] one_time: unknown field"),
        ("[service.a]\nlockout_caller = \"5\"\nHIPCALL", "serve.toml:2: [service.a] lockout_caller: "),
        ("[service.a]\nformat = \"plain\"\nHIPCALL", "identify = caller needs a csv list"),
        ("[service.a]\nauth = \"secret\"\nHIPCALL", "serve.toml:2: [service.a] auth: must be none, basic:FILE"),
        ("[service.a]\ngather.max_digits = 0\nHIPCALL", "serve.toml:2: [service.a] gather.max_digits: must be from 1"),
        ("[service.a]\ngather.variable_name = \"a b\"\nHIPCALL", "serve.toml:2: [service.a] gather.variable_name: must be a name"),
        ("[service.'a b']\nHIPCALL", "the name of a service must be"),
        ("[service.a]\nHIPCALL[service.b]\nHIPCALL", "serve.toml:6: [service.b] service 'a' has the same path"),
        ("[service.a]\nHIPCALL[service.'a b']\npath = \"/b\"\nHIPCALL", "serve.toml:6: [service.'a b'] the name of a service must be"),
        ("[limits]\nbody = 1\n[service.a] # the first\nidentify = \"account\"\nHIPCALL", "serve.toml:3: [service.a] callers must enter an account"),
        ("[numbers]\ncountry_code = \"90\"\n[service.a]\nlist = \"LAB/list.csv\"\n", "serve.toml:3: [service.a] missing field `success`"),
        ("audio = \"LAB\"\n[service.a]\nHIPCALL", "serve.toml:1: audio: 'serve.toml' would be served"),
        ("audio = \"LAB/sub/..\"\n[service.a]\nHIPCALL", "serve.toml:1: audio: "),
        ("audio = \"LAB/sub\"\nstate = \"LAB/sub/state.db\"\n[service.a]\nHIPCALL", "serve.toml:1: audio: 'LAB/sub/state.db' would be served"),
        ("audio = \"LAB/sub\"\n[log]\nfile = \"LAB/sub/x/../log.db\"\n[service.a]\nHIPCALL", "would be served"),
        ("audio = \"LAB/sub\"\n[service.a]\nauth = \"header:x-key:LAB/sub/a.cred\"\nHIPCALL", "would be served"),
        ("[limits] # [log]\nbody = 0\n", "serve.toml:2: [limits] body: "),
        ("[limits]\n[limit]\nbody = 1\n", "serve.toml:2: [limit] unknown field `limit`"),
        ("[limits]\n[log\n", "serve.toml:2: "),
        ("[log]\ndays = 1\n[log]\n", "serve.toml:3: [log] duplicate key"),
        ("[service.a]\nlist = \"LAB/list.csv\"\nfailure = [\"hangup\"]\nsuccess = [\n  { play = \"https://x\" },\n  { record = \"1\" },\n]\n", "serve.toml:6: [service.a] success: unknown variant `record`"),
        ("[service.a]\nHIPCALL[service.a.gather]\n", "serve.toml:6: [service.a.gather] "),
    ] {
        let text = text.replace("HIPCALL", HIPCALL.trim_start());
        let said = said.replace("LAB", lab.path("").to_str().unwrap().trim_end_matches('/'));
        let whole = if text.is_empty() { head.to_owned() } else { text };
        write(&lab, &whole);
        let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
        assert_eq!(ran.code, 3, "{whole}");
        assert!(ran.err.contains(&said), "{said}\n{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
}

#[test]
fn check_prints_what_would_be_served() {
    let lab = lab();
    write(
        &lab,
        &format!("[service.pins]\npath = \"/pins\"\n{HIPCALL}"),
    );
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "pins: http://127.0.0.1:5000/pins\n")
    );
    assert_eq!(lab.files(), ["list.csv", "logs.cred", "serve.toml"]);
    for (list, said) in [
        ("account,secret\nalice\n", "list.csv"),
        (
            "account,secret,caller,max_uses\na,plain:1234,+905060508169,3\n",
            "line 2: max_uses",
        ),
        (
            "account,secret,caller,context\na,plain:1234,+905060508169,inside\n",
            "line 2: context",
        ),
    ] {
        lab.list("list.csv", list);
        let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
        assert!(ran.code == 3 && ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn check_warns_of_list_that_admits_nobody() {
    let lab = lab();
    write(
        &lab,
        &format!("[service.pins]\npath = \"/pins\"\n{HIPCALL}"),
    );
    lab.list("list.csv", "account,secret\nalice,plain:1001\n");
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let warning = "service 'pins': rows are found by caller number, but no row has a value in a \
        column 'caller': nobody can be admitted";
    assert!(ran.err.contains(warning), "{}", ran.err);
}

/// The sample is valid except for the files that it names.
#[test]
fn sample_is_valid() {
    let lab = lab();
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../packaging/samples/serve.toml.sample"
    );
    let text = std::fs::read_to_string(sample).unwrap();
    let text = text
        .replace("/etc/pinset/", "LAB/")
        .replace("/var/lib/pinset/", "LAB/");
    lab.file("pbx.cred", "pbx:secret\n", 0o600);
    lab.list("customers.csv", crate::server::LIST);
    std::fs::create_dir(lab.path("audio")).unwrap();
    write(&lab, &text);
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.err);
    // Options that are commented out in it are valid, too.
    let all: Vec<_> = text
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .collect();
    write(&lab, &all.join("\n"));
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert!(
        !ran.err.contains("unknown field") && !ran.err.contains("TOML"),
        "{}",
        ran.err
    );
}

/// A file of the wrong type is reported and does not block the start.
#[test]
fn file_of_wrong_type_is_refused() {
    let lab = lab();
    let made = std::process::Command::new("mkfifo")
        .arg(lab.path("fifo"))
        .status();
    assert!(made.unwrap().success());
    lab.file(
        "text",
        "this is no database, but a text of some length",
        0o600,
    );
    std::fs::create_dir(lab.path("folder")).unwrap();
    for (name, said) in [
        ("fifo", ""),
        ("folder", "directory"),
        ("text", "not a database"),
        ("none/state.db", "No such file"),
    ] {
        for option in ["state", "[log]\nfile"] {
            write(
                &lab,
                &format!(
                    "listen = \"127.0.0.1:0\"\nstate = \"LAB/s.db\"\n{option} = \"LAB/{name}\"\n\
                     [service.a]\n{HIPCALL}"
                )
                .replace("state = \"LAB/s.db\"\nstate", "state"),
            );
            let ran = lab.run(&["serve", "--config", "serve.toml"], "");
            assert_eq!(ran.code, 3, "{option} {name}");
            assert!(
                ran.err.contains(name) && ran.err.contains(said),
                "{}",
                ran.err
            );
        }
    }
}
