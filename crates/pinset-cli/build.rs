//! Has `pinset --version` name the commit.

#[path = "../../packaging/revision.rs"]
mod revision;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../packaging/revision.rs");
    println!("cargo:rustc-env=PINSET_VERSION={}", revision::version());
}
