//! The expected outcome of a call.

use harness::{Outcome, Report};

/// In place of a sound: any one sound.
pub(crate) const ANY: &str = "*";

/// What one module is expected to do with one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expect {
    pub outcome: Outcome,
    /// `AUTHENTICATESTATUS` and `AUTHENTICATEATTEMPTS`; the stock module sets
    /// no variables, and none is expected of it.
    pub status: &'static str,
    pub attempts: &'static str,
    /// `AUTHENTICATEACCOUNT`.
    pub account: &'static str,
    /// The account code: of the channel and in the CDR.
    pub code: String,
    pub sounds: Vec<&'static str>,
    pub answered: bool,
    pub progress: bool,
    /// How many keys still come depends on how fast the call ends; otherwise
    /// there was an occasion for every key.
    pub whatever_keyed: bool,
    /// The CDR's `lastdata`.
    pub lastdata: Option<String>,
    /// Seconds the whole call takes, from what it has to wait to what would
    /// be one wait too many: not how fast the machine is.
    pub elapsed: Option<(f64, f64)>,
    /// The same for the seconds from the last digit to the sound or end that answers it.
    pub reply: Option<(f64, f64)>,
    /// Entries of Asterisk's database, and whether they are there afterwards.
    pub keys: Vec<(&'static str, &'static str, bool)>,
    /// Further variables.
    pub variables: Vec<(&'static str, String)>,
    /// What the log says, in a line of this row alone.
    pub logged: Vec<&'static str>,
}

fn expect(outcome: Outcome, status: &'static str, attempts: &'static str) -> Expect {
    Expect {
        outcome,
        status,
        attempts,
        account: "",
        code: String::new(),
        sounds: Vec::new(),
        answered: true,
        progress: false,
        whatever_keyed: false,
        lastdata: None,
        elapsed: None,
        reply: None,
        keys: Vec::new(),
        variables: Vec::new(),
        logged: Vec::new(),
    }
}

/// In at the first attempt.
pub(crate) fn passed() -> Expect {
    expect(Outcome::Passed, "SUCCESS", "1").sounds(&["agent-pass", "auth-thankyou"])
}

/// In at the second attempt.
pub(crate) fn passed_second() -> Expect {
    passed()
        .attempts("2")
        .sounds(&["agent-pass", "auth-incorrect", "auth-thankyou"])
}

/// In at the third attempt.
pub(crate) fn passed_third() -> Expect {
    passed().attempts("3").sounds(&[
        "agent-pass",
        "auth-incorrect",
        "auth-incorrect",
        "auth-thankyou",
    ])
}

/// Three entries, all wrong.
pub(crate) fn failed() -> Expect {
    expect(Outcome::HungUp, "FAILURE", "3").sounds(&[
        "agent-pass",
        "auth-incorrect",
        "auth-incorrect",
        "vm-goodbye",
    ])
}

/// Not a key in three attempts.
pub(crate) fn silent() -> Expect {
    failed().status("TIMEOUT")
}

/// A list that can't be read: the first prompt three times.
pub(crate) fn unreadable() -> Expect {
    failed()
        .status("ERROR")
        .sounds(&["agent-pass", "agent-pass", "agent-pass", "vm-goodbye"])
}

/// Nothing is asked. Keys may or may not come before the end.
pub(crate) fn refused() -> Expect {
    expect(Outcome::HungUp, "ERROR", "0")
        .sounds(&["vm-goodbye"])
        .whatever_keyed()
}

/// The caller hangs up before a verdict. The goodbye starts on the channel that
/// has been hung up.
pub(crate) fn gone() -> Expect {
    expect(Outcome::HungUp, "HANGUP", "0").sounds(&["agent-pass", "vm-goodbye"])
}

impl Expect {
    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// On at the next priority without a goodbye (option `c`).
    pub(crate) fn continued(self) -> Self {
        self.outcome(Outcome::Continued).no_goodbye()
    }

    /// To priority n+101 without a goodbye (option `j`).
    pub(crate) fn jumped(self) -> Self {
        self.outcome(Outcome::Jumped).no_goodbye()
    }

    fn no_goodbye(mut self) -> Self {
        self.sounds.retain(|sound| *sound != "vm-goodbye");
        self
    }

    pub(crate) fn status(mut self, status: &'static str) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn attempts(mut self, attempts: &'static str) -> Self {
        self.attempts = attempts;
        self
    }

    pub(crate) fn account(mut self, account: &'static str) -> Self {
        self.account = account;
        self
    }

    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    pub(crate) fn sounds(mut self, sounds: &[&'static str]) -> Self {
        self.sounds = sounds.to_vec();
        self
    }

    /// Early media.
    pub(crate) fn unanswered(mut self) -> Self {
        self.answered = false;
        self.progress = true;
        self
    }

    pub(crate) fn never_opened(mut self) -> Self {
        self.answered = false;
        self
    }

    pub(crate) fn whatever_keyed(mut self) -> Self {
        self.whatever_keyed = true;
        self
    }

    pub(crate) fn lastdata(mut self, data: &str) -> Self {
        self.lastdata = Some(data.to_owned());
        self
    }

    pub(crate) fn elapsed(mut self, from: f64, to: f64) -> Self {
        self.elapsed = Some((from, to));
        self
    }

    pub(crate) fn reply(mut self, from: f64, to: f64) -> Self {
        self.reply = Some((from, to));
        self
    }

    pub(crate) fn key(mut self, family: &'static str, key: &'static str, there: bool) -> Self {
        self.keys.push((family, key, there));
        self
    }

    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) fn logged(mut self, text: &'static str) -> Self {
        self.logged.push(text);
        self
    }

    /// The same of a module that sets no variables.
    pub(crate) fn without_variables(mut self) -> Self {
        self.status = "";
        self.attempts = "";
        self.account = "";
        self
    }

    /// What a call did otherwise.
    pub(crate) fn mismatches(&self, report: &Report) -> Vec<String> {
        let mut found = Mismatches(Vec::new());
        found.unless_eq("outcome", &report.outcome, &self.outcome);
        if !heard(&report.sounds, &self.sounds) {
            found.unless_eq("sounds", &report.sounds, &own(&self.sounds));
        }
        for (name, want) in [
            ("AUTHENTICATESTATUS", self.status),
            ("AUTHENTICATEATTEMPTS", self.attempts),
            ("AUTHENTICATEACCOUNT", self.account),
            ("AUTHENTICATELEVEL", ""),
            ("AUTHENTICATECONTEXT", ""),
            // Not set by Asterisk since 1.4, whatever old pages say.
            ("ACCOUNTCODE", ""),
            ("CHANNEL(accountcode)", &self.code),
        ] {
            found.unless_eq(name, &report.variable(name), &want);
        }
        for (name, want) in &self.variables {
            found.unless_eq(name, &report.variable(name), &want.as_str());
        }
        found.unless_eq("answered", &report.answered, &self.answered);
        found.unless_eq("progress", &report.progress, &self.progress);
        if !self.whatever_keyed {
            found.unless_eq("not entered", &report.not_entered.as_str(), &"");
        }
        found.unless_within("elapsed", Some(report.elapsed), self.elapsed);
        found.unless_within("reply", report.last_key_to_answer, self.reply);
        match &report.cdr {
            None => found.0.push("there is no CDR row".into()),
            Some(cdr) => {
                found.unless_eq("CDR accountcode", &cdr.accountcode, &self.code);
                found.unless_eq("CDR answer", &!cdr.answer.is_empty(), &self.answered);
                let answered = cdr.disposition == "ANSWERED";
                found.unless_eq("CDR ANSWERED", &answered, &self.answered);
                if !self.answered {
                    found.unless_eq("CDR billsec", &cdr.billsec, &0);
                }
                if let Some(lastdata) = &self.lastdata {
                    found.unless_eq("CDR lastapp", &cdr.lastapp.as_str(), &"Authenticate");
                    found.unless_eq("CDR lastdata", &&cdr.lastdata, &lastdata);
                }
            }
        }
        found.0
    }
}

struct Mismatches(Vec<String>);

impl Mismatches {
    fn unless_eq<T: std::fmt::Debug + PartialEq>(&mut self, what: &str, is: &T, want: &T) {
        if is != want {
            self.0.push(format!("{what}: {is:?}, not {want:?}"));
        }
    }

    fn unless_within(&mut self, what: &str, is: Option<f64>, want: Option<(f64, f64)>) {
        let Some((from, to)) = want else { return };
        if !is.is_some_and(|seconds| (from..=to).contains(&seconds)) {
            self.0.push(format!("{what}: {is:?}, not {from} to {to} s"));
        }
    }
}

fn heard(is: &[String], want: &[&str]) -> bool {
    let mut pairs = is.iter().zip(want);
    is.len() == want.len() && pairs.all(|(is, want)| *want == ANY || is == want)
}

fn own(sounds: &[&str]) -> Vec<String> {
    sounds.iter().map(|sound| (*sound).to_owned()).collect()
}
