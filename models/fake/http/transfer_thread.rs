//! Requests, which a thread of the model answers.

use super::{ReplyHandler, Request};

pub(crate) fn wake() {}

pub(crate) fn close_connections() {}

pub(super) fn put(request: Request, handler: Box<dyn ReplyHandler>) {
    crate::models::fetch::answer(request, handler);
}
