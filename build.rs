//! Finds Asterisk's headers, compiles the C shim against them and generates
//! the bindings.
//!
//! Headers, first come first served: `ASTERISK_INCLUDE_DIR`, those fetched for the Debian
//! suite `ASTERISK_SUITE`, the system's, those fetched for sid. A module must be built with
//! the headers of the Asterisk that will load it: with an Asterisk installed here whose
//! headers are not, the build stops rather than take another version's.
//!
//! Headers in a root file system that has a C library of its own (`fetch.sh` makes one for
//! an old suite) are compiled and linked with that C library.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;

/// The name Asterisk knows the module by; the file's name without `.so`.
const MODULE: &str = "app_authenticate_rs";

#[path = "src/ffi/functions.rs"]
mod functions;
#[path = "packaging/revision.rs"]
mod revision;

const TYPES: &[&str] = &[
    "ast_cli_command",
    "ast_control_frame_type",
    "ast_module_load_result",
    "ast_transport",
    "authrs_config_status",
    "authrs_ran",
];

const VARIABLES: &[&str] = &[
    "AUTHRS_ROOM",
    "ast_config_AST_CACHE_DIR",
    "ast_config_AST_CONFIG_DIR",
    "ast_config_AST_DB",
    "__LOG_(NOTICE|WARNING|ERROR)",
    "EVENT_FLAG_(REPORTING|SECURITY|SYSTEM)",
];

fn main() {
    // Crate curl builds one of its own where it finds none: without TLS, and
    // nobody would keep it up to date.
    if env::var_os("DEP_CURL_STATIC").is_some() {
        stop(
            "libcurl's headers, or pkg-config, are not here.\n\
             Install them (Debian, Ubuntu: apt-get install libcurl4-openssl-dev pkg-config).",
        );
    }
    println!("cargo:rerun-if-changed=include");
    println!("cargo:rerun-if-changed=src/ffi");
    let include = find_headers().unwrap_or_else(|why| stop(&why));
    let built_for = BuiltFor::read(&include).unwrap_or_else(|why| stop(&why));
    let root = Root::of(&include);
    println!("cargo:rerun-if-changed={}", include.display());
    println!("cargo:rustc-env=AUTHRS_BUILT_FOR={}", built_for.marker());
    println!("cargo:rerun-if-changed=packaging/revision.rs");
    let version = revision::version();
    println!("cargo:rustc-env=AUTHRS_VERSION={version}");

    let mut shim = cc::Build::new();
    shim.files(["src/ffi/shim.c", "src/ffi/channel.c"])
        .include("include")
        // As a system's headers, so that only our own code is warned about.
        .flag("-isystem")
        .flag(include.display().to_string())
        // Assertions of its inline functions name their file.
        .flag(format!(
            "-ffile-prefix-map={}=/usr/include",
            include.display()
        ))
        .flag("-std=gnu11")
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        // AST_MODULE_INFO leaves most fields at zero.
        .flag("-Wno-missing-field-initializers")
        .define("AST_MODULE", format!("\"{MODULE}\"").as_str())
        .define("AST_MODULE_SELF_SYM", "__internal_app_authenticate_rs_self")
        .define("AUTHRS_VERSION", format!("\"{version}\"").as_str());
    if built_for.db_exists {
        shim.define("AUTHRS_HAVE_DB_EXISTS", None);
    }
    if built_for.snapshot_update {
        shim.define("AUTHRS_HAVE_SNAPSHOT_UPDATE", None);
    }
    if let Some(root) = &root {
        shim.flag(root.flag());
    }
    shim.compile("authrs_shim");
    link_stand_ins();

    let compiler_headers = compiler_headers(&shim.get_compiler());
    generate_bindings(&include, root.as_ref(), compiler_headers);
    if let Some(root) = root {
        root.link();
    }
}

/// In a test build, links functions in place of those of an older Asterisk:
/// `tests/lifecycle/variants.rs`.
fn link_stand_ins() {
    if env::var_os("CARGO_FEATURE_TEST_BUILD").is_none() {
        return;
    }
    println!("cargo:rerun-if-env-changed=AUTHENTICATE_LINK_ARGS");
    for argument in env::var("AUTHENTICATE_LINK_ARGS")
        .unwrap_or_default()
        .lines()
    {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}

/// A root file system, other than this machine's, with the libraries to link with.
struct Root {
    path: PathBuf,
    /// Where `libc.so` is.
    libraries: PathBuf,
}

impl Root {
    /// Returns the root that contains these headers and a C library.
    fn of(include: &Path) -> Option<Self> {
        let path = include.ancestors().nth(2)?;
        if !include.ends_with("usr/include") || path.parent().is_none() {
            return None;
        }
        let mut folders = fs::read_dir(path.join("usr/lib")).ok()?.flatten();
        let libraries = folders.find(|folder| folder.path().join("libc.so").exists())?;
        Some(Self {
            path: path.to_owned(),
            libraries: libraries.path(),
        })
    }

    /// Returns the option for the C compiler, clang and the linker.
    fn flag(&self) -> String {
        format!("--sysroot={}", self.path.display())
    }

    /// Links the module with the libraries of this root.
    fn link(&self) {
        // Ahead of this machine's folder, which libcurl's build script names.
        println!(
            "cargo:rustc-link-search=native={}",
            self.libraries.display()
        );
        println!("cargo:rustc-link-arg-cdylib={}", self.flag());
    }
}

/// The C compiler's own headers, such as `limits.h`. bindgen takes the newest libclang,
/// which may be installed without its own.
fn compiler_headers(compiler: &cc::Tool) -> Option<String> {
    let mut command = compiler.to_command();
    let output = command.arg("-print-file-name=include").output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    path.starts_with('/').then(|| path.trim().to_owned())
}

fn generate_bindings(include: &Path, root: Option<&Root>, compiler_headers: Option<String>) {
    let mut builder = bindgen::Builder::default()
        .header("include/wrapper.h")
        .clang_arg("-Iinclude")
        .clang_arg(format!("-I{}", include.display()))
        .clang_arg("-std=gnu11")
        // RAII_VAR uses blocks under clang.
        .clang_arg("-fblocks")
        // Prototypes in place of AST_INLINE_API bodies; Asterisk exports them.
        .clang_arg("-DDISABLE_INLINE")
        .clang_arg(format!("-DAST_MODULE=\"{MODULE}\""))
        .clang_arg("-DAST_MODULE_SELF_SYM=__internal_app_authenticate_rs_self")
        .opaque_type("ast_channel|ast_module|ast_app|ast_sched_context|ast_silence_generator")
        .prepend_enum_name(false)
        .layout_tests(true)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()));
    if let Some(root) = root {
        builder = builder.clang_arg(root.flag());
    }
    if let Some(headers) = compiler_headers {
        builder = builder.clang_arg("-idirafter").clang_arg(headers);
    }
    let asterisk = functions::FUNCTIONS.iter().map(|(name, _)| name);
    for function in asterisk.chain(functions::SHIM) {
        builder = builder.allowlist_function(function);
    }
    for kind in TYPES {
        builder = builder.allowlist_type(kind);
    }
    for variable in VARIABLES {
        builder = builder.allowlist_var(variable);
    }
    let bindings = builder
        .generate()
        .unwrap_or_else(|error| stop(&format!("bindgen: {error}")));
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    bindings
        .write_to_file(out.join("bindings.rs"))
        .unwrap_or_else(|error| stop(&format!("writing the bindings: {error}")));
}

fn find_headers() -> Result<PathBuf, String> {
    println!("cargo:rerun-if-env-changed=ASTERISK_INCLUDE_DIR");
    println!("cargo:rerun-if-env-changed=ASTERISK_SUITE");
    if let Some(named) = env::var_os("ASTERISK_INCLUDE_DIR") {
        let named = PathBuf::from(named);
        return named_headers(&named)
            .map_err(|why| format!("ASTERISK_INCLUDE_DIR={}: {why}", named.display()));
    }
    if let Some(suite) = env::var("ASTERISK_SUITE")
        .ok()
        .filter(|suite| !suite.is_empty())
    {
        return fetched_headers(&suite);
    }
    for prefix in ["/usr", "/usr/local"] {
        let include = Path::new(prefix).join("include");
        let binary = Path::new(prefix).join("sbin/asterisk");
        println!("cargo:rerun-if-changed={}", binary.display());
        if has_headers(&include) {
            return Ok(include);
        }
        if binary.exists() {
            return Err(format!(
                "{} is installed but its headers are not in {}.\n\
                 Asterisk from a Debian or Ubuntu package: apt-get install asterisk-dev.\n\
                 Asterisk from source: 'make install-headers' there, or name the folder include \
                 of the source in ASTERISK_INCLUDE_DIR.",
                binary.display(),
                include.display()
            ));
        }
    }
    fetched_headers("sid")
}

fn has_headers(include: &Path) -> bool {
    include.join("asterisk.h").exists() && include.join("asterisk/buildopts.h").exists()
}

/// Returns the folder that a person has named, or why it is not one of headers.
fn named_headers(named: &Path) -> Result<PathBuf, &'static str> {
    if has_headers(named) {
        return Ok(named.to_owned());
    }
    Err(if named.join("asterisk.h").exists() {
        "this Asterisk has no asterisk/buildopts.h yet: run ./configure and make in its source \
         first"
    } else if named.join("include/asterisk.h").exists() {
        "this is Asterisk's source: name its folder include"
    } else {
        "there is no asterisk.h with asterisk/buildopts.h in it"
    })
}

/// Returns the headers that `asterisk-headers/fetch.sh` has fetched for a suite.
fn fetched_headers(suite: &str) -> Result<PathBuf, String> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let all = root.join("asterisk-headers");
    let fetched = all.join(suite).join("usr/include");
    if has_headers(&fetched) {
        return Ok(fetched);
    }
    println!("cargo:rerun-if-changed={}", all.display());
    Err(format!(
        "there are no Asterisk headers here. Run `make headers SUITE={suite}` to fetch those of \
         Debian {suite},\nor name others in ASTERISK_INCLUDE_DIR."
    ))
}

/// What the headers say of the Asterisk they belong to.
struct BuiltFor {
    /// The major version. No header names it, and the build sum does not hold
    /// it; but AMI's version rises by one with each major version of
    /// Asterisk: 5 in 16, 9 in 20, 11 in 22.
    major: u32,
    sum: String,
    /// `ast_db_exists` came with 18.22, 20.7, 21.2 and 22.0.
    db_exists: bool,
    /// `ast_channel_snapshot_update` came with 17.
    snapshot_update: bool,
}

impl BuiltFor {
    fn read(include: &Path) -> Result<Self, String> {
        let header = |name: &str| {
            let path = include.join("asterisk").join(name);
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let quoted = |text: &str, name: &str| {
            let at = text.find(&format!("#define {name}"))?;
            text.get(at..)?.split('"').nth(1).map(str::to_owned)
        };
        let ami = quoted(&header("manager.h")?, "AMI_VERSION");
        let ami = ami.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        let sum = quoted(&header("buildopts.h")?, "AST_BUILDOPT_SUM");
        let (Some(ami), Some(sum)) = (ami, sum) else {
            return Err(format!(
                "{}: manager.h names no AMI_VERSION, or buildopts.h no AST_BUILDOPT_SUM",
                include.display()
            ));
        };
        let major = ami + 11;
        let needed = [
            ("logger.h", "ast_logger_get_dynamic_level("),
            ("paths.h", "ast_config_AST_CACHE_DIR"),
        ];
        for (name, text) in needed {
            if !header(name)?.contains(text) {
                let version = version_of(include).unwrap_or_else(|| major.to_string());
                return Err(format!(
                    "{}: this is Asterisk {version}, which has no {} ({name}).\n\
                     The module needs Asterisk 16.22, 18.8 or later.",
                    include.display(),
                    text.trim_end_matches('(')
                ));
            }
        }
        Ok(Self {
            major,
            sum,
            db_exists: header("astdb.h")?.contains("ast_db_exists("),
            snapshot_update: header("stasis_channels.h")?
                .contains("struct ast_channel_snapshot_update {"),
        })
    }

    /// A text in the module that `packaging/install.sh` reads.
    fn marker(&self) -> String {
        format!("authrs-built-for:{}:{}", self.major, self.sum)
    }
}

/// Returns the version of the Asterisk whose headers these are, where it is noted: in
/// Asterisk's source (`22.10.1`), and beside what `fetch.sh` fetched
/// (`1:16.28.0~dfsg-0+deb11u4`).
fn version_of(include: &Path) -> Option<String> {
    let noted = ["../.version", "../../VERSION"]
        .iter()
        .find_map(|file| fs::read_to_string(include.join(file)).ok())?;
    let noted = noted.trim();
    let noted = noted
        .split_once(':')
        .map_or(noted, |(_, upstream)| upstream);
    Some(noted.split(['~', '+']).next()?.to_owned())
}

/// Ends the build with one clear message.
fn stop(why: &str) -> ! {
    let mut lines = String::new();
    for line in why.lines() {
        let _ = writeln!(lines, "  {line}");
    }
    eprintln!("\n{MODULE}:\n{lines}");
    exit(1)
}
