//! Core dumps and debuggers: kept away from memory that holds PINs and keys.

use rustix::io;
use rustix::process::{set_dumpable_behavior, setrlimit, DumpableBehavior, Resource, Rlimit};

/// Makes this process one that is never dumped, and that no process of the same
/// user can trace or read the memory of.
///
/// # Errors
///
/// The system refuses it.
pub fn forbid() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // A `core_pattern` that is a pipe ignores the limit, but not the other one.
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
