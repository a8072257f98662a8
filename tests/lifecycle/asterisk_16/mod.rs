//! Older versions of Asterisk, as far as they differ for the module: builds as for
//! them, with stand-ins for the functions that differ.

mod keys;
mod upgrade;
