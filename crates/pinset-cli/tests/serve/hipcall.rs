//! Compatibility with Hipcall's example service, byte for byte.

use serde_json::{json, Value};

use crate::server::{lab, Server};

const FIRST: &str = r#"{
"caller": "+905060508169",
"data": {}
}"#;

const SECOND: &str = r#"{
"caller": "+905060508169",
"data": {
"pin_code": "1234"
}
}"#;

fn gather() -> Value {
    json!({
        "version": "1",
        "seq": [
            {
                "action": "gather",
                "args": {
                    "min_digits": 1,
                    "max_digits": 4,
                    "ask": "https://your-server.example.com/static/audio/pin_prompt.mp3",
                    "variable_name": "pin_code"
                }
            }
        ]
    })
}

fn goes_to(sound: &str, destination: &str) -> Value {
    json!({
        "version": "1",
        "seq": [
            {
                "action": "play",
                "args": {
                    "url": format!("https://your-server.example.com/static/audio/{sound}.mp3")
                }
            },
            {
                "action": "connect",
                "args": {"destination": destination}
            }
        ]
    })
}

#[test]
fn requests_of_guide_get_answers_of_guide() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    let first = server.post(FIRST);
    assert_eq!((first.status, first.json()), (200, gather()));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(server.post(SECOND).json(), goes_to("success", "1091"));
    for wrong in [
        SECOND.replace("1234", "1235"),
        SECOND.replace("1234", "123"),
        SECOND.replace("1234", "12345"),
        SECOND.replace("1234", "1234 "),
        SECOND.replace("8169", "8168"),
        SECOND.replace("+905060508169", "anonymous"),
        SECOND.replace("\"+905060508169\"", "null"),
    ] {
        assert_eq!(
            server.post(&wrong).json(),
            goes_to("failure", "1092"),
            "{wrong}"
        );
    }
}

/// The spellings of its `normalize_phone`, and others that it misses.
#[test]
fn caller_is_recognized_in_every_spelling() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    for spelled in [
        "+905060508169",
        "905060508169",
        "05060508169",
        "5060508169",
        " +90 506 050 81 69 ",
        "00905060508169",
    ] {
        let body = SECOND.replace("+905060508169", spelled);
        assert_eq!(
            server.post(&body).json(),
            goes_to("success", "1091"),
            "{spelled}"
        );
    }
    // As a JSON number.
    let body = SECOND.replace("\"+905060508169\"", "5060508169");
    assert_eq!(server.post(&body).json(), goes_to("success", "1091"));
}

/// The request that Hipcall posts according to its documentation.
#[test]
fn request_with_all_documented_fields_is_accepted() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    let whole = r#"{"caller":"+905060508169","callee":"908508851980","direction":"inbound",
        "uuid":"0191f1c3-6b5a-7cc3-98c4-dc0c0c07398f","timestamp":1729721495,
        "external_manager_id":2,"data":{"pin_code":1234,"more":"7"},
        "callflow":[{"timestamp":1729721495,"action":"init",
        "detail":{"id":2,"type":"external_manager"}}]}"#;
    assert_eq!(server.post(whole).json(), goes_to("success", "1091"));
    // The PBX itself uses another name for the flow, and some send both.
    let live = whole.replace("callflow", "call_flow");
    assert_eq!(server.post(&live).json(), goes_to("success", "1091"));
    let flow = r#""call_flow":[{"action":"init"}],"callflow""#;
    let both = whole.replace("\"callflow\"", flow);
    assert_eq!(server.post(&both).json(), goes_to("success", "1091"));
}
