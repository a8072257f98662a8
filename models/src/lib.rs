//! Models of what must hold in whatever order threads run: `src/models/`.
//!
//! They run the product's own sources (`build.rs`), with the threads and locks of shuttle
//! (`src/model/`) and a small Asterisk (`fake/`).
#![allow(dead_code, unused)]
#![cfg(test)]

mod model;
mod models;
mod variants;

include!(concat!(env!("OUT_DIR"), "/product/product.rs"));
