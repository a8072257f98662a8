//! Protection of PINs and keys in memory from core dumps and debuggers.

use rustix::io;
use rustix::process::{set_dumpable_behavior, setrlimit, DumpableBehavior, Resource, Rlimit};

/// Disables core dumps of this process, and access to its memory by other processes of
/// the same user.
///
/// # Errors
///
/// Fails if the system refuses it.
pub(crate) fn forbid() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // A `core_pattern` that is a pipe ignores the limit, but not the dumpable flag.
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
