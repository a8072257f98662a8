//! Expiry of X.509 certificates.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use x509_parser::parse_x509_certificate;

use super::finding::Finding;

/// Remaining time below which a certificate is a warning: that at which ACME clients renew.
const RENEWAL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Returns the last second in which a certificate in DER is valid, or `None` if it is none
/// of X.509.
pub(crate) fn expiry(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// Returns what to report about a certificate that must be valid.
pub(crate) fn finding(
    check: &'static str,
    name: &str,
    expiry: Timestamp,
    now: Timestamp,
    remedy: &str,
) -> Finding {
    let day = day(expiry);
    if expiry < now {
        return Finding::error(check, format_args!("{name}: expired on {day}"), remedy);
    }
    let message = format!("{name}: valid until {day}");
    match expiry.duration_since(now) < RENEWAL {
        true => Finding::warning(check, message, remedy),
        false => Finding::ok(check, message),
    }
}

/// Returns the day of a time in the zone of the machine.
pub(crate) fn day(time: Timestamp) -> String {
    let time = time.to_zoned(TimeZone::system());
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::finding::Level;

    #[test]
    fn certificate_is_reported_before_it_expires() {
        let mut parameters = rcgen::CertificateParams::new(["x".to_owned()]).expect("parameters");
        parameters.not_after = rcgen::date_time_ymd(2027, 3, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let made = parameters.self_signed(&key).expect("a certificate");
        let end = expiry(made.der()).expect("an expiry");
        assert_eq!(end.to_string(), "2027-03-01T00:00:00Z");
        assert_eq!(expiry(b"0"), None);
        for (now, level) in [
            ("2027-01-29T23:59:59Z", Level::Ok),
            ("2027-01-30T00:00:01Z", Level::Warning),
            ("2027-03-01T00:00:00Z", Level::Warning),
            ("2027-03-01T00:00:01Z", Level::Error),
        ] {
            let now = now.parse().expect("a time");
            let found = finding("c", "a.pem", end, now, "renew it");
            assert_eq!(found.level, level, "{now}: {found}");
        }
    }
}
