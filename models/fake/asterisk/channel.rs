//! A channel.

use std::marker::PhantomData;
use std::ptr::NonNull;

pub(crate) struct Channel<'a>(PhantomData<&'a ()>);

impl Channel<'_> {
    pub(crate) unsafe fn borrow(_: NonNull<crate::ffi::ast_channel>) -> Self {
        Self(PhantomData)
    }
}
