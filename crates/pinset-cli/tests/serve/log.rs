//! The request log.

use crate::client::basic;
use crate::lab::{Lab, OTHER, PIN};
use crate::server::{configure, lab, noted, until, Server, HIPCALL, INGRESS, LIST};

const ALICE: &str = "+905060508169";

fn post(server: &Server, data: &str) {
    server.post(&format!(r#"{{"caller":"{ALICE}","data":{{{data}}}}}"#));
}

#[test]
fn row_has_everything_but_the_pin() {
    let lab = lab();
    lab.list("list.csv", LIST.replace("1234", PIN));
    let server = Server::hipcall(&lab);
    post(&server, "");
    post(&server, &format!(r#""pin_code":"{PIN}""#));
    post(&server, &format!(r#""pin_code":"{OTHER}""#));
    let rows = server.rows("");
    let outcomes: Vec<_> = rows
        .iter()
        .map(|row| row["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["failure", "success", "gather"]);
    let row = &rows[1];
    assert_eq!(row["method"], "POST");
    assert_eq!(row["path"], INGRESS);
    assert_eq!(row["client"], "127.0.0.1");
    assert_eq!(row["caller"], ALICE);
    assert_eq!(row["account"], "alice");
    assert_eq!(row["status"], 200);
    assert!(row["time"].as_i64().unwrap() > 1_700_000_000_000);
    assert!(row["duration"].as_i64().unwrap() > 0);
    let request = format!(r#"{{"caller":"{ALICE}","data":{{"pin_code":"***"}}}}"#);
    assert_eq!(row["request"], request);
    assert!(row["response"].as_str().unwrap().contains("1091"));
}

/// Not in a file, a page or the output.
#[test]
fn pin_is_stored_nowhere() {
    let lab = lab();
    lab.list("list.csv", LIST.replace("1234", PIN));
    configure(&lab, "", &format!("attempts = 3\n{HIPCALL}"));
    let server = Server::start(&lab);
    for body in [
        format!(r#"{{"caller":"{ALICE}","uuid":"u","data":{{"pin_code":"{PIN}"}}}}"#),
        format!(r#"{{"caller":"{ALICE}","uuid":"v","data":{{"pin_code":{OTHER}}}}}"#),
        format!(r#"{{"caller":"{ALICE}","data":{{"other":"{PIN}"}}}}"#),
        format!(r#"{{"caller":"{ALICE}","data":{{}},"pin_code":"{PIN}","x":{OTHER}}}"#),
        format!(r#"{{"caller":"{ALICE}","data":{{"pin_code":"{PIN}"}},"uuid":"{PIN}"}}"#),
        format!(
            r#"{{"caller":"{ALICE}","data":{{"{PIN}":"1"}},"callflow":[{{"digits":"{PIN}"}}]}}"#
        ),
        format!(r#"{{"caller":"{ALICE}","data":{{"pin_code":["{PIN}"]}}}}"#),
        format!("pin_code={PIN}"),
        format!("{{\"data\":{{\"pin_code\":\"{PIN}"),
        format!("[\"{PIN}\"]"),
    ] {
        server.post(&body);
        server.ask(
            "POST",
            &format!("{INGRESS}?pin={PIN}"),
            &[("X-Pin", PIN)],
            &body,
        );
        server.ask("POST", &format!("/{PIN}"), &[], &body);
    }
    let shown = [
        server.logs("/logs"),
        server.logs("/logs.json"),
        server.get("/metrics"),
    ];
    for page in shown {
        let text = page.text();
        assert!(
            page.status == 200 && !text.contains(PIN) && !text.contains(OTHER),
            "{text}"
        );
    }
    assert!(server.stop().success());
    for file in lab.files() {
        let text = std::fs::read(lab.path(&file)).unwrap();
        let text = String::from_utf8_lossy(&text);
        let has = text.contains(PIN) || text.contains(OTHER);
        assert_eq!(has, file == "list.csv", "{file}");
    }
}

#[test]
fn log_requires_its_credential() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    for page in ["/logs", "/logs.json"] {
        assert_eq!(server.get(page).status, 401);
        let (name, value) = basic("admin:other");
        assert_eq!(server.ask("GET", page, &[(name, &value)], "").status, 401);
        assert_eq!(server.logs(page).status, 200);
    }
    let page = server.logs("/logs");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(!page.text().contains("<script") && !page.text().contains("style="));
    assert_eq!(server.get("/logs/style.css").status, 200);
    drop(server);
    // Without logs_auth, there is no page.
    for logs_auth in ["", "logs_auth = \"none\"\n"] {
        let text = lab.text("serve.toml");
        let shown = text.lines().filter(|line| !line.starts_with("logs_auth"));
        let text: Vec<_> = shown.collect();
        let text = text
            .join("\n")
            .replace("[log]\n", &format!("[log]\n{logs_auth}"));
        lab.file("serve.toml", text, 0o640);
        let server = Server::start(&lab);
        for page in ["/logs", "/logs.json", "/logs/style.css"] {
            assert_eq!(server.logs(page).status, 404);
        }
    }
}

#[test]
fn filters_select_rows() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    post(&server, "");
    post(&server, r#""pin_code":"1234""#);
    server.post(r#"{"caller":"anonymous","data":{"pin_code":"1"}}"#);
    server.post("x");
    for (query, found) in [
        ("", 4),
        ("?caller=508169", 2),
        ("?caller=anon", 1),
        ("?outcome=success", 1),
        ("?outcome=gather", 1),
        ("?outcome=", 4),
        ("?status=400", 1),
        ("?status=200&caller=anonymous", 1),
        ("?path=/api/external/hipcall-ingress", 4),
        ("?path=/api", 0),
        ("?text=1092", 1),
        ("?text=anonymous", 1),
        ("?text=%25", 0),
        ("?text=%27%3B+DROP+TABLE+log%3B--", 0),
        ("?from=2020-01-01", 4),
        ("?from=2020-01-01T08:00&to=2099-01-01", 4),
        ("?to=2020-01-01", 0),
        ("?from=2099-01-01", 0),
    ] {
        assert_eq!(server.rows(query).len(), found, "{query}");
        let page = server.logs(&format!("/logs{query}")).text();
        assert_eq!(page.matches("<tr class=").count(), found, "{query}");
    }
    for query in [
        "?status=x",
        "?from=yesterday",
        "?to=1",
        "?before=x",
        "?from=2026-13-01",
    ] {
        assert_eq!(server.logs(&format!("/logs{query}")).status, 400, "{query}");
    }
}

#[test]
fn older_rows_are_on_further_pages() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    for _ in 0..120 {
        post(&server, "");
    }
    let mut query = "?caller=%2B90".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = server.logs(&format!("/logs{query}")).text();
        let rows = server.rows(&query);
        seen.extend(rows.iter().map(|row| row["id"].as_i64().unwrap()));
        assert_eq!(page.matches("<tr class=").count(), rows.len());
        let Some((_, link)) = page.split_once("id=\"older\" href=\"/logs") else {
            break;
        };
        query = link.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!(seen, (1..=120).rev().collect::<Vec<_>>());
}

#[test]
fn text_of_callers_and_clients_is_escaped() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    let hostile = r#"<script>alert(1)</script>"#;
    server.post(&format!(
        r#"{{"caller":"{hostile}","callee":"\"><img src=x onerror=alert(1)>","direction":"\u202egpj","data":{{}},"note":"<b>","<i>":"x"}}"#
    ));
    let page = server
        .logs("/logs?edit=1&caller=%22%3E%3Cscript%3E&text=%3Cb%3E")
        .text();
    assert!(
        page.contains("value=\"&quot;&gt;&lt;script&gt;\""),
        "{page}"
    );
    let page = server.logs("/logs").text();
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{page}"
    );
    for bad in ["<script", "<img", "<b>", "<i>", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert_eq!(server.rows("")[0]["caller"], hostile);
}

fn retained(lab: &Lab, rows: u32) -> Server {
    configure(lab, "", HIPCALL);
    let text = lab.text("serve.toml");
    lab.file(
        "serve.toml",
        text.replace("[log]\n", &format!("[log]\nrows = {rows}\n")),
        0o640,
    );
    Server::start(lab)
}

#[test]
fn old_rows_are_removed() {
    let lab = lab();
    let server = retained(&lab, 5);
    for _ in 0..12 {
        post(&server, "");
    }
    let ids: Vec<_> = server
        .rows("")
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [12, 11, 10, 9, 8]);
    assert!(server.stop().success());
    // Makes these rows older than thirty days.
    let database = rusqlite::Connection::open(lab.path("log.db")).unwrap();
    let older = "UPDATE log SET time = time - 31 * 86400000 WHERE id < 11";
    assert_eq!(database.execute(older, []).unwrap(), 3);
    drop(database);
    let server = retained(&lab, 5);
    post(&server, "");
    let ids: Vec<_> = server
        .rows("")
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [13, 12, 11]);
}

/// A log that can't be written rejects no caller and is reported.
#[test]
fn unwritable_log_rejects_no_caller() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    post(&server, "");
    assert_eq!(server.rows("").len(), 1);
    let database = rusqlite::Connection::open(lab.path("log.db")).unwrap();
    database
        .execute("ALTER TABLE log RENAME TO other", [])
        .unwrap();
    assert_eq!(server.call(ALICE, "1234"), "1091");
    until("a note", || {
        lab.text("err").contains("requests are not logged")
    });
    let health = server.get("/health");
    assert_eq!(
        (health.status, health.text().contains("request log")),
        (503, true)
    );
    let lost = |count| format!("pinset_log_lost_total {count}\n");
    assert!(server.get("/metrics").text().contains(&lost(1)));
    assert_eq!(server.logs("/logs").status, 503);
    database
        .execute("ALTER TABLE other RENAME TO log", [])
        .unwrap();
    assert_eq!(server.call(ALICE, "1234"), "1091");
    until("logging", || server.get("/health").status == 200);
    assert_eq!(server.rows("").len(), 2);
    noted(&lab, "requests are logged again; lost so far: 1");
}

/// Anybody can send requests without credentials, so they have a share of their own.
#[test]
fn requests_without_credentials_evict_only_each_other() {
    let lab = lab();
    configure(
        &lab,
        "",
        &format!("auth = \"basic:LAB/logs.cred\"\n{HIPCALL}"),
    );
    let text = lab.text("serve.toml");
    let text = text.replace("[log]\n", "[log]\nrows = 20\n");
    lab.file("serve.toml", text, 0o640);
    let (name, value) = basic(crate::server::LOGS_AUTH);
    let credential = [(name, value.as_str())];
    for _ in 0..2 {
        // Also after a restart.
        let server = Server::start(&lab);
        for _ in 0..2 {
            server.ask("POST", INGRESS, &credential, "{\"data\":{}}");
        }
        for _ in 0..25 {
            assert_eq!(server.post("{}").status, 401);
            assert_eq!(server.get("/logs").status, 401);
        }
        assert_eq!(server.rows("?outcome=unauthorized").len(), 2);
        assert!(server.stop().success());
    }
    let server = Server::start(&lab);
    assert_eq!(server.rows("?outcome=failure").len(), 4);
    for _ in 0..30 {
        server.ask("POST", INGRESS, &credential, "{\"data\":{}}");
    }
    assert_eq!(server.rows("?outcome=failure").len(), 20);
    assert_eq!(server.rows("?outcome=unauthorized").len(), 2);
}

#[test]
fn wrong_password_at_logs_is_recorded() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    for (at, page) in ["/logs", "/logs.json"].into_iter().enumerate() {
        let (name, value) = basic("admin:other");
        let answer = server.ask("GET", &format!("{page}?from={PIN}"), &[(name, &value)], "");
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").is_some());
        let row = &server.rows("?outcome=unauthorized")[0];
        for (field, value) in [("path", page), ("method", "GET"), ("client", "127.0.0.1")] {
            assert_eq!(row[field], value);
        }
        assert_eq!((&row["status"], &row["request"]), (&401.into(), &"".into()));
        let metrics = server.get("/metrics").text();
        for count in [
            "pinset_outcomes_total{service=\"\",outcome=\"unauthorized\"}",
            "pinset_requests_total{service=\"\",status=\"401\"}",
        ] {
            let line = format!("{count} {}", at + 1);
            assert!(
                metrics.lines().any(|found| found == line),
                "{line}\n{metrics}"
            );
        }
        let note = format!("{page}: invalid credentials");
        noted(&lab, &note);
    }
}

#[test]
fn long_texts_are_truncated() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    let caller = "ü".repeat(30_000);
    server.post(&format!(r#"{{"caller":"{caller}","data":{{}}}}"#));
    let row = &server.rows("")[0];
    let kept = row["caller"].as_str().unwrap();
    assert!(kept.len() < 300 && kept.ends_with("ü…"), "{}", kept.len());
    assert!(row["request"].as_str().unwrap().len() < 20_000);
    let mut method = "X".repeat(5000);
    method.push_str("POST");
    assert_eq!(server.ask(&method, INGRESS, &[], "").status, 405);
    assert!(server.rows("")[0]["method"].as_str().unwrap().len() < 30);
}
