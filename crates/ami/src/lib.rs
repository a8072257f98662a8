//! Messages of the Asterisk Manager Interface (AMI), without I/O.
//!
//! A message is a block of `Name: value` lines that a blank line ends. A client sends
//! actions, which [`encode`] makes; Asterisk sends a banner line, then responses and
//! events, which a [`Decoder`] reads from bytes as they arrive:
//!
//! ```
//! use ami::{encode, Decoder, Limits};
//!
//! let action = encode("Ping", &[("ActionID", b"7")])?;
//! assert_eq!(action, b"Action: Ping\r\nActionID: 7\r\n\r\n");
//!
//! let mut decoder = Decoder::new(Limits::default());
//! let mut input = &b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 7\r\n\r\n"[..];
//! let response = decoder.decode(&mut input)?.expect("a whole message");
//! assert!(response.has("Response", b"Success"));
//! assert_eq!(response.get("actionid"), Some(&b"7"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! No value makes another header, because line breaks are refused, and no peer makes a
//! decoder grow beyond its [`Limits`]. Values are bytes: callers choose many of them.

#![forbid(unsafe_code)]

mod decode;
mod encode;
mod message;

pub use decode::{DecodeError, Decoder, Limits};
pub use encode::{encode, EncodeError, MAX_ACTION_BYTES, MAX_ACTION_HEADERS, MAX_LINE_BYTES};
pub use message::Message;

#[cfg(test)]
mod tests;
