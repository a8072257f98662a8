//! Our module alone: load and unload, races, crashes.
//!
//! `make lifecycle` builds the module and runs them.

mod alone;
mod astdb_lock;
mod asterisk_16;
mod audit;
mod brute_force;
mod channels;
mod configuration;
mod console_pages;
mod console_pbxs;
mod console_two_pbxs;
mod container_image;
mod database;
mod digits;
mod doctor;
mod examples;
mod external;
mod faults;
mod freepbx;
mod hangup;
mod headers;
mod install;
mod lists;
mod load;
mod make_cluster;
mod make_console;
mod make_soak;
mod memory;
mod module;
mod one_time;
mod operate;
mod panics;
mod pin_sets;
mod realtime;
mod repeated_load;
mod report;
mod support;
mod unload;
mod unprivileged;
mod upgrade;
mod uses;
mod variants;
mod versions;
