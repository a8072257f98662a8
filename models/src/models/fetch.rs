//! Sounds of web services, which are fetched once for all callers.

use std::cell::Cell;
use std::time::Duration;

use shuttle::thread;
use url::Url;

use super::{end_threads, Channel};
use crate::http::sound_cache::{self, SoundError, SoundRequest};
use crate::http::{ReplyHandler, Request, RequestError, RequestFailure, Response, UrlOrigin};
use crate::model::run::{Model, Orders};
use crate::model::{happens, step, Odds};

thread_local! {
    static REQUESTS: Cell<u32> = const { Cell::new(0) };
}

/// Answers a request on a thread, as the transfer thread does: with a sound, an error of
/// the server, or, if it ends before, not at all.
pub(crate) fn answer(request: Request, handler: Box<dyn ReplyHandler>) {
    REQUESTS.set(REQUESTS.get() + 1);
    assert_eq!(REQUESTS.get(), 1, "requests for a sound");
    thread::spawn(move || {
        step();
        let response = |code| {
            Ok(Response {
                code,
                body: request.url.as_str().as_bytes().to_vec(),
                headers: Default::default(),
            })
        };
        match () {
            () if happens(|_| 4) => drop(handler),
            () if happens(|_| 4) => handler.handle(response(404)),
            () if happens(|_| 4) => {
                handler.handle(Err(RequestFailure::from(RequestError::TooLarge(1))));
            }
            () => handler.handle(response(200)),
        }
    });
}

fn get() -> Result<Vec<u8>, SoundError> {
    let url = Url::parse("https://example.org/hello.wav").unwrap();
    let second = Duration::from_secs(1);
    let request = SoundRequest {
        url: &url,
        origin: UrlOrigin::Service,
        connect: second,
        whole: 60 * second,
    };
    sound_cache::get(&mut Channel, request).expect("nobody hangs up")
}

pub(crate) const MODEL: Model = Model {
    name: "sounds of web services",
    invariant: "of concurrent callers, one request is made, and all get its result",
    orders: Orders::Some(1000),
    odds: Odds {
        no_thread: 6,
        timeout: 4,
        ..Odds::NONE
    },
    run: || {
        REQUESTS.set(0);
        let callers = [(); 3].map(|()| thread::spawn(get));
        let results = callers.map(|caller| caller.join().unwrap());
        let [first, others @ ..] = results.map(|result| format!("{result:?}"));
        assert!(!first.contains("Timeout"), "{first}");
        for other in others {
            assert_eq!(first, other, "results of two callers");
        }
        end_threads();
        sound_cache::clear();
    },
    broken: &[
        "a download is not registered",
        "a request that was dropped has no result",
    ],
};

#[test]
fn sound_is_fetched_once() {
    MODEL.check();
}
