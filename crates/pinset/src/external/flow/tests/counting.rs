//! Counting of the entries of a call, and of those in flight.

use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};

use super::*;
use crate::config::Lockout;
use crate::lockout::{
    AttemptResult, Caller, Capacity, Charge, ChargeError, Lock, Lockouts, Standing, Subject,
};
use crate::verify::NoChannel;
use crate::verify::Notice;

const NOW: Duration = Duration::from_secs(1_795_000_000);
const LIMIT: u32 = 20;

/// Lockouts, at a time that stands still.
pub struct Books(RefCell<Lockouts>);

impl LockoutContext for Rc<Books> {
    const SETTLE_TIMEOUT: Duration = Duration::ZERO;

    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        what(&mut self.0.borrow_mut(), NOW)
    }

    fn changed(&self) {}

    fn locked(&self, _: Lock, _: Option<Duration>) {}

    fn identified(&self, _: &[u8]) {}

    fn notice(&self, _: &Notice<'_>) {}

    fn now(&self) -> Duration {
        NOW
    }
}

fn caller() -> Caller {
    Caller::new(Some(b"+905060508169"), "PJSIP/trunk-0000001a")
}

fn limits(failures: u32) -> Limits {
    let hour = Duration::from_secs(3600);
    let caller = Lockout {
        failures,
        window: hour,
        lock: hour,
    };
    Limits {
        caller: Some(caller),
        ..Limits::default()
    }
}

impl Books {
    pub fn new() -> Self {
        Self(RefCell::new(Lockouts::new(Capacity::DEFAULT)))
    }

    pub fn counter(books: &Rc<Self>, limits: Limits) -> Counter<Rc<Self>> {
        Counter::new("crm", limits, caller(), Rc::clone(books))
    }

    fn charge(&self, failures: u32) -> Result<Charge, ChargeError> {
        let caller = caller();
        let subject = Subject {
            pin_set: "crm",
            limits: limits(failures),
            caller: &caller,
        };
        self.0.borrow_mut().charge(&subject, 0, NOW)
    }

    fn refund(&self, charges: impl IntoIterator<Item = Charge>) {
        for charge in charges {
            self.0.borrow_mut().settle(charge, AttemptResult::Void, NOW);
        }
    }

    /// How many of [`LIMIT`] are taken: by what was wrong, and what is in flight.
    fn taken(&self) -> u32 {
        let free: Vec<Charge> = std::iter::from_fn(|| self.charge(LIMIT).ok()).collect();
        let taken = LIMIT - u32::try_from(free.len()).expect("a few");
        self.refund(free);
        taken
    }
}

/// The failures of a call.
fn failures(entered: &str, mut service: impl Service<Phone>) -> u32 {
    let books = Rc::new(Books::new());
    let counter = Books::counter(&books, limits(LIMIT));
    counted("", &mut Phone::entering(entered), &counter, &mut service);
    books.taken()
}

fn gather(variable: &str) -> String {
    GATHER.replace("\"pin\"", &format!("\"{variable}\""))
}

fn after_a_sound(end: &str) -> String {
    format!("{PLAY},{end}")
}

#[test]
fn entry_counts_as_wrong_unless_the_answer_admits() {
    let right = after_a_sound(&connect("1091"));
    let wrong = after_a_sound(&connect("1092"));
    let over = after_a_sound(HANGUP);
    for (entered, answers, times) in [
        ("", vec![HANGUP], 0),
        ("", vec![&wrong], 0),
        ("", vec![GATHER], 0),
        ("_12#", vec![GATHER, &right], 0),
        ("_12#", vec![GATHER, &dial("1091")], 0),
        ("_12#", vec![GATHER, &wrong], 1),
        ("_12#", vec![GATHER, &over], 1),
        ("_12#", vec![GATHER, PLAY], 1),
        ("_12#", vec![GATHER, ""], 1),
        // The same variable once more.
        ("_12#", vec![GATHER, GATHER], 1),
        ("_12#_34#", vec![GATHER, GATHER, &right], 1),
        ("_12#_34#_56#", vec![GATHER], 3),
    ] {
        assert_eq!(
            failures(entered, Answers::of(&answers)),
            times,
            "{entered} {answers:?}"
        );
    }
}

#[test]
fn any_http_answer_counts_and_no_answer_does_not() {
    for (result, times) in [
        (Posted::Unusable, 1),
        (Posted::NoAnswer, 0),
        (Posted::Gone { sent: true }, 1),
        (Posted::Gone { sent: false }, 0),
    ] {
        let service = || Answers::of(&[GATHER]).then(result.clone());
        assert_eq!(failures("_12#", service()), times, "{result:?}");
        // The first post has no entry.
        let unasked = Answers::of(&[]).then(result.clone());
        assert_eq!(failures("_12#", unasked), 0, "{result:?}");
    }
}

#[test]
fn steps_of_a_call_that_is_not_admitted_count_at_its_end() {
    let (pin, other) = (gather("pin"), gather("other"));
    let (right, wrong) = (connect("1091"), connect("1092"));
    let (b, c, d) = (gather("b"), gather("c"), gather("d"));
    for (entered, answers, times) in [
        ("_12#_34#", vec![&pin, &other, &right], 0),
        ("_12#_34#", vec![&pin, &other, &wrong], 2),
        // Silence at the second step, and too few digits.
        ("_12#", vec![&pin, &other], 1),
        ("_12#_3#_4#_5#", vec![&pin, &other], 1),
        // A variable that was asked for earlier is asked for again.
        (
            "_12#_34#_56#_78#",
            vec![&pin, &other, &pin, &other, &right],
            2,
        ),
        (
            "_12#_34#_56#_78#",
            vec![&pin, &other, &pin, &other, &wrong],
            4,
        ),
        // Another name at each retry.
        ("_12#_34#_56#_78#", vec![&pin, &b, &c, &d, &wrong], 4),
        // A silent caller has entered nothing, and is admitted all the same.
        ("_12#__", vec![&pin, &other, &right], 0),
        ("__", vec![&pin, &wrong], 0),
        ("__", vec![&pin, &pin, &pin], 0),
        ("_12#__", vec![&pin, &other, &wrong], 1),
        // An earlier entry that is asked for again was wrong, whatever follows.
        (
            "_12#___34#_56#",
            vec![&pin, &other, &pin, &other, &right],
            1,
        ),
        ("_12#___34#__", vec![&pin, &other, &pin, &other, &right], 1),
        // More actions than are carried out.
        ("_12#", vec![&pin, &[PLAY; 8].join(","), &right], 1),
    ] {
        let answers: Vec<&str> = answers.into_iter().map(String::as_str).collect();
        assert_eq!(
            failures(entered, Answers::of(&answers)),
            times,
            "{entered} {answers:?}"
        );
    }
    let two = || Answers::of(&[&pin, &other]);
    assert_eq!(failures("_12#_34#", two().then(Posted::NoAnswer)), 1);
    assert_eq!(failures("_12#_34#", two().then(Posted::Unusable)), 2);
}

#[test]
fn hang_up_at_any_time_leaves_no_posted_entry_uncounted() {
    let first = format!("{PLAY},{SAY},{}", gather("account"));
    let second = format!("{PLAY},{}", gather("pin"));
    let last = format!("{PLAY},{}", connect("1091"));
    for patience in 0.. {
        let books = Rc::new(Books::new());
        let counter = Books::counter(&books, limits(LIMIT));
        let mut phone = Phone {
            patience: Some(patience),
            ..Phone::entering("__12#__3456")
        };
        let mut service = Answers::of(&[&first, &second, &last]);
        let outcome = counted("", &mut phone, &counter, &mut service);
        let posted = u32::try_from(service.posts.len()).expect("a few") - 1;
        let admitted = service.done == 3;
        assert_eq!(
            books.taken(),
            if admitted { 0 } else { posted },
            "{patience}"
        );
        if outcome.status() == Status::Success {
            assert!(patience > 15, "{patience} dealings");
            break;
        }
        assert_eq!(
            outcome,
            FlowOutcome::Gone { attempts: posted },
            "{patience}"
        );
    }
}

#[test]
fn no_entry_is_in_flight_while_sounds_play_or_digits_are_awaited() {
    let books = Rc::new(Books::new());
    let seen: Rc<RefCell<Vec<u32>>> = Rc::default();
    let watch = {
        let (books, seen) = (Rc::clone(&books), Rc::clone(&seen));
        move || seen.borrow_mut().push(books.taken())
    };
    let mut phone = Phone {
        watch: Some(Box::new(watch)),
        ..Phone::entering("_12#__34#__56#_")
    };
    let counter = Books::counter(&books, limits(LIMIT));
    let second = format!("{PLAY},{}", gather("b"));
    let last = format!("{PLAY},{}", connect("1092"));
    let mut service = Answers::of(&[GATHER, &second, &second, &last]);
    counted("", &mut phone, &counter, &mut service);
    // Nothing at the first step, nothing at the second, what was wrong at its
    // retry, and in the end; then the first step.
    let mut seen = seen.take();
    assert!(seen.len() > 10, "{seen:?}");
    seen.dedup();
    assert_eq!(seen, [0, 1, 2]);
    assert_eq!(books.taken(), 3);
}

/// A service that panics at its third post.
struct Panics(Answers);

impl Service<Phone> for Panics {
    fn post(&mut self, phone: &mut Phone, data: &Data) -> Posted {
        assert!(self.0.posts.len() < 2, "the third post");
        self.0.post(phone, data)
    }
}

#[test]
fn panic_leaves_nothing_uncounted() {
    let books = Rc::new(Books::new());
    let counter = Books::counter(&books, limits(LIMIT));
    let mut service = Panics(Answers::of(&[GATHER, &gather("b")]));
    let mut phone = Phone::entering("_12#_34#");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        counted("", &mut phone, &counter, &mut service)
    }));
    assert!(ran.is_err());
    assert_eq!(books.taken(), 2);
}

#[test]
fn owed_steps_count_when_the_next_entry_is_refused() {
    for locks in [false, true] {
        let books = Rc::new(Books::new());
        let charges: Rc<RefCell<Vec<Charge>>> = Rc::default();
        // Others take all the room there is as soon as the first step is posted.
        let watch = {
            let (books, charges) = (Rc::clone(&books), Rc::clone(&charges));
            let mut waits = 0;
            move || {
                waits += 1;
                if waits <= 5 {
                    return;
                }
                while let Ok(charge) = books.charge(2) {
                    if locks {
                        books
                            .0
                            .borrow_mut()
                            .settle(charge, AttemptResult::Wrong, NOW);
                    } else {
                        charges.borrow_mut().push(charge);
                    }
                }
            }
        };
        let mut phone = Phone {
            watch: Some(Box::new(watch)),
            ..Phone::entering("_12#_34#")
        };
        let counter = Books::counter(&books, limits(2));
        let mut service = Answers::of(&[GATHER, &gather("b"), &connect("1091")]);
        let outcome = counted("", &mut phone, &counter, &mut service);
        let status = if locks { Status::Locked } else { Status::Error };
        assert_eq!(outcome, refused(status, 1));
        assert_eq!(service.posts.len(), 2);
        books.refund(charges.take());
        if locks {
            assert!(matches!(counter.look(&mut NoChannel), Standing::Locked(_)));
        } else {
            assert_eq!(books.taken(), 1);
        }
    }
}

#[test]
fn trusted_caller_over_budget_has_one_try_of_several_steps() {
    let hour = Duration::from_secs(3600);
    let pin_set = Lockout {
        failures: 2,
        window: hour,
        lock: hour,
    };
    let limits = Limits {
        pin_set: Some(pin_set),
        ..Limits::default()
    };
    let run_with = |books: &Rc<Books>, number: &[u8], answers: &[&str]| {
        let caller = Caller::new(Some(number), "PJSIP/trunk-0000001a");
        let counter = Counter::new("crm", limits, caller, Rc::clone(books));
        let mut phone = Phone::entering("_12#_34#_56#");
        counted("", &mut phone, &counter, &mut Answers::of(answers)).status()
    };
    let (second, right, wrong) = (gather("b"), connect("1091"), connect("1092"));
    let books = Rc::new(Books::new());
    let steps = [GATHER, &second, &right];
    assert_eq!(run_with(&books, b"1", &steps), Status::Success);
    for _ in 0..2 {
        run_with(&books, b"2", &[GATHER, &wrong]);
    }
    assert_eq!(run_with(&books, b"2", &steps), Status::Locked);
    assert_eq!(run_with(&books, b"1", &steps), Status::Success);
    // Once it was wrong, the try is over.
    let again = [GATHER, &second, &second, &right];
    assert_eq!(run_with(&books, b"1", &again), Status::Locked);
}
