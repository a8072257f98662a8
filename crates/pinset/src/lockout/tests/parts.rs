//! Names, keys, cells and the clock.

use proptest::prelude::*;

use super::*;
use crate::lockout::failure_times::{Cells, MAX_FAILURE_TIMES};
use crate::phone_number::Numbering;

#[test]
fn an_endpoint_is_what_the_caller_can_not_choose() {
    for (channel, expected) in [
        ("PJSIP/trunk-0000001a", "PJSIP/trunk"),
        ("SIP/my-own-trunk-0000001a", "SIP/my-own-trunk"),
        ("PJSIP/trunk", "PJSIP/trunk"),
        ("IAX2/192.0.2.1:4569-1234", "IAX2/192.0.2.1:4569"),
        ("DAHDI/17-1", "DAHDI/17"),
        ("DAHDI/i1/5551234-1a", "DAHDI/i1"),
        ("DAHDI/i1/5551234:99-1a", "DAHDI/i1"),
        ("Local/1091@from-inside-0000001a;2", "Local/@from-inside"),
        ("Local/10-91@from-inside-0000001a;1", "Local/@from-inside"),
        ("Local/a@b@inside-0000001a;1", "Local/@inside"),
        ("Local/1091-0000001a;1", "Local/1091"),
        ("Console/dsp", "Console/dsp"),
        ("-", ""),
        ("", ""),
    ] {
        assert_eq!(endpoint(channel), expected, "{channel}");
    }
}

#[test]
fn callers_are_as_long_as_asterisk_has_it() {
    let long = Caller::new(Some(&[b'1'; 200]), &"é".repeat(100));
    assert_eq!(long.number(), Some("1".repeat(80).as_str()));
    assert_eq!(long.endpoint(), "é".repeat(40));
    // Three bytes are put for each of these.
    let lossy = Caller::new(Some(&[0xff; 200]), "x");
    assert_eq!(lossy.number(), Some("\u{fffd}".repeat(26).as_str()));
    let odd = format!("x{}", "é".repeat(100));
    assert_eq!(endpoint(&odd).len(), 79);
}

#[test]
fn stored_caller_that_none_can_be_is_refused() {
    let restored = |number: Option<&str>, endpoint: &str| {
        Caller::restored(number.map(str::to_owned), endpoint.to_owned())
    };
    let (longest, long) = ("x".repeat(80), "x".repeat(81));
    for (number, endpoint) in [
        (None, "PJSIP/trunk"),
        (None, ""),
        (Some("1"), longest.as_str()),
        (Some(longest.as_str()), "PJSIP/trunk"),
    ] {
        let caller = restored(number, endpoint).expect("a caller");
        assert_eq!((caller.number(), caller.endpoint()), (number, endpoint));
    }
    for (number, endpoint) in [
        (Some(""), "PJSIP/trunk"),
        (Some(long.as_str()), "PJSIP/trunk"),
        (Some("1"), long.as_str()),
        (None, long.as_str()),
    ] {
        assert_eq!(restored(number, endpoint), None, "{number:?} {endpoint}");
    }
}

#[test]
fn keys_tell_kinds_and_parts_apart() {
    let keys = [
        KeyTable::Callers.key(&[Some("a"), Some("b"), Some("c")]),
        KeyTable::Trusted.key(&[Some("a"), Some("b"), Some("c")]),
        KeyTable::Callers.key(&[Some("a"), Some("bc"), Some("")]),
        KeyTable::Callers.key(&[Some("ab"), Some(""), Some("c")]),
        KeyTable::Callers.key(&[Some("a"), Some(""), Some("bc")]),
        KeyTable::Callers.key(&[Some("a"), None, Some("bc")]),
        KeyTable::Accounts.key(&[Some("a"), Some("bc")]),
        KeyTable::PinSets.key(&[Some("a")]),
    ];
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
    for table in KeyTable::ALL {
        let text = table.text(&keys[0]);
        assert_eq!(text.len(), 33);
        assert_eq!(KeyTable::of_text(&text), Some((table, keys[0])));
        for other in [
            &text[1..],
            &text[..32],
            &text.to_uppercase(),
            &format!("{text}0"),
            "",
        ] {
            assert_eq!(KeyTable::of_text(other), None);
        }
    }
}

#[test]
fn failures_are_exact_up_to_128_and_never_too_few_above() {
    for failures in [100, 128] {
        let mut cells = Cells::default();
        (0..failures).for_each(|n| cells.add(1000 + 7 * n));
        for n in 0..failures {
            cells.forget(1000 + 7 * n);
            assert_eq!(u64::from(cells.count()), failures - n);
        }
    }
}

proptest! {
    #[test]
    fn merged_failures_are_taken_to_be_younger(
        gaps in prop::collection::vec(0u64..1000, 1..600),
        since in 0u64..300_000,
    ) {
        let mut cells = Cells::default();
        let times = gaps.iter().scan(0, |time, gap| { *time += gap; Some(*time) });
        let times: Vec<u64> = times.collect();
        times.iter().for_each(|time| cells.add(*time));
        prop_assert!(cells.iter().count() <= MAX_FAILURE_TIMES);
        prop_assert_eq!(cells.count() as usize, times.len());
        prop_assert_eq!(cells.last(), times.last().copied());
        let real = times.iter().filter(|time| **time >= since).count();
        cells.forget(since);
        prop_assert!(cells.count() as usize >= real);
    }

    /// Whatever a clock does, what has been counted is as long ago as it was.
    #[test]
    fn a_clock_that_is_set_back_changes_nothing(
        steps in prop::collection::vec((0u64..40, 0u64..1_000_000_000), 1..60),
    ) {
        let mut right = Pbx::with(defaults());
        let mut wrong = Pbx::with(defaults());
        let mut back = Duration::ZERO;
        for (minutes, set_back) in steps {
            if set_back % 3 == 0 {
                // By more than what could be two calls that overtake each other.
                back += 2 * MINUTE + Duration::from_secs(set_back).min(START / 100);
            } else {
                right.now += u32::try_from(minutes).unwrap() * MINUTE;
            }
            wrong.now = right.now - back;
            let [one, other] = [&mut right, &mut wrong].map(|pbx| {
                let entry = pbx.entry_for(&from(minutes % 4), account("alice"), AttemptResult::Wrong);
                let plain = |lock: Lock| (lock.kind, lock.until.map(|until| until - pbx.now));
                let entry = match entry {
                    Ok(lock) => Ok(lock.map(plain)),
                    Err(ChargeError::Locked(lock)) => Err(Some(plain(lock))),
                    Err(ChargeError::Busy) => Err(None),
                };
                let locks = pbx.locks().into_iter();
                let locks: Vec<_> = locks
                    .map(|held| (held.what, held.until.map(|until| until - pbx.now)))
                    .collect();
                (entry, locks)
            });
            prop_assert_eq!(one, other);
        }
    }
}

#[test]
fn calls_that_overtake_each_other_set_no_clock() {
    let mut pbx = Pbx::with(by_caller(1));
    let lock = pbx.wrong(&from(1)).unwrap();
    for _ in 0..1000 {
        pbx.now -= SECOND;
        pbx.look(&from(2));
        pbx.now += SECOND;
        pbx.look(&from(2));
    }
    assert_eq!(pbx.look(&from(1)), Standing::Locked(lock));
    pbx.now += 30 * MINUTE;
    assert_eq!(pbx.look(&from(1)), Standing::Open);
}

#[test]
fn extreme_times_do_not_panic() {
    let ends = [Duration::ZERO, TICK, START, Duration::MAX];
    for one in ends {
        for other in ends {
            let mut pbx = Pbx::with(Limits {
                caller: limit(1, Duration::MAX, Duration::MAX),
                ..defaults()
            });
            for now in [one, other, one] {
                pbx.now = now;
                pbx.look(&from(1));
                pbx.entry_for(&from(1), account("alice"), AttemptResult::Wrong)
                    .ok();
                pbx.entry_for(&from(2), stranger("bob"), AttemptResult::Right(None))
                    .ok();
                pbx.entry_for(&from(2), stranger("bob"), AttemptResult::Wrong)
                    .ok();
                pbx.locks();
                pbx.lockouts.unlock(Unlock::Account("bob"), None, now);
            }
            pbx.restart(Capacity::DEFAULT);
        }
    }
}

/// Otherwise a caller would choose what wrong PINs are counted under.
#[test]
fn caller_with_parameters_is_counted_as_the_one_without() {
    let numbering = Numbering::default();
    let of = |number: &[u8]| Caller::normalized(Some(number), "PJSIP/a-1", &numbering);
    for number in ["+905060508169", "anonymous", "100"] {
        let with = format!("{number};verstat=x{number}");
        assert_eq!(of(with.as_bytes()), of(number.as_bytes()));
    }
}
