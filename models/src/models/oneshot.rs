//! Results of other threads, and posts that are sent or canceled.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use crate::http::Sending;
use crate::model::run::{Model, Orders};
use crate::model::Odds;
use crate::sync::oneshot::Oneshot;

const LONG: Duration = Duration::from_secs(10);

pub(crate) const RESULT: Model = Model {
    name: "result of another thread",
    invariant: "a thread that waits gets the value, once, whenever it is set",
    orders: Orders::All,
    odds: Odds::NONE,
    run: || {
        let result = Arc::new(Oneshot::new());
        let setter = Arc::clone(&result);
        let thread = thread::spawn(move || setter.set(7));
        assert_eq!(result.wait(LONG), Some(7));
        assert_eq!(result.wait(Duration::ZERO), None);
        thread.join().unwrap();
    },
    broken: &["a result wakes nobody"],
};

pub(crate) const SENDING: Model = Model {
    name: "post to a web service",
    invariant: "of a post that is sent and canceled at once, both sides know the same",
    orders: Orders::All,
    odds: Odds::NONE,
    run: || {
        let sending = Sending::default();
        let sender = sending.clone();
        let sent = thread::spawn(move || sender.begin());
        let was_sent = sending.cancel();
        assert_eq!(
            sent.join().unwrap(),
            was_sent,
            "sent, and canceled after it was"
        );
    },
    broken: &["a post is marked as sent without a comparison"],
};

#[test]
fn result_of_another_thread_is_given_once() {
    RESULT.check();
}

#[test]
fn post_is_sent_or_canceled() {
    SENDING.check();
}
