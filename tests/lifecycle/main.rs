//! Ours alone: load and unload, races, crashes.
//!
//! `make lifecycle` builds the module and runs them.

mod alone;
mod audit;
mod brute_force;
mod channels;
mod configuration;
mod digits;
mod external;
mod foreign;
mod hangup;
mod headers;
mod install;
mod licences;
mod lists;
mod load;
mod module;
mod older;
mod one_time;
mod operate;
mod panics;
mod pin_sets;
mod report;
mod rounds;
mod support;
mod unload;
mod unprivileged;
mod uses;
mod variants;
