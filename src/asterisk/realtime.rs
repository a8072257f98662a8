//! Asterisk's Realtime: rows of a database that one of Asterisk's drivers serves. All of it
//! blocks for as long as the driver does.

use std::ptr::NonNull;

use pinset::database::realtime::{RealtimeQuery, RealtimeRow, RealtimeTable};
use zeroize::Zeroizing;

use super::c_string::Text;
use super::config::Config;
use crate::ffi;

/// A family of extconfig.conf.
pub(crate) struct RealtimeFamily(Text);

impl RealtimeFamily {
    /// The family of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self(Text::new(name.as_bytes()))
    }

    /// Returns whether the family has an engine that is loaded. This does not block.
    pub(crate) fn has_engine(&self) -> bool {
        // SAFETY: a NUL-terminated string, read before the call returns.
        unsafe { ffi::ast_check_realtime(self.0.as_c().as_ptr()) == 1 }
    }
}

impl RealtimeTable for RealtimeFamily {
    fn find(&self, query: &RealtimeQuery, pin_set: &str) -> Vec<RealtimeRow> {
        let (value, pin_set) = (
            Text::new(query.value.as_bytes()),
            Text::new(pin_set.as_bytes()),
        );
        // SAFETY: NUL-terminated strings, read before the call returns. What it returns is
        // made for us alone.
        let found = unsafe {
            let found = ffi::authrs_realtime_find(
                self.0.as_c().as_ptr(),
                query.condition.as_ptr(),
                value.as_c().as_ptr(),
                pin_set.as_c().as_ptr(),
            );
            NonNull::new(found).map(|config| Config::of_rows(config))
        };
        let rows = found.iter().flat_map(Config::sections).map(|row| {
            let columns = row.lines().map(|column| {
                let name = column.option.to_string_lossy().into_owned();
                (name, Zeroizing::new(column.value.to_bytes().to_vec()))
            });
            columns.collect()
        });
        rows.collect()
    }

    fn set_uses(&self, id: &str, from: u32, to: u32) -> Option<u32> {
        let [id, from, to] = [id, &from.to_string(), &to.to_string()].map(|text| {
            let text: &str = text;
            Text::new(text.as_bytes())
        });
        // SAFETY: NUL-terminated strings, read before the call returns.
        let changed = unsafe {
            ffi::authrs_realtime_set_uses(
                self.0.as_c().as_ptr(),
                id.as_c().as_ptr(),
                from.as_c().as_ptr(),
                to.as_c().as_ptr(),
            )
        };
        u32::try_from(changed).ok()
    }

    fn forget_columns(&self) {
        // SAFETY: a NUL-terminated string, read before the call returns.
        unsafe { ffi::ast_unload_realtime(self.0.as_c().as_ptr()) };
    }
}
