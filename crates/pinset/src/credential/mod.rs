//! Credentials: secrets of PINs, the keys that sign them, and tables of both.

pub mod pepper;
pub mod secret;
pub mod secret_file;
pub mod table;
