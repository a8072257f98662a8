//! Tests that load the whole machine or compare times: no other test runs at the same
//! time. `make lifecycle` selects them by this module's name.

mod busy;
mod calls;
mod masquerade;
mod unload;
