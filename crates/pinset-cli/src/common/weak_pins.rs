//! Detection of weak PINs: those that are guessed first.

use std::fmt;

use serde::Serialize;

/// The reason why a PIN is weak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Weakness {
    /// A repeated pattern.
    Repeat,
    /// Digits that ascend or descend evenly.
    Run,
    /// A year from 1900 to 2099.
    Year,
    /// A date in such a year.
    Date,
    /// One of the most common PINs.
    Common,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeat => "a repeated pattern",
            Self::Run => "a run of digits",
            Self::Year => "a year",
            Self::Date => "a date",
            Self::Common => "one of the most common PINs",
        })
    }
}

/// Common PINs from leaks that no rule below finds: patterns on the keypad, words,
/// palindromes, pairs.
#[rustfmt::skip]
pub(crate) const COMMON: &[&str] = &[
    "0007", "0070", "0852", "1001", "1004", "1122", "1221", "1230", "1236", "1245",
    "1337", "1342", "1379", "1397", "1478", "1793", "2112", "2211", "2233", "2580",
    "3698", "4200", "4711", "5150", "5683", "6996", "7410", "8520", "9630", "10000",
    "11122", "12312", "12321", "20000", "23232", "42069", "90210", "100000", "100200",
    "102030", "111222", "112211", "112233", "121314", "123321", "123654", "123789",
    "131211", "142536", "147258", "147852", "147896", "159357", "159753", "200000",
    "222333", "258000", "332211", "333666", "520131", "789456", "963852", "987321",
    "1234554", "5201314", "7758521", "11223344", "12344321", "14725836", "147258369",
    "741852963", "789456123", "987456321", "1029384756",
];

/// Returns why `pin` is weak, or `None` if it is not.
///
/// Dates without a year, or with two digits for it, don't count: every tenth PIN of six
/// digits is such a date.
pub(crate) fn weakness(pin: &[u8]) -> Option<Weakness> {
    if is_repeat(pin) {
        Some(Weakness::Repeat)
    } else if !pin.iter().all(u8::is_ascii_digit) {
        None
    } else if is_run(pin) {
        Some(Weakness::Run)
    } else if pin.len() == 4 && is_year(pin) {
        Some(Weakness::Year)
    } else if is_date(pin) {
        Some(Weakness::Date)
    } else {
        let common = COMMON.iter().any(|common| common.as_bytes() == pin);
        common.then_some(Weakness::Common)
    }
}

fn is_repeat(pin: &[u8]) -> bool {
    (1..=pin.len() / 2).any(|period| {
        pin.len() % period == 0
            && pin
                .iter()
                .eq(pin.iter().cycle().skip(period).take(pin.len()))
    })
}

/// Returns whether each digit is the same step, one or two up or down, from the one
/// before it. 0 follows 9, as on the keypad.
fn is_run(pin: &[u8]) -> bool {
    let step = |from: u8, to: u8| (to + 10 - from) % 10;
    let mut steps = pin.windows(2).map(|pair| match pair {
        [from, to] => step(*from, *to),
        _ => 0,
    });
    pin.len() > 2
        && steps
            .next()
            .is_some_and(|first| matches!(first, 1 | 2 | 8 | 9) && steps.all(|step| step == first))
}

/// Returns the number that the digits represent.
fn number(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
}

fn is_year(digits: &[u8]) -> bool {
    (1900..=2099).contains(&number(digits))
}

/// Returns whether eight digits are day, month and year in a usual order.
fn is_date(pin: &[u8]) -> bool {
    let [a, b, c, d, e, f, g, h] = *pin else {
        return false;
    };
    let is_day = |x: [u8; 2], y: [u8; 2]| {
        let (day, month) = (number(&x), number(&y));
        (1..=31).contains(&day) && (1..=12).contains(&month)
    };
    is_year(&[e, f, g, h]) && (is_day([a, b], [c, d]) || is_day([c, d], [a, b]))
        || is_year(&[a, b, c, d]) && is_day([g, h], [e, f])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use Weakness::{Common, Date, Repeat, Run, Year};

    #[test]
    fn weak_pins_are_detected_with_reason() {
        let table: &[(&[&str], Option<Weakness>)] = &[
            (
                &[
                    "11", "000", "1111", "1212", "6969", "123123", "48274827", "****",
                ],
                Some(Repeat),
            ),
            (
                &[
                    "123", "1234", "4321", "0246", "8642", "890123", "210987", "654321",
                ],
                Some(Run),
            ),
            (&["1900", "1984", "2099"], Some(Year)),
            (&["24121984", "12241984", "19841224"], Some(Date)),
            (&["2580", "1004", "0852", "147258369"], Some(Common)),
            (
                &[
                    "",
                    "7",
                    "73",
                    "1899",
                    "2100",
                    "8364",
                    "0483",
                    "1235",
                    "0369",
                    "1*2*3",
                    "12AB",
                    "24131984x",
                    "24321984",
                    "45121984",
                    "20251332",
                    "3141592",
                    "00000001",
                ],
                None,
            ),
        ];
        for (pins, why) in table {
            for pin in *pins {
                assert_eq!(weakness(pin.as_bytes()), *why, "{pin}");
            }
        }
    }

    #[test]
    fn common_pins_are_found_by_no_other_rule() {
        for pin in COMMON {
            assert_eq!(weakness(pin.as_bytes()), Some(Common), "{pin}");
        }
    }

    /// If too many PINs counted as weak, warnings would be useless.
    #[test]
    fn most_pins_are_not_weak() {
        for (digits, at_most) in [(4, 450), (5, 100), (6, 1200)] {
            let all = 10usize.pow(digits as u32);
            let weak = (0..all)
                .filter(|n| weakness(format!("{n:0digits$}").as_bytes()).is_some())
                .count();
            assert!(weak < at_most, "{weak} of {digits} digits");
        }
    }

    proptest! {
        #[test]
        fn repeated_digits_are_a_repeat(half in "[0-9*A-D]{1,20}", times in 2usize..5) {
            prop_assert_eq!(weakness(half.repeat(times).as_bytes()), Some(Repeat));
        }

        #[test]
        fn reversed_run_is_a_run(start in 0u8..10, step in 1u8..3, length in 3usize..12) {
            let mut pin: Vec<u8> = (0..length)
                .map(|place| b'0' + (start + step * place as u8) % 10)
                .collect();
            prop_assert_eq!(weakness(&pin), weakness(&pin.iter().rev().copied().collect::<Vec<u8>>()));
            prop_assert!(matches!(weakness(&pin), Some(Run | Repeat)));
            pin.push(b'*');
            prop_assert_eq!(weakness(&pin), None);
        }

        #[test]
        fn any_bytes_can_be_checked(pin: Vec<u8>) {
            weakness(&pin);
        }
    }
}
