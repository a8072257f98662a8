//! Text of a PBX.

use pinset::escape::escape_invisible;

/// Returns the beginning of a text as it can be shown: at most `max_bytes` of it, escaped
/// unless the module has done that already. What is escaped stays so.
pub(super) fn escaped(text: &[u8], max_bytes: usize) -> String {
    escape_invisible(&text[..text.len().min(max_bytes)])
}
