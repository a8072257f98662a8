//! "Did you mean": the name that was probably meant.

use strsim::damerau_levenshtein;

/// Letters that may be wrong: one in three, and at most three.
fn tolerance(name: &str) -> usize {
    (name.chars().count() / 3).min(3)
}

/// Returns the candidate that is nearest to a name, unless it is too different.
/// Upper and lower case are the same.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let tolerance = tolerance(&name);
    let distances = candidates.into_iter().map(|candidate| {
        (
            damerau_levenshtein(&name, &candidate.to_lowercase()),
            candidate,
        )
    });
    let (distance, nearest) = distances.min()?;
    (distance <= tolerance).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_is_suggested_unless_too_different() {
        let names = ["customers", "partners", "doors"];
        for (name, wanted) in [
            ("custmers", Some("customers")),
            ("CUSTOMERS", Some("customers")),
            ("csutomers", Some("customers")),
            ("door", Some("doors")),
            ("dor", None),
            ("pin", None),
            ("", None),
            ("something else", None),
        ] {
            assert_eq!(nearest(name, names), wanted, "{name}");
        }
        assert_eq!(nearest("customers", []), None);
    }
}
