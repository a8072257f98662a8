use super::*;

/// Returns where a call goes, and the log of the line.
fn concluded(options: &str, data: &str, jumps: bool, outcome: FlowOutcome) -> (Next, Vec<String>) {
    let set = set(options);
    let plan = Request::parse(data.as_bytes()).plan_of(&set, None);
    let mut phone = Phone {
        jumps,
        ..Phone::default()
    };
    let next = conclude(outcome, plan, &set.external, &mut phone);
    (next, phone.log)
}

#[test]
fn sent_call_goes_to_its_destination() {
    let outcome = sent(Status::Success, "1091", 2);
    let FlowOutcome::Sent { place, .. } = outcome.clone() else {
        unreachable!()
    };
    let (next, log) = concluded("", "pinset:x,cj", true, outcome);
    assert_eq!(next, Next::Goto(place));
    assert_eq!(log, ["SUCCESS 2"]);
    let gone = FlowOutcome::Gone { attempts: 1 };
    let (next, log) = concluded("", "pinset:x,cj", true, gone);
    assert_eq!((next, log.concat()), (Next::HangUp, "HANGUP 1".to_owned()));
}

#[test]
fn refused_call_follows_on_error() {
    let place = Place {
        context: "help".to_owned(),
        exten: "s".to_owned(),
        priority: "1".to_owned(),
    };
    let goto = "on_error=goto:help,s,1";
    let general = "on_failure=goto:no,s,1";
    let carry_on = "on_failure=continue";
    let (hang_up, go_on) = (Next::HangUp, Next::Continue);
    let there = Next::Goto(place);
    let bye = "vm-goodbye";
    for (options, data, jumps, next, heard) in [
        ("", "pinset:x", false, &hang_up, vec![bye]),
        (general, "pinset:x", false, &hang_up, vec![bye]),
        (carry_on, "pinset:x", false, &hang_up, vec![bye]),
        ("on_error=continue", "pinset:x", false, &go_on, vec![]),
        (goto, "pinset:x", false, &there, vec![bye]),
        (goto, "pinset:x,q", false, &there, vec![]),
        (goto, "pinset:x,c", false, &go_on, vec![]),
        (goto, "pinset:x,j", true, &go_on, vec!["jump"]),
        (goto, "pinset:x,j", false, &there, vec!["jump", bye]),
    ] {
        for status in [Status::Error, Status::Timeout, Status::Failure] {
            let (to, log) = concluded(options, data, jumps, refused(status, 2));
            assert_eq!(to, *next, "{options} {data}");
            let settled = format!("{} 2", status.word());
            let mut all = vec!["Answer", settled.as_str()];
            all.extend(&heard);
            assert_eq!(log, all, "{options} {data}");
        }
    }
    // Callers who are locked out still follow `on_locked`.
    let locked = format!("{goto};on_locked=continue");
    let (next, _) = concluded(
        &locked,
        "pinset:x",
        false,
        FlowOutcome::refused(Status::Locked),
    );
    assert_eq!(next, Next::Continue);
}

#[test]
fn call_hung_up_by_the_service_hears_no_goodbye() {
    let hung_up = || FlowOutcome::Refused {
        status: Status::Failure,
        attempts: 1,
        silent: true,
        trouble: None,
    };
    let options = "on_error=goto:help,s,1";
    for (data, jumps, next, log) in [
        ("pinset:x", false, Next::HangUp, vec!["FAILURE 1"]),
        ("pinset:x,c", false, Next::Continue, vec!["FAILURE 1"]),
        (
            "pinset:x,j",
            true,
            Next::Continue,
            vec!["FAILURE 1", "jump"],
        ),
        ("pinset:x,j", false, Next::HangUp, vec!["FAILURE 1", "jump"]),
    ] {
        let heard = concluded(options, data, jumps, hung_up());
        assert_eq!(heard.0, next, "{data}");
        assert_eq!(heard.1, log, "{data}");
    }
    // Neither on_error nor what [general] says of lists is for it.
    for options in ["on_error=continue", "on_failure=continue"] {
        let (next, _) = concluded(options, "pinset:x", false, hung_up());
        assert_eq!(next, Next::HangUp, "{options}");
    }
}
