//! `call_hangup` webhooks in the log.

use crate::client::basic;
use crate::lab::{Lab, PIN};
use crate::server::{configure, lab, Server, HIPCALL, INGRESS};

const HANGUPS: &str = "/api/external/hipcall-hangup";
const ALICE: &str = "+905060508169";

fn serve(lab: &Lab, options: &str) -> Server {
    configure(
        lab,
        "",
        &format!("hangup_path = \"{HANGUPS}\"\n{options}{HIPCALL}"),
    );
    Server::start(lab)
}

fn call(server: &Server, uuid: &str, data: &str) {
    let body = format!(r#"{{"caller":"{ALICE}","uuid":"{uuid}","data":{{{data}}}}}"#);
    assert_eq!(server.post(&body).status, 200);
}

fn hangup(uuid: &str, more: &str) -> String {
    format!(
        r#"{{"event":"call_hangup","data":{{"uuid":"{uuid}","caller_number":"{ALICE}"{more}}}}}"#
    )
}

#[test]
fn hangup_is_joined_to_the_requests_of_its_call() {
    let lab = lab();
    let server = serve(&lab, "");
    call(&server, "one", "");
    call(&server, "one", r#""pin_code":"1234""#);
    call(&server, "two", "");
    let more = r#","call_duration":42,"outcome":"SUCCESS","destination":"1091""#;
    let answer = server.ask("POST", HANGUPS, &[], &hangup("one", more));
    assert_eq!((answer.status, answer.text().trim()), (200, "{}"));
    let rows = server.rows("?uuid=one");
    let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("hangup"), Some("success"), Some("gather")]);
    for row in &rows {
        assert_eq!(row["call_outcome"], "SUCCESS");
        assert_eq!(row["call_destination"], "1091");
        assert_eq!(row["call_duration"], 42);
        assert_eq!(row["caller"], ALICE);
    }
    assert_eq!(
        (&rows[0]["path"], &rows[1]["path"]),
        (&HANGUPS.into(), &INGRESS.into())
    );
    assert!(server.rows("?uuid=two")[0]["call_outcome"].is_null());
    let page = server.logs("/logs?outcome=success").text();
    assert!(page.contains("SUCCESS to 1091 42 s"), "{page}");
    assert!(page.contains("href=\"/logs?uuid=one\""), "{page}");
}

#[test]
fn hangup_without_credential_is_refused() {
    let lab = lab();
    lab.file("pbx.cred", "pbx:four words", 0o600);
    let server = serve(&lab, "auth = \"basic:LAB/pbx.cred\"\n");
    let right = basic("pbx:four words");
    assert_eq!(
        server.ask("POST", HANGUPS, &[], &hangup("one", "")).status,
        401
    );
    let headers = [(right.0, right.1.as_str())];
    assert_eq!(
        server
            .ask("POST", HANGUPS, &headers, &hangup("one", ""))
            .status,
        200
    );
    assert_eq!(server.ask("GET", HANGUPS, &headers, "").status, 405);
    let rows = server.rows("?path=/api/external/hipcall-hangup");
    let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].as_str()).collect();
    assert_eq!(
        outcomes,
        [Some("refused"), Some("hangup"), Some("unauthorized")]
    );
}

#[test]
fn hangup_of_another_service_is_not_joined() {
    let lab = lab();
    let other = format!("{HIPCALL}path = \"/other\"\nhangup_path = \"/other/hangup\"\n");
    let other = other.replace("gather.ask", "[service.other.gather]\nask");
    let (options, gather) = other.split_once("[service.other.gather]").unwrap();
    let (ask, paths) = gather.split_once("path =").unwrap();
    let other = format!("[service.other]\n{options}path ={paths}[service.other.gather]{ask}");
    configure(&lab, "", &format!("{HIPCALL}{other}"));
    let server = Server::start(&lab);
    call(&server, "one", "");
    let answer = server.ask(
        "POST",
        "/other/hangup",
        &[],
        &hangup("one", r#","outcome":"X""#),
    );
    assert_eq!(answer.status, 200);
    let rows = server.rows("?uuid=one");
    assert_eq!(rows[0]["call_outcome"], "X");
    assert!(rows[1]["call_outcome"].is_null(), "{rows:?}");
}

#[test]
fn webhook_log_has_only_fields_of_hangup() {
    let lab = lab();
    let server = serve(&lab, "");
    let more = format!(r#","dtmf":"{PIN}","call_flow":[{{"digits":"{PIN}"}}]"#);
    assert_eq!(
        server
            .ask("POST", HANGUPS, &[], &hangup("one", &more))
            .status,
        200
    );
    let other = format!(r#"{{"event":"call_init","data":{{"digits":"{PIN}"}}}}"#);
    assert_eq!(server.ask("POST", HANGUPS, &[], &other).status, 200);
    let broken = format!(r#"{{"event":"call_hangup","data":{{"digits":"{PIN}"}}}}"#);
    assert_eq!(server.ask("POST", HANGUPS, &[], &broken).status, 400);
    let rows = server.rows("");
    let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("refused"), Some("ignored"), Some("hangup")]);
    assert!(server.stop().success());
    for file in ["log.db", "log.db-wal"] {
        let bytes = std::fs::read(lab.path(file)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(PIN), "{file}");
    }
}

#[test]
fn hangup_path_in_use_is_an_error() {
    let lab = lab();
    for path in [INGRESS, "/logs", "/static/audio/x", "no-path"] {
        configure(&lab, "", &format!("hangup_path = \"{path}\"\n{HIPCALL}"));
        let checked = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
        assert_eq!(checked.code, 3, "{path}");
    }
    configure(&lab, "", HIPCALL);
    let server = Server::start(&lab);
    assert_eq!(
        server.ask("POST", HANGUPS, &[], &hangup("one", "")).status,
        404
    );
}

#[test]
fn log_of_earlier_version_gets_new_columns() {
    let lab = lab();
    let before = rusqlite::Connection::open(lab.path("log.db")).unwrap();
    before
        .execute_batch(
            "CREATE TABLE log (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, \
             method TEXT NOT NULL, path TEXT NOT NULL, client TEXT NOT NULL, \
             caller TEXT NOT NULL, outcome TEXT NOT NULL, account TEXT NOT NULL, \
             status INTEGER NOT NULL, duration INTEGER NOT NULL, request TEXT NOT NULL, \
             response TEXT NOT NULL);
             INSERT INTO log VALUES (1, unixepoch() * 1000, 'POST', '/p', 'c', '1', 'gather', \
             '', 200, 1, '', '')",
        )
        .unwrap();
    drop(before);
    let server = serve(&lab, "");
    call(&server, "one", "");
    server.ask(
        "POST",
        HANGUPS,
        &[],
        &hangup("one", r#","outcome":"SUCCESS""#),
    );
    let rows = server.rows("");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1]["call_outcome"], "SUCCESS");
    assert_eq!(rows[2]["uuid"], "");
}

#[test]
fn page_refreshes_unless_form_is_open_or_rows_are_older() {
    let lab = lab();
    let server = serve(&lab, "");
    call(&server, "one", "");
    for page in ["/logs", "/logs?outcome=gather", "/logs?edit=&before="] {
        let page = server.logs(page);
        assert_eq!(page.header("refresh"), Some("5"));
        assert!(!page.text().contains("<input"), "{}", page.text());
    }
    for (page, types) in [
        ("/logs?edit=1&caller=5060", true),
        ("/logs?before=9", false),
    ] {
        let page = server.logs(page);
        assert_eq!(page.header("refresh"), None);
        assert_eq!(page.text().contains("<input"), types);
    }
    assert!(server
        .logs("/logs?edit=1&caller=5060")
        .text()
        .contains("value=\"5060\""));
    assert_eq!(server.logs("/logs.json").header("refresh"), None);
    assert_eq!(server.get("/logs").header("refresh"), None);
}
