//! The same calls on the stock module and on ours.
