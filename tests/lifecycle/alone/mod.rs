//! Tests that take all there is of the machine, or hold times against each other:
//! no other test runs beside them. `make lifecycle` runs them by this module's name.

mod busy;
mod calls;
mod masquerade;
mod unload;
