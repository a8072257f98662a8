//! Errors of memory for the tests of `make valgrind`, which must find them.

use std::hint::black_box;

/// Loses memory.
pub(crate) fn leak() {
    let lost = Box::new([7_u8; 4242]);
    // Its pointer stays neither in a register nor on the stack.
    black_box(Box::into_raw(lost));
}

/// Reads memory that is free.
pub(crate) fn read_freed() {
    let freed: *const u8 = {
        let owner = black_box(Box::new(7_u8));
        &raw const *owner
    };
    // SAFETY: none. That is what is to be found; no module that is installed has it.
    black_box(unsafe { freed.read_volatile() });
}
