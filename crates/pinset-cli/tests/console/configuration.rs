//! Configuration files that are refused, and what `--check` prints.

use crate::fixture::{check, configure, lab};

#[test]
fn invalid_configuration_names_file_line_option_and_remedy() {
    let lab = lab("");
    lab.file("ami.secret", "0123456789abcdef\n", 0o600);
    lab.file("open.secret", "0123456789abcdef\n", 0o604);
    for (options, message) in [
        ("listen = \"here\"", "5: listen: must be an address and a port: 127.0.0.1:5100"),
        ("listen = \"0.0.0.0:5100\"", "5: listen: passwords over plain HTTP at 0.0.0.0:5100: add [tls], listen on the loopback address, or name the proxy that has TLS in trusted_proxies"),
        ("nonsense = 1", "6: nonsense: unknown field `nonsense`"),
        ("hosts = [\"pbx:80\"]", "6: hosts: must be a name without a port"),
        ("trusted_proxies = [\"x\"]", "6: trusted_proxies: must be an address"),
        ("[numbers]\ncountry_code = \"0090\"", "7: [numbers] country_code: must be a country code of one to three digits"),
        ("[numbers]\nnational_length = 14\ncountry_code = 90", "8: [numbers] country_code: country_code and national_length together must not be over 15 digits"),
        ("[numbers]\ndefault_country = 90", "7: [numbers] default_country: unknown field `default_country`"),
        ("days = 0", "6: days: must be from 1 to 36500"),
        ("cdr = \"Master.csv\"", "6: cdr: must be an absolute path"),
        ("pepper_file = \"LAB/none\"", "6: pepper_file: LAB/none: No such file"),
        ("[tls]\ncertificate = \"LAB/none\"\nkey = \"LAB/none\"", "7: [tls] certificate: LAB/none: No such file"),
        ("[pbx.main]\nsecret = \"LAB/open.secret\"", "7: [pbx.main] secret: LAB/open.secret: others have rights to it"),
        ("[pbx.main]\naddress = \"192.0.2.1\"", "7: [pbx.main] address: must be a host and a port"),
        ("[pbx.main]\naddress = \"192.0.2.1:5038\"\nsecret = \"LAB/ami.secret\"", "7: [pbx.main] address: the AMI secret would go to 192.0.2.1:5038 without TLS: add ca or fingerprint"),
        ("[pbx.main]\nsecret = \"LAB/ami.secret\"\nfingerprint = \"00:11\"", "8: [pbx.main] fingerprint: must be the SHA-256 of a certificate"),
        ("[pbx.main]\nsecret = \"LAB/ami.secret\"\nuser = \"a\\nb\"", "8: [pbx.main] user: must be the name of an AMI user"),
        ("[pbx.\"a b\"]\nsecret = \"LAB/ami.secret\"", "6: [pbx.\"a b\"] the name of a PBX"),
    ] {
        configure(&lab, &format!("{options}\n"));
        let ran = check(&lab);
        let folder = lab.path("");
        let folder = folder.to_str().unwrap().trim_end_matches('/');
        let wanted = format!("pinset: console.toml:{}", message.replace("LAB", folder));
        assert_eq!(ran.code, 3, "{options}");
        assert!(ran.err.starts_with(&wanted), "{}\n{wanted}", ran.err);
    }
}

#[test]
fn missing_configuration_names_the_command_that_creates_it() {
    let lab = lab("");
    let ran = lab.run(&["console", "--config", "none.toml"], "");
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("none.toml: No such file or directory"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("(pinset console init creates it)"),
        "{}",
        ran.err
    );
}

#[test]
fn check_prints_address_and_findings() {
    let lab = lab("");
    lab.file("ami.secret", "0123456789abcdef\n", 0o600);
    lab.file("short.secret", "short\n", 0o600);
    let digest = "0a".repeat(32);
    configure(
        &lab,
        &format!(
            "listen = \"127.0.0.1:5100\"\n[pbx.main]\nsecret = \"LAB/ami.secret\"\n\
             [pbx.far]\naddress = \"127.0.0.1:1\"\nsecret = \"LAB/short.secret\"\n\
             fingerprint = \"{digest}\"\n"
        ),
    );
    let ran = check(&lab);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("http://127.0.0.1:5100\n"),
        "{}",
        ran.out
    );
    for line in [
        "ok: pbx: main: user pinset at 127.0.0.1:5038 (on this machine)\n",
        &format!("warning: pbx: far: user pinset at 127.0.0.1:1 (TLS, certificate {digest}): the secret is short -> use at least 16 random characters"),
        "ok: pepper: no pepper_file",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    std::fs::remove_dir(lab.path("pins")).unwrap();
    let ran = check(&lab);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("error: lists: "), "{}", ran.out);
    assert!(ran.err.contains("some checks have failed"), "{}", ran.err);
}

fn packaging(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/");
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

/// The sample is valid except for the files that it names, and so are the options that are
/// commented out in it.
#[test]
fn sample_is_valid() {
    let lab = lab("");
    lab.file("ami.secret", "0123456789abcdef\n", 0o600);
    let text = packaging("samples/console.toml.sample");
    let folder = lab.path("");
    let text = text.replace("/etc/pinset/", folder.to_str().unwrap());
    let write = |text: &str| lab.file("console.toml", text, 0o640);
    write(&text);
    let ran = check(&lab);
    assert!(
        ran.out.starts_with("http://127.0.0.1:5100\n"),
        "{}",
        ran.err
    );
    let all = text.lines().map(|line| match line.strip_prefix('#') {
        Some(option) if !option.starts_with(' ') => option,
        _ => line,
    });
    write(&all.collect::<Vec<_>>().join("\n"));
    let ran = check(&lab);
    assert_eq!(ran.code, 3);
    let known = [
        "pepper_file: /etc/asterisk/authenticate.pepper: ",
        "certificate: ",
    ];
    assert!(
        known.iter().any(|file| ran.err.contains(file)),
        "{}",
        ran.err
    );
}

#[test]
fn unit_is_hardened_as_that_of_serve_and_may_write_lists_only() {
    let (console, serve) = (
        packaging("systemd/pinset-console.service"),
        packaging("systemd/pinset-serve.service"),
    );
    let hardening = |unit: &str| {
        let from = unit.find("CapabilityBoundingSet=").unwrap();
        let to = unit.find("[Install]").unwrap();
        unit[from..to].to_owned()
    };
    assert_eq!(hardening(&console), hardening(&serve));
    for line in [
        "User=pinset",
        "Group=pinset",
        "SupplementaryGroups=asterisk",
        "ReadWritePaths=-/etc/asterisk/pins -/etc/asterisk/authenticate.d",
        "InaccessiblePaths=-/etc/asterisk/manager.conf -/etc/asterisk/manager.d",
        "UMask=0077",
    ] {
        assert!(console.lines().any(|found| found == line), "{line}");
    }
}
