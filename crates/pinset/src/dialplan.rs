//! Places in the dialplan, and where a call continues.

/// Where a call continues.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// At the next priority.
    Continue,
    /// Nowhere: the call is hung up.
    Hangup,
    /// `goto:context,exten,priority`.
    Goto(Place),
}

/// A place in the dialplan. Only the dialplan knows whether it exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its context.
    pub context: String,
    /// Its extension, which is not a pattern.
    pub exten: String,
    /// Its priority: a number from 1, or a label.
    pub priority: String,
}

/// The longest context, extension or account in bytes: Asterisk has room for 80
/// bytes with the terminating NUL (`AST_MAX_CONTEXT`, `AST_MAX_ACCOUNT_CODE`).
pub const MAX_NAME_BYTES: usize = 79;

/// Returns whether `text` can be the name of a context, an extension or a label.
pub fn is_name(text: &str) -> bool {
    let separates = |c: char| c.is_control() || c.is_whitespace() || c == ',';
    (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.contains(separates)
}
