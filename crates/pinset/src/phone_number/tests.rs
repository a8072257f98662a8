use super::*;
use proptest::prelude::*;

/// The options as `country_code national_prefix international_prefix
/// national_length`; `-` is empty.
fn numbering(options: &str) -> Numbering {
    let names = [
        "country_code",
        "national_prefix",
        "international_prefix",
        "national_length",
    ];
    let mut numbering = Numbering::default();
    for (name, value) in names.iter().zip(options.split(' ')) {
        let value = value.trim_start_matches("-");
        let set = numbering.set(name.as_bytes(), value.as_bytes());
        assert_eq!(set, Ok(()), "{name} {value}");
    }
    assert_eq!(numbering.check(), Ok(()), "{options}");
    numbering
}

fn shown(options: &str, text: &str) -> String {
    let number = numbering(options).normalize(text.as_bytes());
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

const TURKEY: &str = "90 0 00 10";

#[test]
fn every_spelling_in_hipcalls_guide_is_one_number() {
    for text in [
        "+905060508169",
        "905060508169",
        "05060508169",
        "5060508169",
        "00905060508169",
        "+90 506 050 81 69",
        "+90 (506) 050-81-69",
        "(+90) 506.050.81.69",
        "0(506) 050 81 69",
        " 506-050-8169 ",
    ] {
        assert_eq!(shown(TURKEY, text), "+905060508169", "{text:?}");
    }
}

#[test]
fn longest_spelling_of_a_number_is_read() {
    let options = "999 87654321 12345678 12";
    for text in [
        "1234567899987654321123456789012",
        "+99987654321123456789012",
        "+999123456789012",
    ] {
        assert_eq!(shown(options, text), "+999123456789012", "{text}");
    }
    assert_eq!(shown(options, &"1".repeat(40)), "none");
}

#[test]
fn others_stay_others() {
    for (text, number) in [
        // Elsewhere: as it is, however long.
        ("+442079460000", "+442079460000"),
        ("00442079460000", "+442079460000"),
        ("+4930123", "+4930123"),
        ("+123456789012345", "+123456789012345"),
        ("00123456789012345", "+123456789012345"),
        // One digit more or less is no number.
        ("506050816", "none"),
        ("0506050816", "+900506050816"),
        ("050605081699", "none"),
        ("90506050816", "none"),
        ("9050605081699", "none"),
        ("442079460000", "none"),
        ("101", "none"),
        ("+1234567890123456", "none"),
        ("001234567890123456", "none"),
        // No country code begins with 0.
        ("+05060508169", "none"),
        ("0005060508169", "none"),
        ("+", "none"),
        ("00", "none"),
        ("", "none"),
        (" -.() ", "none"),
        ("anonymous", "none"),
        ("Anonymous 5060508169", "none"),
        ("unknown", "none"),
        ("5060508169x", "none"),
        ("506050816A", "none"),
        ("506/0508169", "none"),
        ("506\t0508169", "none"),
        ("506_0508169", "none"),
        ("5060508169#", "none"),
        ("*675060508169", "none"),
        ("++905060508169", "none"),
        ("90+5060508169", "none"),
        ("905060508169+", "none"),
        ("sip:+905060508169", "none"),
        ("٥٠٦٠٥٠٨١٦٩", "none"),
    ] {
        assert_eq!(shown(TURKEY, text), number, "{text:?}");
    }
    let long = "1".repeat(10_000);
    assert_eq!(shown(TURKEY, &long), "none");
    let far = format!("{}5060508169", " ".repeat(10_000));
    assert_eq!(shown(TURKEY, &far), "+905060508169");
    assert_eq!(numbering(TURKEY).normalize(b"506050816\xff"), None);
    assert_eq!(numbering(TURKEY).normalize(b"5060508169\0"), None);
}

/// The rows of `numbers.txt`: an input from the field, and the caller that must
/// be the same number, or `-` for no usable number.
#[test]
fn trunk_prefix_behind_country_code_is_dropped_or_refused() {
    let cases = include_str!("../../../pinset-cli/tests/cases/numbers.txt");
    let mut checked = 0;
    for line in cases.lines().skip(1) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [code, others, row, caller, _] = cells[..] else {
            panic!("{line}");
        };
        let length = others.strip_prefix("national_length ").unwrap_or("10");
        let options = format!("{code} 0 00 {length}");
        let found = shown(&options, row);
        if caller == "-" {
            assert_eq!(found, "none", "{line}");
        } else {
            assert_ne!(found, "none", "{line}");
            assert_eq!(found, shown(&options, caller), "{line}");
        }
        checked += 1;
    }
    assert_eq!(checked, 4);
    for (options, text, number) in [
        // However the country code is introduced.
        (TURKEY, "0090 0501 234 56 78", "+905012345678"),
        (TURKEY, "90 0501 234 56 78", "+905012345678"),
        (TURKEY, "+90 (0) 501 234 56 78", "+905012345678"),
        ("1 1 011 10", "+1 1 202 555 0123", "+12025550123"),
        ("36 06 00 8-9", "+36 06 20 123 4567", "+36201234567"),
        // A digit missing, or one too many.
        (TURKEY, "+90 0501 234 56 7", "+900501234567"),
        (TURKEY, "+90 501 234 56 7", "none"),
        (TURKEY, "+90 501 234 56 789", "none"),
        (TURKEY, "0090 501 234 5", "none"),
        (TURKEY, "+90", "none"),
        (TURKEY, "+90 0 0501 234 56 78", "none"),
        // What fits is left as it is, unless the prefix is in parentheses.
        ("49 0 00 6-13", "+49030123456", "+49030123456"),
        ("49 0 00 6-13", "0049(0)30123456", "+4930123456"),
        ("49 0 00 6-13", "49 (0) 30 123456", "+4930123456"),
        ("49 0 00 6-13", "+49 (0)30 123", "none"),
        ("7 8 810 10", "+7 800 123 45 67", "+78001234567"),
        // An area code in parentheses is no prefix.
        ("49 0 00 6-13", "+49 (030) 123456", "+49030123456"),
        ("49 0 00 6-13", "+49 (30) 0123456", "+49300123456"),
        ("39 - 00 6-11", "+39 (06) 1234567", "+39061234567"),
        // Elsewhere nobody knows the prefix.
        (TURKEY, "+44 (0)20 7946 0123", "+4402079460123"),
    ] {
        assert_eq!(shown(options, text), number, "{options} {text}");
    }
}

#[test]
fn invisible_characters_and_unicode_blanks_are_passed_over() {
    for text in [
        "\u{202a}+905060508169\u{202c}",
        "\u{feff}+90\u{a0}506\u{2009}050\u{202f}81\u{3000}69",
        "0506\u{200b}0508169\u{ad}",
        "\u{2066}+90 (506)\u{2069} 050\u{2011}81\u{2013}69",
    ] {
        assert_eq!(shown(TURKEY, text), "+905060508169", "{text:?}");
    }
    for text in ["5060508169\n", "506\t0508169", "5060508169\u{85}"] {
        assert_eq!(shown(TURKEY, text), "none", "{text:?}");
    }
}

#[test]
fn other_countries() {
    for (options, text, number) in [
        // North America: the country code is the national prefix.
        ("1 1 011 10", "12025550123", "+12025550123"),
        ("1 1 011 10", "2025550123", "+12025550123"),
        ("1 1 011 10", "011442079460000", "+442079460000"),
        ("1 1 011 10", "0115550123", "+5550123"),
        // Russia: 8 before the area, 810 before the country.
        ("7 8 810 10", "84951234567", "+74951234567"),
        ("7 8 810 10", "74951234567", "+74951234567"),
        ("7 8 810 10", "810442079460000", "+442079460000"),
        // Italy: no prefix, and the 0 stays.
        ("39 - 00 6-11", "0612345678", "+390612345678"),
        ("39 - 00 6-11", "390612345678", "+390612345678"),
        // No prefix at all: only + is international.
        ("34 - - 9", "912345678", "+34912345678"),
        ("34 - - 9", "0034912345678", "none"),
        ("34 - - 9", "+34912345678", "+34912345678"),
        // Hungary.
        ("36 06 00 8-9", "06201234567", "+36201234567"),
    ] {
        assert_eq!(shown(options, text), number, "{options} {text}");
    }
}

#[test]
fn ambiguous_number_follows_the_first_rule() {
    for (options, text, number) in [
        // 2 before 5.
        (TURKEY, "0012345678", "+12345678"),
        // 2 before 3 and 4: the prefix is taken away, whatever is left.
        ("90 0 905 10", "905060508169", "none"),
        ("90 0 05 10", "05160508169", "+160508169"),
        // 3 before 5: nine digits behind 90, not eleven.
        ("90 0 00 9-11", "90506050816", "+90506050816"),
        ("90 0 00 9-11", "50506050816", "+9050506050816"),
        // 3 before 4: the prefix begins as the country code does.
        ("90 9 00 10-11", "905060508169", "+905060508169"),
        ("90 9 00 10-11", "915060508169", "+9015060508169"),
        // 4 before 5: ten digits behind 0, not eleven.
        ("90 0 00 9-11", "05060508169", "+905060508169"),
        ("- 0 00 9-11", "05060508169", "5060508169"),
    ] {
        assert_eq!(shown(options, text), number, "{options} {text}");
    }
}

#[test]
fn without_a_country_code_national_numbers_are_their_own() {
    let plain = numbering("- 0 00 10");
    assert_eq!(plain, Numbering::default());
    for (text, number) in [
        ("05060508169", "5060508169"),
        ("5060508169", "5060508169"),
        ("+905060508169", "+905060508169"),
        ("00905060508169", "+905060508169"),
        ("905060508169", "none"),
    ] {
        assert_eq!(shown("- 0 00 10", text), number, "{text}");
    }
    // The same digits, but one of them in another country.
    let national = plain.normalize(b"9050605081").expect("a number");
    let other = plain.normalize(b"+9050605081").expect("a number");
    assert_eq!(national.digits(), other.digits());
    assert_ne!(national, other);
    assert!(other.is_international() && !national.is_international());
}

#[test]
fn options_are_read_or_refused() {
    let right = [
        ("country_code", "1 90 999"),
        ("national_prefix", "0 1 06 12345678"),
        ("international_prefix", "00 011 0011 12345678"),
        ("national_length", "1 10 14 9-11 1-14 7-7 09-010"),
    ];
    for (name, values) in right {
        for value in values.split(' ') {
            let set = Numbering::default().set(name.as_bytes(), value.as_bytes());
            assert_eq!(set, Ok(()), "{name} {value}");
        }
    }
    let code = "+90|0090|0|09|1234|x|9 0|-1|٩٠";
    let prefix = "123456789|+|x|0 0|-0|*";
    let length = "|0|15|9-15|0-9|11-9|9-|-9|-|9-10-11|9..11|9 - 11|ten|+9|99999999999999999999";
    for (name, values, error) in [
        ("country_code", code, NumberingError::InvalidCountryCode),
        ("national_prefix", prefix, NumberingError::InvalidPrefix),
        (
            "international_prefix",
            prefix,
            NumberingError::InvalidPrefix,
        ),
        ("national_length", length, NumberingError::InvalidLength),
        ("national", "1", NumberingError::UnknownOption),
        ("", "1", NumberingError::UnknownOption),
    ] {
        for value in values.split('|') {
            let mut numbering = Numbering::default();
            let set = numbering.set(name.as_bytes(), value.as_bytes());
            assert_eq!(set, Err(error), "{name} {value:?}");
            assert_eq!(numbering, Numbering::default(), "{name} {value:?}");
        }
    }
    let mut numbering = numbering(TURKEY);
    for name in ["Country_Code", "national_prefix", "international_prefix"] {
        assert_eq!(numbering.set(name.as_bytes(), b""), Ok(()));
    }
    assert_eq!(numbering.country_code, b"");
}

#[test]
fn options_must_go_together() {
    for (country, national, international, length, result) in [
        ("", "0", "00", "14", Ok(())),
        ("1", "0", "00", "14", Ok(())),
        ("90", "0", "00", "14", Err(NumberingError::TooManyDigits)),
        ("90", "0", "00", "9-13", Ok(())),
        ("999", "0", "00", "9-13", Err(NumberingError::TooManyDigits)),
        ("90", "0", "0", "10", Err(NumberingError::AmbiguousPrefixes)),
        (
            "90",
            "00",
            "0",
            "10",
            Err(NumberingError::AmbiguousPrefixes),
        ),
        ("90", "00", "", "10", Ok(())),
        ("90", "", "", "10", Ok(())),
        ("90", "", "00", "10", Ok(())),
    ] {
        let mut numbering = Numbering::default();
        for (name, value) in [
            ("country_code", country),
            ("national_prefix", national),
            ("international_prefix", international),
            ("national_length", length),
        ] {
            assert_eq!(numbering.set(name.as_bytes(), value.as_bytes()), Ok(()));
        }
        assert_eq!(numbering.check(), result, "{numbering}");
    }
}

proptest! {
    #[test]
    fn parsing_any_bytes_does_not_panic(
        text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[+0-9 ().-]{0,40}".prop_map(String::into_bytes),
        ],
        code in "([1-9][0-9]{0,2})?",
        national in "[0-9]{0,8}",
        international in "[0-9]{0,8}",
        lengths in "[1-9](-9)?|1[0-4]",
    ) {
        let mut numbering = Numbering::default();
        for (name, value) in [
            ("country_code", code.as_str()),
            ("national_prefix", national.as_str()),
            ("international_prefix", international.as_str()),
            ("national_length", lengths.as_str()),
        ] {
            prop_assert_eq!(numbering.set(name.as_bytes(), value.as_bytes()), Ok(()));
        }
        if let Some(number) = numbering.normalize(&text) {
            prop_assert!((1..=MAX_NUMBER_DIGITS).contains(&number.digits().len()));
            prop_assert!(number.is_international() || code.is_empty());
            // What is shown is the same number.
            if number.is_international() {
                let shown = number.to_string();
                prop_assert_eq!(numbering.normalize(shown.as_bytes()), Some(number));
            }
        }
    }

    /// Of one length, the spellings of a number are equal, and of no other.
    #[test]
    fn spellings_are_equal_and_numbers_are_not(
        one in "[1-9][0-9]{9}",
        other in "[1-9][0-9]{9}",
        separators in prop::collection::vec(prop_oneof![Just(""), Just(" "), Just("-"), Just(".")], 14),
    ) {
        let numbering = numbering(TURKEY);
        let expected = numbering.normalize(format!("+90{one}").as_bytes());
        prop_assert!(expected.is_some());
        for before in ["+90", "0090", "90", "0", ""] {
            let text: String = format!("{before}{one}")
                .chars()
                .zip(separators.iter().cycle())
                .map(|(digit, separator)| format!("{digit}{separator}"))
                .collect();
            prop_assert_eq!(numbering.normalize(text.as_bytes()), expected, "{}", text);
            let unlike = numbering.normalize(format!("{before}{other}").as_bytes());
            prop_assert_eq!(unlike == expected, one == other);
        }
    }

    /// What is shown can be put into the file.
    #[test]
    fn displayed_number_is_read_back(
        code in "([1-9][0-9]{0,2})?",
        national in "[0-9]{0,8}",
        international in "[0-9]{0,8}",
        (shortest, longest) in (1..15_usize, 1..15_usize),
    ) {
        let shown = Numbering {
            country_code: code.into_bytes(),
            national_prefix: national.into_bytes(),
            international_prefix: international.into_bytes(),
            national_length: shortest.min(longest)..=shortest.max(longest),
        };
        let mut read = Numbering::default();
        for option in shown.to_string().split(", ") {
            let (name, value) = option.split_once(" =").unwrap();
            prop_assert_eq!(read.set(name.as_bytes(), value.trim().as_bytes()), Ok(()));
        }
        prop_assert_eq!(read, shown);
    }
}

#[test]
fn caller_number_with_parameters_is_compared_without_them() {
    let numbering = Numbering::default();
    let plain = numbering.normalize(b"+905060508169");
    assert!(plain.is_some());
    for number in [
        "+905060508169;verstat=TN-Validation-Passed",
        "+905060508169;npdi",
        "+905060508169;npdi;rn=+905551",
        "+905060508169 ;verstat=No-TN-Validation",
    ] {
        assert_eq!(numbering.normalize_caller(number.as_bytes()), plain);
        // A row has none: there it is a mistake.
        assert_eq!(numbering.normalize(number.as_bytes()), None);
    }
    assert_eq!(numbering.normalize_caller(b";npdi"), None);
}
