use super::*;
use crate::external::EnteredDigits;
use proptest::prelude::*;

fn data(of: &[(&str, &str)]) -> Data {
    let mut data = Data::new();
    for (variable, entered) in of {
        data.insert(variable, *entered);
    }
    data
}

fn read(body: &str) -> Result<Received, String> {
    Received::parse(body.as_bytes()).map_err(|broken| broken.to_string())
}

/// The sample of Hipcall's documentation, with the second name that its PBX sends for
/// `callflow`.
const SAMPLE: &str = r#"{"caller":"+908508852972","callee":"908508851980","direction":"inbound","uuid":"7b9a7f2e-7a0c-4c38-9a4f-3c4f2d9f9a55","timestamp":1729721495,"external_manager_id":2,"data":{},"callflow":[{"timestamp":1729721495,"action":"init","detail":{"id":2,"type":"external_manager"}}],"call_flow":[{"timestamp":1729721495,"action":"init","detail":{"id":2,"type":"external_manager"}}]}"#;

fn sample(data: &Data) -> Post<'_> {
    Post {
        caller: "+908508852972",
        callee: "908508851980",
        uuid: "7b9a7f2e-7a0c-4c38-9a4f-3c4f2d9f9a55",
        timestamp: 1_729_721_495,
        began: 1_729_721_495,
        external_manager_id: 2,
        data,
    }
}

#[test]
fn sample_request_is_written_byte_for_byte() {
    let nothing = Data::new();
    assert_eq!(sample(&nothing).to_json().as_slice(), SAMPLE.as_bytes());
    let entered = data(&[("pin_code", "1234"), ("account", "7")]);
    let later = Post {
        timestamp: 1_729_721_505,
        ..sample(&entered)
    };
    let wanted = SAMPLE
        .replacen("1729721495", "1729721505", 1)
        .replace("\"data\":{}", r#""data":{"account":"7","pin_code":"1234"}"#);
    assert_eq!(later.to_json().as_slice(), wanted.as_bytes());
}

/// A body that had grown would have left copies of the digits in memory.
#[test]
fn request_body_has_no_spare_capacity() {
    let entered = data(&[("pin_code", &"1".repeat(254))]);
    let body = sample(&entered).to_json();
    assert_eq!(body.len(), body.capacity());
}

#[test]
fn requests_of_hipcalls_guide_are_parsed() {
    let received = |data| Received {
        caller: Some("+905060508169".to_owned()),
        data,
        ..Received::default()
    };
    let first = r#"{
  "caller": "+905060508169",
  "data": {}
}"#;
    assert_eq!(read(first), Ok(received(Data::new())));
    let second = r#"{
  "caller": "+905060508169",
  "data": {
    "pin_code": "1234"
  }
}"#;
    let entered = read(second);
    assert_eq!(entered, Ok(received(data(&[("pin_code", "1234")]))));
    let entered = entered.map(|read| read.data.get("pin_code").cloned());
    assert_eq!(entered, Ok(Some(EnteredDigits::from("1234"))));
}

#[test]
fn lenient_parsing_accepts_odd_requests() {
    let nothing = Ok(Received::default());
    for body in [
        "{}",
        "\u{feff}{}\n",
        r#"{"caller":null,"callee":"","uuid":null,"data":null}"#,
        r#"{"data":[]}"#,
        r#"{"data":{"pin_code":null},"callflow":"?"}"#,
        r#"{"call_flow":[{"action":"init"}],"callflow":[]}"#,
    ] {
        assert_eq!(read(body), nothing, "{body}");
    }
    let numbers = read(r#"{"caller":905060508169,"callee":1,"data":{"a":1234,"b":0}}"#);
    let wanted = Received {
        caller: Some("905060508169".to_owned()),
        callee: Some("1".to_owned()),
        uuid: None,
        data: data(&[("a", "1234"), ("b", "0")]),
    };
    assert_eq!(numbers, Ok(wanted));
}

#[test]
fn parse_errors_do_not_repeat_entered_digits() {
    for (body, why) in [
        ("", "empty"),
        ("[]", "not a JSON object"),
        ("\"1234\"", "not a JSON object"),
        (r#"{"caller":{}}"#, "caller must be text"),
        (r#"{"uuid":true}"#, "uuid must be text"),
        (r#"{"data":"1234"}"#, "data must be an object"),
        (r#"{"data":["1234"]}"#, "data must be an object"),
        (
            r#"{"data":{"1234":["5678"]}}"#,
            "a field of data must be text",
        ),
        (
            r#"{"data":{"pin_code":"1234"}"#,
            "not JSON: EOF while parsing an object at line 1 column 27",
        ),
    ] {
        assert_eq!(read(body), Err(why.to_owned()), "{body}");
    }
    assert!(Received::parse(b"{\"data\":{\"p\":\"\xff\"}}").is_err());
    assert!(Received::parse(&b"[".repeat(1 << 20)).is_err());
}

#[test]
fn debug_output_hides_entered_digits() {
    let received = read(r#"{"data":{"pin_code":"471147"}}"#).expect("a post");
    assert!(!format!("{received:?}").contains("471147"));
    assert!(!format!("{:?}", sample(&received.data)).contains("471147"));
}

proptest! {
    #[test]
    fn parsing_any_bytes_does_not_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Received::parse(&body);
    }

    /// A written request parses to the same, whatever it holds, without its empty entries.
    #[test]
    fn written_request_is_read_back(
        caller in ".{1,20}",
        callee in ".{1,20}",
        entered in proptest::collection::btree_map(".{0,8}", ".{0,8}", 0..5),
    ) {
        let (mut data, mut answered) = (Data::new(), Data::new());
        for (variable, entered) in &entered {
            data.insert(variable, entered.as_str());
            if !entered.is_empty() {
                answered.insert(variable, entered.as_str());
            }
        }
        let post = Post { caller: &caller, callee: &callee, ..sample(&data) };
        let received = Received::parse(&post.to_json());
        let wanted = Received {
            caller: Some(caller.clone()),
            callee: Some(callee.clone()),
            uuid: Some(post.uuid.to_owned()),
            data: answered,
        };
        prop_assert_eq!(received, Ok(wanted));
    }
}
