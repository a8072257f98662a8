//! The HTTP server of `pinset serve` and `pinset console`: the socket, connections, TLS,
//! and the addresses of clients.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod options;
pub(crate) mod plain_http;
pub(crate) mod server;
mod tls;
