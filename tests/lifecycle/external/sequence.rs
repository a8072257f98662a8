//! The requests, and the effect of each action of the answer.

use anyhow::{ensure, Context, Result};
use harness::{Call, Outcome};
use serde_json::{json, Value};

use super::service::{connect, dial, gather, hangup, say, Answer};
use super::{answers, error, from_outside, on, path, Sets, CALLEE, CALLER};
use crate::pin_sets::{all_become, becomes, is_logged, passed, refused, row, Want};

/// Calls sent to a success destination, and elsewhere.
fn admitted(extension: &str) -> Want {
    passed().went(&format!("agents,{extension},1"))
}

fn sent(extension: &str) -> Want {
    refused("FAILURE").went(&format!("agents,{extension},1"))
}

const SUCCESS: &str = "success_destinations = 1091,1099";

/// The names of a post in their order.
const ORDER: [&str; 9] = [
    "caller",
    "callee",
    "direction",
    "uuid",
    "timestamp",
    "external_manager_id",
    "data",
    "callflow",
    "call_flow",
];

/// One post is as the sample, but for the time and the identity of the call;
/// these are returned.
fn is_sample(body: &str, data: &Value, manager: u64) -> Result<(String, i64)> {
    let places: Vec<_> = ORDER
        .iter()
        .map(|name| body.find(&format!("\"{name}\":")))
        .collect();
    ensure!(places.iter().all(Option::is_some), "{body}");
    ensure!(places.is_sorted(), "another order: {body}");
    let post: Value = serde_json::from_str(body)?;
    let uuid = post["uuid"].as_str().context("no uuid")?;
    let timestamp = post["timestamp"].as_i64().context("no time")?;
    let begun = post["callflow"][0]["timestamp"].as_i64();
    let flow = json!([{
        "timestamp": begun,
        "action": "init",
        "detail": {"id": manager, "type": "external_manager"},
    }]);
    let want = json!({
        "caller": CALLER,
        "callee": CALLEE,
        "direction": "inbound",
        "uuid": uuid,
        "timestamp": timestamp,
        "external_manager_id": manager,
        "data": data,
        "callflow": flow,
        "call_flow": flow,
    });
    ensure!(post == want, "{post:#} is not {want:#}");
    ensure!(begun.context("no begin")? <= timestamp, "{body}");
    is_uuid_4(uuid)?;
    Ok((uuid.to_owned(), timestamp))
}

fn is_uuid_4(uuid: &str) -> Result<()> {
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    let digits = |c: char| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c);
    let right = lengths == [8, 4, 4, 4, 12]
        && uuid.chars().all(digits)
        && uuid.as_bytes()[14] == b'4'
        && b"89ab".contains(&uuid.as_bytes()[19]);
    ensure!(right, "{uuid} is no UUID of version 4");
    Ok(())
}

#[test]
fn request_matches_the_sample_and_accumulates_data() {
    let sets = Sets::new()
        .set("call", &format!("external_manager_id = 2\n{SUCCESS}"))
        .set("plain", "");
    on(sets.builder(), |pbx, service| {
        let ask = |name: &str, max| gather(name, (1, max), None);
        let script = [
            Answer::seq(&[ask("first", 2)]),
            Answer::seq(&[ask("second", 3)]),
            Answer::seq(&[connect("1091")]),
        ];
        let mut calls = Vec::new();
        for _ in 0..2 {
            service.answers("/call", &script)?;
            let begun = pbx.exec(&["date", "+%s"])?;
            let call = from_outside("call", "<now>12 <now>345");
            becomes(pbx, &call, &admitted("1091").attempts("2"))?;
            let asked = service.asked("/call")?;
            let asked = &asked[asked.len() - 3..];
            let data = [
                json!({}),
                json!({"first": "12"}),
                json!({"first": "12", "second": "345"}),
            ];
            let mut uuids = Vec::new();
            for (request, data) in asked.iter().zip(&data) {
                ensure!(request.method == "POST", "{request:?}");
                ensure!(request.header("content-type") == "application/json");
                let (uuid, time) = is_sample(&request.body()?, data, 2)?;
                ensure!(time >= begun.trim().parse()?, "{time}, begun {begun}");
                uuids.push(uuid);
            }
            ensure!(uuids.iter().all(|uuid| *uuid == uuids[0]), "{uuids:?}");
            calls.push(uuids.remove(0));
        }
        ensure!(calls[0] != calls[1], "two calls, one identity");
        // Without an option, the number is 1.
        answers(service, "plain", &[&[hangup()]])?;
        becomes(pbx, &from_outside("plain", ""), &refused("FAILURE"))?;
        let asked = service.asked("/plain")?;
        is_sample(&asked[0].body()?, &json!({}), 1).map(drop)
    });
}

/// The service gets the number of every caller, in a form that it can read.
#[test]
fn caller_numbers_are_posted_normalized() {
    const CALLERS: [(&str, &str); 6] = [
        ("05060508169", "+905060508169"),
        ("00905060508169", "+905060508169"),
        ("112", "112"),
        ("anonymous", "anonymous"),
        ("a\"b\\c</script>", "a\"b\\c</script>"),
        ("\u{131}\u{15f}\u{131}k", "\u{131}\u{15f}\u{131}k"),
    ];
    let mut sets = Sets::new();
    sets.0.push_str("country_code = 90\n");
    for number in 0..=CALLERS.len() {
        sets = sets.set(&format!("c{number}"), "");
    }
    on(sets.builder(), |pbx, service| {
        for (number, (caller, posted)) in CALLERS.iter().enumerate() {
            let set = format!("c{number}");
            answers(service, &set, &[&[hangup()]])?;
            let call = crate::pin_sets::call(&set, "").variable("CALLERID(num)", caller);
            becomes(pbx, &call, &refused("FAILURE")).context(*caller)?;
            let posts = service.posts(&path(&set))?;
            ensure!(posts[0]["caller"] == *posted, "{:#}", posts[0]);
        }
        Ok(())
    });
}

/// A row: the answers, the keys, and what should become of the call.
type Step = (
    &'static str,
    Vec<Vec<Value>>,
    &'static str,
    Want,
    Option<Value>,
);

/// What each action does to the call.
#[test]
fn actions_have_their_effect() {
    let ask = |digits| gather("pin_code", digits, None);
    let to = |extension: &str| vec![connect(extension)];
    let pin = |digits: &str| Some(json!({"pin_code": digits}));
    let refused_there = |name, extension: &str| -> Step {
        (name, vec![to(extension)], "", error(), Some(json!({})))
    };
    let steps: Vec<Step> = vec![
        (
            "admits",
            vec![to("1091")],
            "",
            admitted("1091").attempts("0"),
            None,
        ),
        (
            "refuses",
            vec![to("1092")],
            "",
            sent("1092").attempts("0"),
            None,
        ),
        (
            "hangs-up",
            vec![vec![hangup()]],
            "",
            refused("FAILURE").sounds(&[]),
            None,
        ),
        // Actions after the end of the call, or after a gather, are not carried out.
        (
            "stops",
            vec![vec![connect("1091"), connect("1092")]],
            "",
            admitted("1091"),
            None,
        ),
        (
            "drops",
            vec![vec![ask((1, 4)), connect("1092")], to("1091")],
            "<now>12#",
            admitted("1091").attempts("1"),
            pin("12"),
        ),
        // A gather ends with the last digit there may be, or with #.
        (
            "full",
            vec![vec![ask((1, 4))], to("1091")],
            "<now>1234",
            admitted("1091"),
            pin("1234"),
        ),
        (
            "short",
            vec![vec![ask((1, 4))], to("1091")],
            "<now>1#",
            admitted("1091"),
            pin("1"),
        ),
        (
            "paused",
            vec![vec![ask((1, 4))], to("1091")],
            "<now>12",
            admitted("1091"),
            pin("12"),
        ),
        (
            "one",
            vec![vec![ask((1, 1))], to("1091")],
            "<now>7",
            admitted("1091"),
            pin("7"),
        ),
        // Too few are asked for again, `attempts` times in all.
        (
            "again",
            vec![vec![ask((4, 4))], to("1091")],
            "<now>12#<wait 1>1234",
            admitted("1091").attempts("1"),
            pin("1234"),
        ),
        (
            "too-few",
            vec![vec![ask((4, 4))], to("1091")],
            "<now>12#<wait 1>34#",
            refused("FAILURE").whatever_keyed(),
            Some(json!({})),
        ),
        (
            "none",
            vec![vec![ask((1, 4))], to("1091")],
            "",
            admitted("1091").attempts("0"),
            pin(""),
        ),
        (
            "operator",
            vec![vec![ask((1, 4))], to("1092")],
            "",
            sent("1092").attempts("0"),
            pin(""),
        ),
        (
            "unposted",
            vec![vec![ask((1, 4))], to("1091")],
            "",
            refused("TIMEOUT"),
            Some(json!({})),
        ),
        // Digits that arrive during a request are not lost.
        (
            "ahead",
            vec![
                vec![gather("a", (1, 2), None)],
                vec![gather("b", (1, 3), None)],
                to("1091"),
            ],
            "<now>12345",
            admitted("1091").attempts("2"),
            Some(json!({"a": "12", "b": "345"})),
        ),
        // Where a service must not send a call.
        refused_there("to-h", "h"),
        refused_there("to-i", "i"),
        refused_there("to-t", "t"),
        refused_there("to-s", "s"),
        refused_there("to-e", "e"),
        refused_there("to-outside", "00905060508169"),
        refused_there("to-pattern", "_X."),
        refused_there("to-two", "1091,1"),
        refused_there("to-other-context", "1091@outside"),
        refused_there("to-nothing", ""),
        refused_there("to-variable", "${EPOCH}"),
        (
            "dials",
            vec![vec![dial("905060508169")]],
            "",
            error(),
            Some(json!({})),
        ),
        // Without anybody to say it, a text is left out.
        (
            "says",
            vec![vec![say("Hello", "en"), connect("1091")]],
            "",
            admitted("1091"),
            None,
        ),
    ];
    let mut sets = Sets::new();
    for (name, ..) in &steps {
        let options = match *name {
            "unposted" => format!("{SUCCESS}\npost_silence = no"),
            _ => SUCCESS.to_owned(),
        };
        sets = sets.set(name, &options);
    }
    on(sets.builder(), |pbx, service| {
        let mut rows = Vec::new();
        for (name, sequences, keys, want, _) in &steps {
            let sequences: Vec<&[Value]> = sequences.iter().map(Vec::as_slice).collect();
            answers(service, name, &sequences)?;
            rows.push(row(name, from_outside(name, keys), want.clone()));
        }
        all_become(pbx, &rows)?;
        for (name, _, _, _, data) in &steps {
            let posts = service.posts(&path(name))?;
            let last = posts.last().with_context(|| (*name).to_owned())?;
            if let Some(data) = data {
                ensure!(last["data"] == *data, "{name}: {last:#}");
            }
        }
        for set in ["to-h", "to-outside", "to-variable", "dials", "says"] {
            is_logged(pbx, &[set])?;
        }
        Ok(())
    });
}

/// Other destinations than numbers of two to six digits, an outside line, and
/// nowhere at all.
#[test]
fn destinations_are_limited_to_contexts_and_patterns() {
    let outside = "dial_context = outside\ndial_pattern = 90[0-9]{10}";
    let sets = Sets::new()
        .set("pattern", "connect_pattern = 7[0-9]|90.*")
        .set("pattern-whole", "connect_pattern = 7[0-9]|90.*")
        .set(
            "line",
            &format!("{outside}\nsuccess_destinations = 905060508169"),
        )
        .set("line-abroad", outside)
        .set("line-h", "dial_context = outside\ndial_pattern = .*")
        .set(
            "nobody",
            "connect_pattern = [0-9]+\nconnect_context = empty",
        )
        .set("closed", "connect_context =");
    let empty = "[empty]\nexten => 1,1,NoOp()\ninclude => harness-h\n";
    on(sets.builder().dialplan(empty), |pbx, service| {
        let went = |place| refused("FAILURE").went(place);
        let rows: Vec<(&str, Value, Want)> = vec![
            ("pattern", connect("71"), went("agents,71,1")),
            ("pattern-whole", connect("710"), error()),
            (
                "line",
                dial("905060508169"),
                passed().went("outside,905060508169,1"),
            ),
            ("line-abroad", dial("4915112345678"), error()),
            ("line-h", dial("h"), error()),
            ("nobody", connect("1091"), error()),
            ("closed", connect("1091"), error()),
        ];
        let mut calls = Vec::new();
        for (set, action, want) in rows {
            answers(service, set, &[&[action]])?;
            calls.push(row(set, from_outside(set, ""), want));
        }
        all_become(pbx, &calls)
    });
}

/// An application speaks the text in its language. The text can't add arguments.
#[test]
fn say_passes_text_and_language_to_the_application() {
    let sets = Sets::new()
        .set("says", &format!("say_app = UserEvent\n{SUCCESS}"))
        .set("no-app", &format!("say_app = NoSuchApplication\n{SUCCESS}"));
    on(sets.builder(), |pbx, service| {
        let hostile = "Merhaba,d\u{fc}nya: ${EPOCH} \"a\\b\"(c)|d\r\ne";
        answers(
            service,
            "says",
            &[&[
                say(hostile, "tr"),
                say("Hello", "../../en"),
                connect("1091"),
            ]],
        )?;
        let call: Call = from_outside("says", "").report("CHANNEL(language)");
        let want = admitted("1091").variable("CHANNEL(language)", "en");
        let report = becomes(pbx, &call, &want)?;
        let printed: Vec<&str> = report
            .events_named("UserEvent")
            .filter_map(|frame| frame.get("UserEvent"))
            .filter(|name| *name != "Harness")
            .collect();
        ensure!(printed.len() == 2, "{printed:?}");
        ensure!(
            printed[0].starts_with("Merhaba d\u{fc}nya: "),
            "{printed:?}"
        );
        ensure!(
            !printed[0].contains(['$', '{', '(', '|', '"', '\\', ',']),
            "{printed:?}"
        );
        ensure!(printed[1] == "Hello", "{printed:?}");
        let languages: Vec<&str> = report
            .events_named("UserEvent")
            .filter_map(|frame| frame.get("Language"))
            .collect();
        ensure!(languages.first() == Some(&"tr"), "{languages:?}");
        answers(service, "no-app", &[&[say("Hello", "en"), connect("1091")]])?;
        becomes(pbx, &from_outside("no-app", ""), &admitted("1091"))?;
        is_logged(pbx, &["no-app", "NoSuchApplication"])
    });
}

/// The caller's own routes: `c` and `j` are for a service that hangs up, and
/// for one that fails.
#[test]
fn application_options_override_on_error() {
    let sets = Sets::new().set("ends", "").set("fails", "");
    on(sets.builder(), |pbx, service| {
        answers(service, "ends", &[&[hangup()]])?;
        let failure = [Answer::http("503 Busy", &[], "")];
        service.answers("/fails", &failure)?;
        let call = |args: &str| from_outside(args, "");
        let rows = [
            row(
                "c",
                call("ends,c"),
                refused("FAILURE").outcome(Outcome::Continued),
            ),
            row(
                "c, fails",
                call("fails,c"),
                error().outcome(Outcome::Continued),
            ),
            row(
                "j",
                call("ends,j").with_jump_target(),
                refused("FAILURE").outcome(Outcome::Jumped),
            ),
            row(
                "j, fails",
                call("fails,j").with_jump_target(),
                error().outcome(Outcome::Jumped),
            ),
        ];
        all_become(pbx, &rows)
    });
}
