//! Exchanges with a server: there are none.
