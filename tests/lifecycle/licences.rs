//! What is linked into the module is compatible with the GPL, version 2,
//! which Asterisk is under.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{ensure, Context, Result};
use cargo_metadata::{DependencyKind, Metadata, Package, PackageId, TargetKind};
use spdx::Expression;

use crate::variants::metadata;

/// Licences under which code may be linked with ours. Not Apache-2.0: it is
/// compatible with version 3 only.
const COMPATIBLE: &[&str] = &[
    "0BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "GPL-2.0-or-later",
    "ISC",
    "LGPL-2.1-or-later",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether one of the alternatives the expression gives is compatible.
/// Exceptions (`WITH`) are not looked at: they only add permissions.
fn compatible(expression: &str) -> bool {
    // The slash is an old way to write OR.
    let expression = expression.replace('/', " OR ");
    Expression::parse(&expression).is_ok_and(|expression| {
        expression.evaluate(|licence| {
            let name = licence.license.to_string();
            COMPATIBLE.contains(&name.as_str())
        })
    })
}

/// The packages whose code ends up in the module: normal dependencies, without
/// procedural macros, which run in the compiler.
fn linked(metadata: &Metadata) -> Result<Vec<&Package>> {
    let resolve = metadata.resolve.as_ref().context("nothing is resolved")?;
    let packages: BTreeMap<&PackageId, &Package> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package))
        .collect();
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name == "app_authenticate_rs");
    let mut waiting = vec![&root.context("no such package")?.id];
    let (mut seen, mut linked) = (BTreeSet::new(), Vec::new());
    while let Some(id) = waiting.pop() {
        let package = packages.get(id).context("an unknown package")?;
        let in_compiler = package
            .targets
            .iter()
            .any(|target| target.kind == [TargetKind::ProcMacro]);
        if in_compiler || !seen.insert(id) {
            continue;
        }
        linked.push(*package);
        let node = resolve.nodes.iter().find(|node| &node.id == id);
        for dependency in &node.context("an unresolved package")?.deps {
            let mut kinds = dependency.dep_kinds.iter();
            if kinds.any(|kind| kind.kind == DependencyKind::Normal) {
                waiting.push(&dependency.pkg);
            }
        }
    }
    Ok(linked)
}

#[test]
fn everything_linked_is_compatible() -> Result<()> {
    let metadata = metadata()?;
    let linked = linked(&metadata)?;
    for expected in ["app_authenticate_rs", "pinset", "libc", "zeroize"] {
        ensure!(
            linked.iter().any(|package| package.name == expected),
            "{expected} is not seen"
        );
    }
    let offenders: Vec<String> = linked
        .iter()
        .filter(|package| !package.license.as_deref().is_some_and(compatible))
        .map(|package| {
            format!(
                "{} {}: {:?}",
                package.name, package.version, package.license
            )
        })
        .collect();
    ensure!(offenders.is_empty(), "{offenders:#?}");
    Ok(())
}

#[test]
fn an_alternative_is_enough_and_apache_alone_is_not() {
    let fine = [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "Apache-2.0 OR BSD-3-Clause",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR MIT",
        "Zlib OR Apache-2.0 OR MIT",
        "GPL-2.0-or-later",
    ];
    for expression in fine {
        assert!(compatible(expression), "{expression}");
    }
    let not = [
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "MIT AND Apache-2.0",
        "Apache-2.0 AND ISC",
        "GPL-3.0-or-later",
        "MPL-2.0",
        "OpenSSL",
        "proprietary",
        "",
    ];
    for expression in not {
        assert!(!compatible(expression), "{expression}");
    }
}
