//! The transcript of a call, as text.

use harness::{Cdr, Happening, Outcome, Report};

/// Returns what was played and entered, where the call went, the variables it set
/// and its CDR.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    for (time, happening) in report.timeline() {
        let line = match happening {
            Happening::Plays(sound) => format!("Asterisk plays {sound}"),
            Happening::Keys(keys) => format!("caller enters  {keys}"),
        };
        text.push_str(&format!("  {time:7.2}  {line}\n"));
    }
    text.push_str(&format!("  {:7.2}  {}\n", report.elapsed, outcome(report)));
    if !report.not_entered.is_empty() {
        text.push_str(&format!("  not entered: {}\n", report.not_entered));
    }
    for (name, value) in &report.variables {
        if !value.is_empty() {
            text.push_str(&format!("  {name} = {value}\n"));
        }
    }
    match &report.cdr {
        Some(cdr) => text.push_str(&format!("  CDR: {}\n", row(cdr))),
        None => text.push_str("  CDR: none\n"),
    }
    text
}

fn outcome(report: &Report) -> String {
    match &report.outcome {
        Outcome::Passed => "the call continues at the next priority".into(),
        Outcome::Continued => "the call continues at the next priority, not authenticated".into(),
        Outcome::Jumped => "the call continues at priority n+101".into(),
        Outcome::Went(place) => format!("the call continues at {place}"),
        Outcome::HungUp => "the call is hung up".into(),
        Outcome::NotReached => "the call ended before the application".into(),
    }
}

fn row(cdr: &Cdr) -> String {
    let answered = match cdr.billsec {
        0 => String::new(),
        seconds => format!(" {seconds} s"),
    };
    let or_none = |text: &str| {
        if text.is_empty() {
            "none".to_owned()
        } else {
            text.to_owned()
        }
    };
    format!(
        "from {}, {}{answered}, account code {}, last {}({})",
        or_none(&cdr.src),
        cdr.disposition,
        or_none(&cdr.accountcode),
        cdr.lastapp,
        cdr.lastdata
    )
}
