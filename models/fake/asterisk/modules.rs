//! Results of loading the module.

pub(crate) const LOADED: i32 = 0;
pub(crate) const DECLINED: i32 = 1;
