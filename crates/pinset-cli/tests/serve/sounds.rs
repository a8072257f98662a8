//! Sounds under `/static/audio/`.

use std::os::unix::fs::symlink;

use crate::server::{configure, lab, Server, HIPCALL};

#[test]
fn only_files_of_audio_folder_are_served() {
    let lab = lab();
    std::fs::create_dir_all(lab.path("audio/more")).unwrap();
    lab.file("audio/pin_prompt.mp3", "ID3 sound", 0o644);
    lab.file("audio/more/a b.wav", "RIFF", 0o644);
    lab.file("audio/index.html", "<p>", 0o644);
    symlink(lab.path("nowhere"), lab.path("audio/gone.mp3")).unwrap();
    configure(&lab, "audio = \"LAB/audio\"", HIPCALL);
    let server = Server::start(&lab);
    let sound = server.get("/static/audio/pin_prompt.mp3");
    assert_eq!((sound.status, sound.text().as_str()), (200, "ID3 sound"));
    assert_eq!(sound.header("content-type"), Some("audio/mpeg"));
    let modified = sound.header("last-modified").unwrap().to_owned();
    let again = [("If-Modified-Since", modified.as_str())];
    assert_eq!(
        server
            .ask("GET", "/static/audio/pin_prompt.mp3", &again, "")
            .status,
        304
    );
    let part = server.ask(
        "GET",
        "/static/audio/pin_prompt.mp3",
        &[("Range", "bytes=4-")],
        "",
    );
    assert_eq!((part.status, part.text().as_str()), (206, "sound"));
    let wav = server.get("/static/audio/more/a%20b.wav");
    assert_eq!(
        (wav.status, wav.header("content-type")),
        (200, Some("audio/wav"))
    );
    for path in [
        "/static/audio",
        "/static/audio/",
        "/static/audio/more/",
        "/static/audio/none.mp3",
        "/static/audio/gone.mp3",
        "/static/audio/../list.csv",
        "/static/audio/%2e%2e/list.csv",
        "/static/audio/..%2flist.csv",
        "/static/audio/more/../../list.csv",
        "/static/audio//etc/passwd",
        "/static/audio/%2fetc%2fpasswd",
        "/static/audio/pin_prompt.mp3%00",
        "/static/audiox/pin_prompt.mp3",
        "/static/list.csv",
    ] {
        let status = server.get(path).status;
        assert!(
            (400..500).contains(&status) || status == 307,
            "{path}: {status}"
        );
        assert!(!server.get(path).text().contains("1234"), "{path}");
    }
    let posted = server.ask("POST", "/static/audio/pin_prompt.mp3", &[], "");
    assert_eq!(posted.status, 405);
    // Requests for sounds do not count as calls.
    assert!(server.rows("").is_empty());
}

#[test]
fn sounds_without_folder_are_not_found() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    assert_eq!(server.get("/static/audio/pin_prompt.mp3").status, 404);
    configure(&lab, "audio = \"LAB/none\"", HIPCALL);
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert!(
        ran.code == 3 && ran.err.contains("serve.toml:3: audio: "),
        "{}",
        ran.err
    );
}

#[test]
fn public_url_makes_relative_sounds_absolute() {
    let lab = lab();
    let service = r#"
list = "LAB/list.csv"
success = [{ play = "/elsewhere/yes.mp3" }, { connect = "1091" }]
failure = [{ play = "https://h/no.mp3" }, { connect = "1092" }]
gather.ask = "pin_prompt.mp3"
"#;
    configure(&lab, "public_url = \"https://x1.ngrok.app/\"", service);
    let server = Server::start(&lab);
    let call = |pin: &str| {
        let body = format!(r#"{{"caller":"+905060508169","data":{{{pin}}}}}"#);
        server.post(&body).json()["seq"][0]["args"].clone()
    };
    assert_eq!(
        call("")["ask"],
        "https://x1.ngrok.app/static/audio/pin_prompt.mp3"
    );
    assert_eq!(
        call(r#""pin_code":"1234""#)["url"],
        "https://x1.ngrok.app/elsewhere/yes.mp3"
    );
    assert_eq!(call(r#""pin_code":"4321""#)["url"], "https://h/no.mp3");
    drop(server);
    for general in [
        "",
        "public_url = \"x1.ngrok.app\"",
        "public_url = \"https://h/?a=b\"",
    ] {
        configure(&lab, general, service);
        let checked = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
        assert_eq!(checked.code, 3, "{general}");
        assert!(checked.err.contains("public_url"), "{}", checked.err);
    }
}
