//! What the documents promise about the table.

use std::fs;

use anyhow::{Context, Result};
use harness::workspace;

use crate::table;

fn document(path: &str) -> Result<String> {
    fs::read_to_string(workspace().join(path)).with_context(|| path.to_owned())
}

#[test]
fn every_marked_difference_is_documented() -> Result<()> {
    let text = document("docs/compatibility.md")?;
    for row in table::rows() {
        if let Some((mark, _)) = row.mark {
            let there = text.contains(&format!("\n| {mark} |"))
                || text.contains(&format!("\n| `{mark}` |"));
            assert!(
                there,
                "{}: {mark} is not in docs/compatibility.md",
                row.name
            );
        }
    }
    Ok(())
}

/// Who goes on after a failure and does not look lets everybody in.
#[test]
fn every_use_of_c_is_followed_by_a_test_of_the_status() -> Result<()> {
    let mut paths = vec![
        "README.md".to_owned(),
        "packaging/documentation/app_authenticate_rs-en_US.xml".to_owned(),
    ];
    for entry in fs::read_dir(workspace().join("docs"))? {
        paths.push(format!("docs/{}", entry?.file_name().to_string_lossy()));
    }
    let mut uses = 0;
    for path in paths
        .iter()
        .filter(|path| path.ends_with("md") || path.ends_with("xml"))
    {
        let text = document(path)?;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if carries_on(line) {
                uses += 1;
                let next = lines.next().unwrap_or_default();
                assert!(next.contains("${AUTHENTICATESTATUS}"), "{path}: {line}");
            }
        }
    }
    assert!(uses > 0, "no example of c");
    Ok(())
}

/// Whether this is a step of a dialplan that uses option `c`.
fn carries_on(line: &str) -> bool {
    let step = line.trim_start();
    (step.starts_with("exten") || step.starts_with("same"))
        && step
            .split_once("Authenticate(")
            .and_then(|(_, arguments)| arguments.split([',', ')']).nth(1))
            .is_some_and(|options| options.contains('c'))
}

#[test]
fn a_use_of_c_is_known() {
    assert!(carries_on(" same => n,Authenticate(/pin,dc)"));
    assert!(carries_on("exten => s,1,Authenticate(/pin,cd,4,beep)"));
    assert!(!carries_on(" same => n,Authenticate(/pin,d,4,c)"));
    assert!(!carries_on(" same => n,Authenticate(/cc)"));
}
