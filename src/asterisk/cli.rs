//! Asterisk's CLI: commands of ours, their output, and completion of words.

use std::ffi::{c_char, c_int, CStr};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard};

use super::c_string::{self, Text};
use super::in_flight::CallGuard;
use super::panic::guard;
use crate::ffi;
use crate::sync::lock::lock;

/// A command.
pub(crate) struct Command {
    /// Its words. `{a|b}` stands for one of them.
    pub words: &'static CStr,
    /// Its effect, in one line.
    pub summary: &'static CStr,
    /// The text of `core show help`.
    pub usage: &'static CStr,
    /// Runs it. Gets all words, its own first.
    pub run: fn(&[&[u8]]) -> CommandOutput,
    /// Returns what the next word may be. Gets all words before it.
    pub complete: fn(&[&[u8]]) -> Vec<String>,
}

/// Output of a command.
pub(crate) enum CommandOutput {
    /// The output of a command that has succeeded.
    Done(String),
    /// The output of a command that has failed.
    Failed(String),
    /// The text of `core show help`.
    Usage,
}

/// A command as Asterisk keeps it: Asterisk's part comes first, then room for what a
/// newer Asterisk adds (`include/shim.h`).
#[repr(C)]
struct Entry {
    raw: ffi::ast_cli_entry,
    room: [u8; ffi::AUTHRS_ROOM as usize],
    command: &'static Command,
}

/// The registered commands.
struct Entries(Vec<NonNull<Entry>>);

// SAFETY: each is ours alone until Asterisk has it, which locks its list.
unsafe impl Send for Entries {}

static ENTRIES: Mutex<Entries> = Mutex::new(Entries(Vec::new()));

fn entries() -> MutexGuard<'static, Entries> {
    lock(&ENTRIES)
}

/// Registers a command, unless it is registered. Returns false if that fails, which
/// Asterisk logs.
pub(crate) fn register(command: &'static Command) -> bool {
    // SAFETY: what is in the list is registered, and not freed before it is
    // taken out.
    let is_same = |entry: &NonNull<Entry>| unsafe { std::ptr::eq(entry.as_ref().command, command) };
    if entries().0.iter().any(is_same) {
        return true;
    }
    // SAFETY: a C structure of pointers and numbers; all zeros is how its own
    // macro leaves what it does not set.
    let mut raw: ffi::ast_cli_entry = unsafe { MaybeUninit::zeroed().assume_init() };
    raw.summary = command.summary.as_ptr();
    raw.handler = Some(handle);
    let room = [0; ffi::AUTHRS_ROOM as usize];
    let entry = NonNull::from(Box::leak(Box::new(Entry { raw, room, command })));
    // SAFETY: the entry stays until `unregister` has taken it back.
    if unsafe { ffi::__ast_cli_register(entry.as_ptr().cast(), ffi::authrs_self()) } == 0 {
        entries().0.push(entry);
        return true;
    }
    // SAFETY: Asterisk has not kept it.
    drop(unsafe { Box::from_raw(entry.as_ptr()) });
    false
}

/// Takes back every [`register`]. Returns false if a command runs or is about to: it is
/// left registered.
pub(crate) fn unregister() -> bool {
    let mut entries = entries();
    entries.0.retain(|entry| {
        // SAFETY: ours, and registered. One that is in use Asterisk leaves as
        // it is: then its text is still there.
        unsafe {
            ffi::ast_cli_unregister(entry.as_ptr().cast());
            if !(*entry.as_ptr()).raw.command.is_null() {
                return true;
            }
            drop(Box::from_raw(entry.as_ptr()));
        }
        false
    });
    let is_empty = entries.0.is_empty();
    if is_empty {
        // An empty list keeps its memory, which an unload would lose.
        entries.0 = Vec::new();
    }
    is_empty
}

/// `CLI_SUCCESS`, `CLI_SHOWUSAGE` and `CLI_FAILURE`.
const SUCCESS: *mut c_char = std::ptr::null_mut();
const SHOW_USAGE: *mut c_char = std::ptr::without_provenance_mut(1);
const FAILURE: *mut c_char = std::ptr::without_provenance_mut(2);

unsafe extern "C" fn handle(
    entry: *mut ffi::ast_cli_entry,
    what: c_int,
    arguments: *mut ffi::ast_cli_args,
) -> *mut c_char {
    let _in_flight = CallGuard::enter();
    guard(FAILURE, || {
        // SAFETY: what `register` has given Asterisk begins with `raw`, and is
        // not freed while it is in use.
        let command = unsafe { (*entry.cast::<Entry>()).command };
        if what == ffi::CLI_INIT {
            // SAFETY: ours until we return. Asterisk copies the words and keeps
            // the usage, which is static; it writes to neither.
            unsafe {
                (*entry).command = command.words.as_ptr().cast_mut();
                (*entry).usage = command.usage.as_ptr();
            }
            return SUCCESS;
        }
        // SAFETY: with anything else Asterisk passes the arguments, which stay
        // until we return.
        let Some(arguments) = (unsafe { arguments.as_ref() }) else {
            return FAILURE;
        };
        let words = words(arguments);
        if what == ffi::CLI_GENERATE {
            complete(command, arguments, &words);
            return SUCCESS;
        }
        let (text, result) = match (command.run)(&words) {
            CommandOutput::Done(text) => (text, SUCCESS),
            CommandOutput::Failed(text) => (text, FAILURE),
            CommandOutput::Usage => return SHOW_USAGE,
        };
        print(arguments.fd, &text);
        result
    })
}

fn words(arguments: &ffi::ast_cli_args) -> Vec<&[u8]> {
    let count = usize::try_from(arguments.argc).unwrap_or_default();
    if arguments.argv.is_null() {
        return Vec::new();
    }
    // SAFETY: Asterisk's array of `count` strings, which stay until the handler
    // returns.
    let words = unsafe { std::slice::from_raw_parts(arguments.argv, count) };
    // SAFETY: as above.
    words
        .iter()
        .map(|word| unsafe { c_string::lent(*word) })
        .collect()
}

/// Completes the word that is being typed. Words are not quoted, so those with blanks
/// or quotes are left out.
fn complete(command: &Command, arguments: &ffi::ast_cli_args, words: &[&[u8]]) {
    // Asterisk calls again for the second, the third, …: it has them all.
    if arguments.n > 0 {
        return;
    }
    // SAFETY: NULL or a string that stays until the handler returns.
    let begun = unsafe { c_string::lent(arguments.word) };
    let at = usize::try_from(arguments.pos).unwrap_or_default();
    let before = words.get(..at).unwrap_or_default();
    let begins = |word: &String| {
        let start = word.as_bytes().get(..begun.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(begun))
    };
    for word in (command.complete)(before) {
        if begins(&word) && !word.contains([' ', '"', '\\']) {
            let word = Text::new(word.as_bytes());
            // SAFETY: a NUL-terminated string, which is copied.
            unsafe { ffi::authrs_cli_complete(word.as_c().as_ptr()) };
        }
    }
}

/// Most bytes that are written at once: whole lines, and no more than a pipe holds.
const MAX_WRITE_BYTES: usize = 4096;

/// How long a console may take to read what was written before we stop, in milliseconds.
const WRITE_TIMEOUT: c_int = 5000;

/// Writes to a console, until it no longer reads.
fn print(console: c_int, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let most = rest.get(..MAX_WRITE_BYTES).unwrap_or(rest);
        let end = most.iter().rposition(|byte| *byte == b'\n');
        let length = end.map_or(most.len(), |end| end + 1);
        let (piece, after) = rest.split_at(length);
        let size = c_int::try_from(piece.len()).unwrap_or_default();
        // SAFETY: the console's descriptor, and as many bytes as are there,
        // which are only read.
        let written = unsafe {
            ffi::ast_carefulwrite(
                console,
                piece.as_ptr().cast_mut().cast(),
                size,
                WRITE_TIMEOUT,
            )
        };
        if written != 0 {
            return;
        }
        rest = after;
    }
}
