//! Endpoints, by name: `PJSIP/1*,PJSIP/desk`.

use super::error::OptionError;

/// The only channel driver that tells a phone's address.
const CHANNEL_DRIVER: &[u8] = b"PJSIP/";

/// Names of endpoints, as those of their channels begin; `*` stands for any
/// text, an empty one included. Upper and lower case differ, as in `pjsip.conf`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Endpoints(Vec<Vec<u8>>);

impl Endpoints {
    /// From a list with commas; an empty one has none.
    pub(super) fn parse(value: &[u8]) -> Result<Self, OptionError> {
        if value.is_empty() {
            return Ok(Self::default());
        }
        let names = value.split(|byte| *byte == b',').map(|name| {
            let name = name.trim_ascii();
            let right = name.len() > CHANNEL_DRIVER.len() && name.starts_with(CHANNEL_DRIVER);
            right
                .then(|| name.to_vec())
                .ok_or(OptionError::InvalidEndpoints)
        });
        names.collect::<Result<_, _>>().map(Self)
    }

    /// The endpoint of a channel, without its driver, if it is one of these:
    /// `100` of `PJSIP/100-0000001a`.
    pub fn of_channel<'a>(&self, channel: &'a [u8]) -> Option<&'a [u8]> {
        let dash = channel.iter().rposition(|byte| *byte == b'-')?;
        let (endpoint, number) = channel.split_at_checked(dash)?;
        // Asterisk renames channels that it has done away with: …<ZOMBIE>.
        let is_number = number.len() > 8 && number.iter().skip(1).all(u8::is_ascii_hexdigit);
        let ours = || self.0.iter().any(|pattern| matches(pattern, endpoint));
        let name = endpoint.strip_prefix(CHANNEL_DRIVER)?;
        (is_number && ours()).then_some(name)
    }
}

/// Whether `text` is what `pattern` says, `*` being anything.
fn matches(mut pattern: &[u8], mut text: &[u8]) -> bool {
    // Where to continue if the last star has to match more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, text, retry) {
            ([b'*', rest @ ..], ..) => {
                pattern = rest;
                retry = Some((rest, text));
            }
            ([wanted, after @ ..], [byte, rest @ ..], _) if wanted == byte => {
                (pattern, text) = (after, rest);
            }
            ([], [], _) => return true,
            (_, _, Some((behind, [_, rest @ ..]))) => {
                (pattern, text) = (behind, rest);
                retry = Some((behind, rest));
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(value: &str) -> Endpoints {
        Endpoints::parse(value.as_bytes()).expect("endpoints")
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, right, wrong) in [
            ("abc", &["abc"][..], &["", "ab", "abcd", "ABC"][..]),
            ("*", &["", "a", "*"], &[]),
            ("1*", &["1", "10", "1*"], &["", "01"]),
            ("*1", &["1", "11", "21"], &["12", ""]),
            ("a*b*c", &["abc", "aXbXc", "abcbc"], &["ac", "abcb", "acb"]),
            ("**", &["", "ab"], &[]),
        ] {
            for text in right {
                assert!(matches(pattern.as_bytes(), text.as_bytes()), "{text}");
            }
            for text in wrong {
                assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn channels_are_those_of_their_endpoint() {
        let phones = endpoints("PJSIP/1*, PJSIP/a-phone ,PJSIP/anonymous");
        for (channel, endpoint) in [
            ("PJSIP/100-0000001a", Some("100")),
            ("PJSIP/1-0000001a", Some("1")),
            ("PJSIP/a-phone-0000001a", Some("a-phone")),
            ("PJSIP/anonymous-ffffffff", Some("anonymous")),
            ("PJSIP/anonymous-100000000", Some("anonymous")),
            ("PJSIP/trunk-0000001a", None),
            ("PJSIP/anonymous2-0000001a", None),
            ("PJSIP/anonymous-0000001a<ZOMBIE>", None),
            ("PJSIP/a-phone", None),
            ("PJSIP/100-", None),
            ("PJSIP/100", None),
            ("pjsip/100-0000001a", None),
            ("SIP/100-0000001a", None),
            ("Local/100@phones-0000001a;2", None),
            ("AsyncGoto/PJSIP/100-0000001a", None),
            ("", None),
        ] {
            let found = phones.of_channel(channel.as_bytes());
            assert_eq!(found, endpoint.map(str::as_bytes), "{channel}");
        }
        assert_eq!(Endpoints::default().of_channel(b"PJSIP/1-00000001"), None);
    }

    #[test]
    fn names_without_the_driver_are_none() {
        for value in [
            "100",
            "*",
            "PJSIP/",
            "SIP/100",
            "PJSIP/1,",
            ",",
            "PJSIP/1,,PJSIP/2",
        ] {
            let read = Endpoints::parse(value.as_bytes());
            assert_eq!(read, Err(OptionError::InvalidEndpoints), "{value}");
        }
        assert_eq!(endpoints(""), Endpoints::default());
        assert_eq!(endpoints("PJSIP/*").0.len(), 1);
    }
}
