//! Versions of Asterisk, as it prints its own.
//!
//! A module works only in the major version that it was built for. The sum of the build
//! options, which Asterisk compares itself, is the same in all of them.

/// Returns why a module that was built for a major version can't run in this Asterisk.
pub fn mismatch(built_for: &str, running: &str) -> Option<String> {
    match major(running) {
        Some(major) if major == built_for => None,
        Some(_) => Some(format!(
            "built for Asterisk {built_for}, this is Asterisk {running}"
        )),
        None => Some(format!(
            "built for Asterisk {built_for}, and version {running} of this Asterisk has no \
             number: use a release or a release branch (GIT-{built_for}-...)"
        )),
    }
}

/// Returns the major version of `22.10.1`, `certified-20.7-cert3`, `GIT-22-1a2b3c`; none of
/// `GIT-master-1a2b3c`.
fn major(version: &str) -> Option<&str> {
    let number = ["certified-", "certified/", "GIT-"]
        .iter()
        .find_map(|prefix| version.strip_prefix(prefix))
        .unwrap_or(version);
    let end = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number.get(..end).filter(|digits| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_is_read_from_each_kind_of_version() {
        let versions = [
            ("22.10.1", Some("22")),
            ("22.11.0-rc2", Some("22")),
            ("16.28.0~dfsg-0+deb11u4", Some("16")),
            ("certified-20.7-cert3", Some("20")),
            ("certified/18.9-cert18", Some("18")),
            ("GIT-22-1a2b3c", Some("22")),
            ("GIT-master-1a2b3cM", None),
            ("", None),
        ];
        for (version, expected) in versions {
            assert_eq!(major(version), expected, "{version}");
        }
    }

    #[test]
    fn other_major_version_is_refused_with_both_versions() {
        assert_eq!(mismatch("22", "22.0.0"), None);
        assert_eq!(
            mismatch("22", "23.1.0").as_deref(),
            Some("built for Asterisk 22, this is Asterisk 23.1.0")
        );
    }

    #[test]
    fn checkout_of_master_is_refused_with_the_reason() {
        let reason = mismatch("24", "GIT-master-1a2b3c").unwrap_or_default();
        assert!(
            reason.contains("GIT-master-1a2b3c of this Asterisk has no number"),
            "{reason}"
        );
    }
}
