use super::*;
use std::fs;

const PATH: &str = "modules.conf";

fn select(text: &str, module: Provider) -> Result<String, String> {
    let conf = ModulesConf::parse(Path::new(PATH), text.as_bytes());
    let conf = conf.map_err(|error| error.to_string())?;
    let done = conf.select(module).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(done).expect("UTF-8"))
}

fn provider(text: &str) -> Option<Provider> {
    let conf = ModulesConf::parse(Path::new(PATH), text.as_bytes()).expect("read");
    conf.selection(|_| true).provider()
}

#[test]
fn enabling_changes_only_lines_of_the_modules() {
    for (before, after) in [
        (
            "[modules]\nautoload=yes\n",
            "[modules]\nautoload=yes\nnoload = app_authenticate.so\n",
        ),
        // What disabling leaves.
        (
            "[modules]\nautoload=yes\nnoload = app_authenticate_rs.so ; as long as we test\nnoload = x.so\n",
            "[modules]\nautoload=yes\nnoload = app_authenticate.so ; as long as we test\nnoload = x.so\n",
        ),
        (
            "; mine\n[modules]\nautoload = no\nload = a.so\nload => app_authenticate.so ; PINs\nload = b.so\n[global]\nx = y\n",
            "; mine\n[modules]\nautoload = no\nload = a.so\nload => app_authenticate_rs.so ; PINs\nload = b.so\nnoload = app_authenticate.so\n[global]\nx = y\n",
        ),
        (
            "[modules]\nload = a.so",
            "[modules]\nload = a.so\nnoload = app_authenticate.so\nload = app_authenticate_rs.so\n",
        ),
        (
            "[modules]\r\nautoload=yes\r\n",
            "[modules]\r\nautoload=yes\r\nnoload = app_authenticate.so\r\n",
        ),
        // A required module must not be excluded, or Asterisk does not start.
        (
            "[modules]\nautoload=yes\nrequire = app_authenticate.so\n",
            "[modules]\nautoload=yes\nrequire = app_authenticate_rs.so\nnoload = app_authenticate.so\n",
        ),
        (
            "[modules]\nautoload=yes\npreload-require=APP_Authenticate\n",
            "[modules]\nautoload=yes\npreload-require=app_authenticate_rs.so\nnoload = app_authenticate.so\n",
        ),
        // Already required.
        (
            "[modules]\nautoload=no\nrequire = app_authenticate_rs.so\n",
            "[modules]\nautoload=no\nrequire = app_authenticate_rs.so\nnoload = app_authenticate.so\n",
        ),
        (
            "[modules]\nautoload=yes\nnoload=app_authenticate.so\nnoload=app_authenticate_rs.so ; why\nnoload=app_authenticate_rs.so\n",
            "[modules]\nautoload=yes\nnoload=app_authenticate.so\n; why\n",
        ),
        // Only the first section counts, and a template does not.
        (
            "[modules](!)\nload = t.so\n[modules]\nautoload=yes\n[modules]\nnoload = app_authenticate.so\n",
            "[modules](!)\nload = t.so\n[modules]\nautoload=yes\nnoload = app_authenticate.so\n[modules]\nnoload = app_authenticate.so\n",
        ),
        (
            "[modules]\nautoload=yes\n[x]\ny=z\n[modules](+)\nnoload = app_authenticate_rs.so\n",
            "[modules]\nautoload=yes\n[x]\ny=z\n[modules](+)\nnoload = app_authenticate.so\n",
        ),
        // The line in a comment is none.
        (
            "[modules]\nautoload=yes\n;-- noload = app_authenticate.so\nload = q.so --;\n;noload = app_authenticate.so\n",
            "[modules]\nautoload=yes\nnoload = app_authenticate.so\n;-- noload = app_authenticate.so\nload = q.so --;\n;noload = app_authenticate.so\n",
        ),
        // The last option begins a comment: the new line goes below the header.
        (
            "[modules]\nautoload=yes ;-- all of\nthem --;\n",
            "[modules]\nnoload = app_authenticate.so\nautoload=yes ;-- all of\nthem --;\n",
        ),
        (
            "[modules]\nautoload=yes\n#exec /usr/local/bin/modules\n",
            "[modules]\nautoload=yes\nnoload = app_authenticate.so\n#exec /usr/local/bin/modules\n",
        ),
    ] {
        let done = select(before, Provider::Ours).expect(before);
        assert_eq!(done, after);
        assert_eq!(provider(&done), Some(Provider::Ours), "{before}");
        // Again, nothing changes.
        assert_eq!(select(&done, Provider::Ours), Ok(done.clone()));
        let back = select(&done, Provider::Stock).expect(before);
        assert_eq!(provider(&back), Some(Provider::Stock), "{back}");
        assert_eq!(select(&back, Provider::Ours), Ok(done), "{back}");
    }
}

#[test]
fn disabling_brings_the_stock_module_back_and_keeps_ours_out() {
    for (before, after) in [
        (
            "[modules]\nautoload=yes\nnoload = app_authenticate.so\n",
            "[modules]\nautoload=yes\nnoload = app_authenticate_rs.so\n",
        ),
        (
            "[modules]\nautoload=no\nnoload = app_authenticate.so\nrequire = app_authenticate_rs.so\n",
            "[modules]\nautoload=no\nnoload = app_authenticate_rs.so\nrequire = app_authenticate.so\n",
        ),
        (
            "[modules]\nautoload=yes\n",
            "[modules]\nautoload=yes\nnoload = app_authenticate_rs.so\n",
        ),
    ] {
        assert_eq!(select(before, Provider::Stock).as_deref(), Ok(after));
        assert_eq!(provider(after), Some(Provider::Stock));
    }
}

/// FreePBX drops comments and directives that it does not know, and keeps values.
#[test]
fn file_of_freepbx_is_recognized_and_keeps_its_form() {
    let header =
        ";          Do NOT edit this file as it is auto-generated by FreePBX.             ;\n";
    let text =
        format!("{header}\n[modules]\nautoload=yes\npreload = func_db.so\nnoload = a.so\n\n");
    let conf = ModulesConf::parse(Path::new(PATH), text.as_bytes()).expect("read");
    assert!(conf.is_of_freepbx());
    let done = select(&text, Provider::Ours).expect("selected");
    let wanted = text.replace("a.so\n", "a.so\nnoload = app_authenticate.so\n");
    assert_eq!(done, wanted);
}

#[test]
fn selection_follows_the_rules_of_the_loader() {
    use Provider::{Ours, Stock};
    for (text, wanted) in [
        ("[modules]\nautoload=yes\n", Some(Ours)),
        ("[modules]\nautoload=no\n", None),
        ("[modules]\nautoload=no\nautoload=yes\n", None),
        ("[modules]\nload = app_authenticate\n", Some(Stock)),
        ("[modules]\nautoload=on\nnoload => app_authenticate_rs\n", Some(Stock)),
        ("[modules]\nload=app_authenticate_rs.so\nload=app_authenticate.so\n", Some(Ours)),
        ("[modules]\nload=app_authenticate.so\nnoload=app_authenticate.so\n", None),
        ("[modules]\nrequire=app_authenticate_rs.so\nnoload=app_authenticate_rs.so\nload=app_authenticate.so\n", None),
        ("[other]\nautoload=yes\n", None),
    ] {
        assert_eq!(provider(text), wanted, "{text}");
    }
    // Autoload finds only what is there.
    let text = b"[modules]\nautoload=yes\n";
    let conf = ModulesConf::parse(Path::new(PATH), text).expect("read");
    let selection = conf.selection(|module| module == Stock);
    assert_eq!(selection.provider(), Some(Stock));
}

#[test]
fn file_that_pinset_cannot_change_is_reported_with_remedy() {
    for (text, why) in [
        ("", "there is no section [modules]"),
        ("[modules](!)\nautoload=yes\n", "there is no section [modules]"),
        ("[modules\n", "modules.conf: line 1: ']' is missing"),
        // The value is not what it looks like.
        (
            "[modules]\nautoload=yes\n;-- = --; noload ;-- app_authenticate_rs.so --; = app_authenticate_rs.so\n",
            "by hand",
        ),
    ] {
        let error = select(text, Provider::Ours).expect_err(text);
        assert!(error.contains(why), "{error}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(PATH);
    let included = folder.path().join("modules_custom.conf");
    fs::write(&included, "noload = app_authenticate_rs.so\n").expect("written");
    let text = "[modules]\nautoload=yes\n#include modules_custom.conf\n";
    let conf = ModulesConf::parse(&path, text.as_bytes()).expect("read");
    let error = conf
        .select(Provider::Ours)
        .expect_err("refused")
        .to_string();
    let wanted = format!(
        "line {}:1 is in an included file: change it there: \
         replace app_authenticate_rs.so by app_authenticate.so",
        included.display()
    );
    assert_eq!(error, wanted);
    // What is right there needs no change.
    fs::write(&included, "noload = app_authenticate.so\n").expect("written");
    let conf = ModulesConf::parse(&path, text.as_bytes()).expect("read");
    assert_eq!(
        conf.select(Provider::Ours).ok().as_deref(),
        Some(text.as_bytes())
    );
}
