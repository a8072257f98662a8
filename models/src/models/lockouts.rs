//! Lockouts: charges, refunds, and their storage.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use super::{end_threads, Channel};
use crate::model::run::{Model, Orders};
use crate::model::{step, Odds};
use crate::pinset::config::Lockout;
use crate::pinset::lockout::{Caller, Limits, Standing};
use crate::pinset::verify::Counter;
use crate::pinset::{Grant, Pin, Verdict};
use crate::state::audit::AuditContext;
use crate::state::lockouts::{self, CallLockouts};

const FAILURES: u32 = 3;

/// A call of the one caller number.
fn call() -> Counter<CallLockouts> {
    let hour = Duration::from_secs(3600);
    let caller = Some(Lockout {
        failures: FAILURES,
        window: hour,
        lock: hour,
    });
    let limits = Limits {
        caller,
        ..Limits::default()
    };
    let caller = Caller::new(Some(b"5551234"), "PJSIP/trunk-0000001a");
    Counter::new("customers", limits, caller, CallLockouts::own(AuditContext))
}

/// Enters wrong PINs until the caller is locked out; at the last one, the caller of one
/// call hangs up.
fn enter_wrong_pins(verified: &AtomicU32, hangs_up: bool) {
    let call = call();
    for entry in 0.. {
        let verdict = call.verify(&mut Channel, &Pin::parse(b"1111").unwrap(), |_, ticket| {
            ticket.compare();
            verified.fetch_add(1, SeqCst);
            step();
            (!hangs_up || entry == 0).then_some(Verdict::Wrong)
        });
        match verdict {
            Some(Verdict::Wrong) => {}
            Some(Verdict::Locked { .. }) | None => return,
            other => panic!("{other:?}"),
        }
    }
}

fn enter_right_pin() {
    let verdict = call().verify(&mut Channel, &Pin::parse(b"2222").unwrap(), |_, ticket| {
        ticket.compare();
        step();
        Some(Verdict::Right(Grant::default()))
    });
    let verdict = verdict.expect("nobody hangs up");
    assert!(
        matches!(verdict, Verdict::Right(_) | Verdict::Locked { .. }),
        "{verdict:?}"
    );
}

fn assert_locked(when: &str) {
    let standing = call().look(&mut Channel);
    assert!(
        matches!(standing, Standing::Locked(_)),
        "{when}: {standing:?}"
    );
}

fn assert_stored() {
    assert_locked("after the calls");
    lockouts::shutdown();
    end_threads();
    lockouts::clear();
    lockouts::start();
    assert_locked("after the module was loaded again");
    lockouts::shutdown();
    end_threads();
}

pub(crate) const CHARGES: Model = Model {
    name: "lockouts",
    invariant: "concurrent calls verify as many wrong PINs as the limit, right ones do not count, \
                and then the caller is locked out",
    orders: Orders::Some(1500),
    odds: Odds::NONE,
    run: || {
        lockouts::start();
        let verified = Arc::new(AtomicU32::new(0));
        let wrong = [false, true].map(|hangs_up| {
            let verified = Arc::clone(&verified);
            thread::spawn(move || enter_wrong_pins(&verified, hangs_up))
        });
        let right = thread::spawn(enter_right_pin);
        for call in wrong {
            call.join().unwrap();
        }
        right.join().unwrap();
        assert_eq!(verified.load(SeqCst), FAILURES, "verified wrong PINs");
        assert_stored();
    },
    broken: &[
        "attempts in flight do not count",
        "a right entry is not refunded",
        "a right entry is refunded twice",
    ],
};

pub(crate) const STORED: Model = Model {
    name: "storage of lockouts",
    invariant: "what is written last is the latest, whichever threads write",
    orders: Orders::Some(1500),
    odds: Odds::NONE,
    run: || {
        lockouts::start();
        let call = thread::spawn(|| enter_wrong_pins(&AtomicU32::new(0), false));
        // As unloads that are refused do, beside those of the schedule.
        let writers = [(); 2].map(|()| {
            thread::spawn(|| {
                lockouts::write();
                lockouts::write();
            })
        });
        call.join().unwrap();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_stored();
    },
    broken: &["writes of lockouts overtake each other"],
};

#[test]
fn wrong_pins_never_exceed_the_limit() {
    CHARGES.check();
}

#[test]
fn latest_lockouts_are_stored() {
    STORED.check();
}
