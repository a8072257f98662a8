//! One row of the table: a call, its preconditions, and its expected outcome.

use std::time::Duration;

use anyhow::Result;
use harness::{Call, Ongoing, Pbx};

use crate::expect::Expect;

/// Which Asterisk a row is run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// One with everything.
    Main,
    /// One whose `auth-incorrect`, `auth-thankyou` and `vm-goodbye` are gone.
    NoSounds,
    /// One that is thrown away: there the stock module never ends the call.
    Doomed,
}

/// What has to be there before the calls.
#[derive(Debug, Clone)]
pub(crate) enum Setup {
    /// A file under `/pins`.
    File(&'static str, Vec<u8>),
    /// An entry of Asterisk's database.
    Key(&'static str, &'static str),
    /// Anything else: a command for the container's shell.
    Shell(String),
}

/// What the stock module does where it differs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Theirs {
    Does(Box<Expect>),
    /// It never ends the call, not even when asked to hang up.
    Never,
}

/// A difference's name, and what the stock module does.
pub(crate) type Mark = (&'static str, Theirs);

/// What happens to a call from outside while it goes on.
pub(crate) type Meanwhile = fn(&Pbx, &mut Ongoing<'_>) -> Result<()>;

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub name: &'static str,
    pub place: Place,
    pub setup: Vec<Setup>,
    pub call: Call,
    pub meanwhile: Option<Meanwhile>,
    /// Takes long, so it is started first.
    pub slow: bool,
    pub ours: Expect,
    /// The difference's name, and what the stock module does.
    pub mark: Option<Mark>,
    /// The same for a stock module before 16.30, if that was another.
    pub mark_before_16_30: Option<Option<Mark>>,
}

impl Row {
    /// `Authenticate(args)`, and what the caller keys.
    pub(crate) fn new(name: &'static str, args: &str, keys: &str, ours: Expect) -> Self {
        Self::of(name, Call::new(args).keys(keys), ours)
    }

    pub(crate) fn of(name: &'static str, call: Call, ours: Expect) -> Self {
        Self {
            name,
            place: Place::Main,
            setup: Vec::new(),
            call,
            meanwhile: None,
            slow: false,
            ours,
            mark: None,
            mark_before_16_30: None,
        }
    }

    /// Here the stock module differs. `letter` is the row's in docs/compatibility.md, or a word.
    pub(crate) fn marked(mut self, letter: &'static str, theirs: Expect) -> Self {
        self.mark = Some((letter, Theirs::Does(Box::new(theirs))));
        self
    }

    /// Here the stock module of Asterisk before 16.30 did this, or, if `None`, as ours. It
    /// did not know quotes in lists of prompts, nor needed long URLs.
    pub(crate) fn before_16_30(mut self, theirs: Option<Expect>) -> Self {
        let mark = |theirs| ("16.30", Theirs::Does(Box::new(theirs)));
        self.mark_before_16_30 = Some(theirs.map(mark));
        self
    }

    /// Here the stock module never ends.
    pub(crate) fn marked_never(mut self, letter: &'static str) -> Self {
        self.mark = Some((letter, Theirs::Never));
        self.place = Place::Doomed;
        self
    }

    pub(crate) fn file(mut self, name: &'static str, contents: impl Into<Vec<u8>>) -> Self {
        self.setup.push(Setup::File(name, contents.into()));
        self
    }

    pub(crate) fn key(mut self, family: &'static str, key: &'static str) -> Self {
        self.setup.push(Setup::Key(family, key));
        self
    }

    pub(crate) fn shell(mut self, script: impl Into<String>) -> Self {
        self.setup.push(Setup::Shell(script.into()));
        self
    }

    pub(crate) fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    pub(crate) fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    pub(crate) fn meanwhile(mut self, what: Meanwhile) -> Self {
        self.meanwhile = Some(what);
        self
    }

    /// Changes the call.
    pub(crate) fn with(mut self, change: impl FnOnce(Call) -> Call) -> Self {
        self.call = change(self.call);
        self
    }

    /// Short timeouts, for a caller who leaves something out. Between keys
    /// there is time for a busy machine.
    pub(crate) fn impatient(self) -> Self {
        // Time to enter a key on a busy machine.
        let wait = Duration::from_secs(2);
        self.with(|call| call.timeouts(wait, wait))
    }

    /// An account code that was there before.
    pub(crate) fn orig(self) -> Self {
        self.with(|call| call.variable("CHANNEL(accountcode)", "orig"))
    }

    pub(crate) fn jump_target(self) -> Self {
        self.with(Call::with_jump_target)
    }

    /// The call is answered already.
    pub(crate) fn answered(self) -> Self {
        self.with(|call| call.before("Answer()"))
    }
}
