//! Deletion of numbers of uses: it does not begin.

pub(super) const FIRST_LOOK_DELAY: i32 = 0;

pub(super) fn first_look() -> bool {
    false
}
