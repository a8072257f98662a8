//! Makes the modelled sources: the product's own files, in which `std`'s threads, locks and
//! clock are those of `src/model/`, and Asterisk is `fake/`. All lines are as in the product
//! otherwise, and the product knows nothing of it.
//!
//! The same sources also hold the broken variants of `variants.rs`, each of which one model
//! switches on. A variant whose line is no longer in the product fails the build.

use std::fs;
use std::path::{Path, PathBuf};

include!("variants.rs");

/// Files and folders of the module that are modelled.
const MODULE: &[&str] = &[
    "asterisk/dialplan.rs",
    "asterisk/in_flight.rs",
    "asterisk/thread_pool.rs",
    "http/mod.rs",
    "http/request.rs",
    "http/sound_cache.rs",
    "module.rs",
    "state/lockouts.rs",
    "state/use_ledger/journal.rs",
    "state/use_ledger/ledger.rs",
    "state/use_ledger/mod.rs",
    "sync",
    "work_queue.rs",
];

/// All of crate `pinset`.
const PINSET: &[&str] = &[""];

/// Paths in a source of the module, and in the model.
const MODULE_PATHS: &[(&str, &str)] = &[
    ("std::sync", "crate::model::sync"),
    ("std::thread", "crate::model::thread"),
    ("std::time", "crate::model::time"),
    ("pinset::", "crate::pinset::"),
    // A panic of a model must reach it.
    ("extern \"C\" fn", "extern \"C-unwind\" fn"),
];

const PINSET_PATHS: &[(&str, &str)] = &[
    ("crate::", "crate::pinset::"),
    ("std::sync", "crate::model::sync"),
    ("std::thread", "crate::model::thread"),
    ("std::time", "crate::model::time"),
];

/// Files that talk to a server by libpq, whose deadlines are the real clock's.
const REAL_CLOCK: &[&str] = &["database/startup.rs"];

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("product");
    let _ = fs::remove_dir_all(&out);
    for file in files(Path::new("fake")) {
        write(&out.join(relative(&file, "fake")), &read(&file));
    }
    let mut used = 0;
    for (root, parts, paths, to) in [
        ("../src", MODULE, MODULE_PATHS, out.clone()),
        (
            "../crates/pinset/src",
            PINSET,
            PINSET_PATHS,
            out.join("pinset"),
        ),
    ] {
        for file in parts
            .iter()
            .flat_map(|part| files(&Path::new(root).join(part)))
        {
            let name = relative(&file, root);
            if name
                .components()
                .any(|part| part.as_os_str().to_string_lossy().starts_with("tests"))
            {
                continue;
            }
            let text = read(&file);
            if name.extension().is_none_or(|extension| extension != "rs") {
                write(&to.join(name), &text);
                continue;
            }
            let has_real_clock = REAL_CLOCK.iter().any(|real| name == Path::new(real));
            let paths = paths
                .iter()
                .filter(|(from, _)| !(has_real_clock && *from == "std::time"));
            let (text, variants) = with_variants(&modelled(&text, paths), &file);
            used += variants;
            write(&to.join(name), &text);
        }
    }
    assert_eq!(used, VARIANTS.len(), "each variant is of a modelled file");
    fs::write(
        out.join("product.rs"),
        rooms(&out)
            .map(|(name, path)| format!("#[path = {path:?}]\nmod {name};\n"))
            .collect::<String>(),
    )
    .expect("OUT_DIR can be written");
    println!("cargo:rerun-if-changed=variants.rs");
}

/// Returns a source as the model needs it.
fn modelled<'a>(text: &str, paths: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    let mut text = without_tests(text).to_owned();
    for (from, to) in paths {
        text = replace_path(&text, from, to);
    }
    // The kernel's threads and priorities are the model's; flags of files are not.
    for name in [
        "pthread",
        "sched_param",
        "SCHED_OTHER",
        "setpriority",
        "PRIO_PROCESS",
    ] {
        text = text.replace(
            &format!("libc::{name}"),
            &format!("crate::ffi::libc::{name}"),
        );
    }
    // The models call what Asterisk calls.
    text = text.replace("#[no_mangle]\nextern", "pub(crate) extern");
    text = text.replace(
        "unsafe extern \"C-unwind\" fn exec",
        "pub(crate) unsafe extern \"C-unwind\" fn exec",
    );
    with_lazy_statics(&text)
}

/// Replaces a path where it begins.
fn replace_path(text: &str, from: &str, to: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let is_inside = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        result.push_str(&rest[..at]);
        result.push_str(if is_inside { from } else { to });
        rest = &rest[at + from.len()..];
    }
    result + rest
}

/// Statics have their first value again in each run of a model.
fn with_lazy_statics(text: &str) -> String {
    let mut result = String::new();
    let mut is_static = false;
    for line in text.lines() {
        let item = line
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ");
        let begins = item
            .strip_prefix("static ")
            .filter(|_| !line.starts_with(' '));
        if let Some(rest) = begins {
            let visibility = &line[..line.len() - item.len()];
            result += &format!("shuttle::lazy_static! {{ {visibility}static ref {rest}\n");
            is_static = true;
        } else {
            result += line;
            result.push('\n');
        }
        if is_static && line.ends_with(';') {
            result += "}\n";
            is_static = false;
        }
    }
    result
}

/// Unit tests are the last item of a file.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\n")
        .map_or(text, |at| &text[..=at])
}

/// Returns the source with its broken variants, and their number.
fn with_variants(text: &str, file: &Path) -> (String, usize) {
    let mut text = text.to_owned();
    let mine = VARIANTS
        .iter()
        .filter(|variant| file.ends_with(variant.file));
    let count = mine.clone().count();
    for Variant {
        name,
        original,
        broken,
        ..
    } in mine
    {
        let (before, rest) = original.split_once('«').unwrap_or(("", original));
        let (original, after) = rest.split_once('»').unwrap_or((rest, ""));
        let place = [before, original, after].concat();
        let found = text.matches(&place).count();
        assert_eq!(
            found, 1,
            "variants.rs: {name}: times that {file:?} has {place:?}"
        );
        let both =
            format!("if crate::model::is_broken({name:?}) {{ {broken} }} else {{ {original} }}");
        text = text.replace(&place, &[before, &both, after].concat());
    }
    (text, count)
}

fn rooms(out: &Path) -> impl Iterator<Item = (String, PathBuf)> + '_ {
    let entries = fs::read_dir(out).expect("it was written");
    entries.map(|entry| {
        let path = entry.expect("it can be read").path();
        let name = path
            .file_stem()
            .expect("it has a name")
            .to_string_lossy()
            .into_owned();
        let file = ["mod.rs", "lib.rs"]
            .map(|file| path.join(file))
            .into_iter()
            .find(|file| file.exists());
        (name, file.unwrap_or(path))
    })
}

/// Returns the files of a folder, or the file itself, and builds again if they change.
fn files(path: &Path) -> Vec<PathBuf> {
    println!("cargo:rerun-if-changed={}", path.display());
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    entries
        .flat_map(|entry| files(&entry.expect("it can be read").path()))
        .collect()
}

fn relative(file: &Path, root: &str) -> PathBuf {
    file.strip_prefix(root).expect("it is below").to_owned()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"))
}

fn write(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().expect("it is in a folder")).expect("OUT_DIR can be written");
    fs::write(file, text).expect("OUT_DIR can be written");
}
