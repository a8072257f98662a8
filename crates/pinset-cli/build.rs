//! Has `pinset --version` name the commit, and links `pinset` with the C library of the root
//! file system that `PINSET_SYSROOT` names: the Makefile's, for an older Debian.

use std::path::Path;
use std::{env, fs};

#[path = "../../packaging/revision.rs"]
mod revision;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../packaging/revision.rs");
    println!("cargo:rustc-env=PINSET_VERSION={}", revision::version());
    println!("cargo:rerun-if-env-changed=PINSET_SYSROOT");
    if let Some(root) = env::var_os("PINSET_SYSROOT") {
        link_with(Path::new(&root));
    }
}

/// Links with the libraries of this root, and its code that runs before `main`.
fn link_with(root: &Path) {
    println!("cargo:rustc-link-arg-bins=--sysroot={}", root.display());
    // The C compiler finds those of this machine first, even with a sysroot.
    for parent in ["usr/lib", "lib"] {
        let folders = fs::read_dir(root.join(parent)).into_iter().flatten();
        for folder in folders.flatten().map(|entry| entry.path()) {
            let has = |name: &str| folder.join(name).exists();
            if has("libc.so") || has("libgcc_s.so.1") {
                println!("cargo:rustc-link-arg-bins=-B{}", folder.display());
            }
        }
    }
}
