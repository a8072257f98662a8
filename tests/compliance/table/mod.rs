//! The table of calls.

mod changes;
mod closed;
mod documents;
mod freepbx;
mod kept;
mod lists;
mod media;
mod options;

use std::collections::BTreeSet;

use anyhow::Result;
use harness::Pbx;

use crate::row::{Row, Theirs};

/// Contexts the rows need. A comma in their arguments is the argument's own.
const DIALPLAN: &str = "\
[twice]
exten => s,1,Authenticate(${FIRST_ARGS})
 same => n,Set(FIRST=${AUTHENTICATESTATUS}/${AUTHENTICATEACCOUNT}/${AUTHENTICATEATTEMPTS})
 same => n,Authenticate(${SECOND_ARGS})
 same => n,Hangup()
include => harness-h

[redirected]
exten => s,1,NoOp(redirected)
 same => n,Hangup()
include => harness-h
";

/// What has to be there before any row.
pub(crate) fn prepare(pbx: &Pbx) -> Result<()> {
    media::serve(pbx)
}

/// The contexts of all rows.
pub(crate) fn dialplan() -> String {
    [DIALPLAN, documents::DIALPLAN, freepbx::DIALPLAN].concat()
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    [
        kept::rows(),
        lists::rows(),
        changes::rows(),
        options::rows(),
        closed::rows(),
        media::rows(),
        documents::rows(),
        freepbx::rows(),
    ]
    .concat()
}

#[test]
fn rows_have_unique_names_and_marks_name_differences() {
    let mut names = BTreeSet::new();
    for row in rows() {
        assert!(names.insert(row.name), "{} is there twice", row.name);
        if let Some((letter, Theirs::Does(theirs))) = row.mark {
            assert_ne!(
                theirs.without_variables(),
                row.ours.without_variables(),
                "{}: {letter} is no difference",
                row.name
            );
        }
    }
}

#[test]
fn documented_differences_have_rows() {
    let marks: BTreeSet<&str> = rows()
        .iter()
        .filter_map(|row| Some(row.mark.as_ref()?.0))
        .collect();
    for letter in [
        "A",
        "B",
        "C",
        "D",
        "E",
        "F",
        "H",
        "I",
        "J",
        "L",
        "M",
        "N",
        "O",
        "P",
        "S",
        "X",
        "Z",
        "c",
        "empty item",
        "keys",
        "last line",
        "n",
        "pinset",
        "q",
        "status",
        "url",
    ] {
        assert!(marks.contains(letter), "{letter} has no row");
    }
}
