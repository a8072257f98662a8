use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

const MOST: Most = Most {
    all: 3,
    of_client: 2,
};

/// The result of a future that is ready.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// One of ten clients.
fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

/// A place, and whether another connection had to go for it.
fn take(connections: &Arc<Connections>, last: u8) -> (Place, Option<Reason>) {
    let mut reason = None;
    let place = connections.place(address(last), MOST, |why| reason = Some(why));
    let place = now(place).flatten().expect("a place");
    (place, reason)
}

fn is_evicted(place: &Place) -> bool {
    now(place.evicted()).is_some()
}

#[test]
fn connection_longest_without_request_makes_room() {
    let connections = Arc::new(Connections::default());
    let (first, _) = take(&connections, 1);
    let (second, _) = take(&connections, 2);
    let (third, none) = take(&connections, 3);
    assert_eq!(none, None);
    assert!(first.begin());
    first.end();
    let (_fourth, reason) = take(&connections, 4);
    assert_eq!(reason, Some(Reason::Full));
    assert!(is_evicted(&second) && !second.begin());
    assert!(!is_evicted(&first) && !is_evicted(&third));
    // One with a request does not go, however long it takes.
    assert!(third.begin());
    let (_fifth, _) = take(&connections, 5);
    assert!(is_evicted(&first) && !is_evicted(&third));
}

#[test]
fn client_with_too_many_makes_room_for_itself() {
    let connections = Arc::new(Connections::default());
    let (other, _) = take(&connections, 9);
    let (first, _) = take(&connections, 1);
    let (second, _) = take(&connections, 1);
    let (third, reason) = take(&connections, 1);
    assert_eq!(reason, Some(Reason::Client));
    assert!(is_evicted(&first) && !is_evicted(&other) && !is_evicted(&second));
    assert!(second.begin() && third.begin());
    let refused = now(connections.place(address(1), MOST, |_| {}));
    assert!(matches!(refused, Some(None)));
    // A trusted proxy has as many as there are.
    let proxy = now(connections.place(None, MOST, |_| {}));
    assert!(matches!(proxy, Some(Some(_))));
}

#[test]
fn full_house_of_requests_waits_for_the_first_that_ends() {
    let connections = Arc::new(Connections::default());
    let places = [1, 2, 3].map(|last| take(&connections, last).0);
    assert!(places.iter().all(Place::begin));
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = pin!(connections.place(address(4), MOST, |_| {}));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let [first, second, third] = places;
    first.end();
    let place = waiting.as_mut().poll(&mut context);
    assert!(matches!(place, Poll::Ready(Some(_))));
    assert!(is_evicted(&first));
    drop((first, second, third, place));
    assert!(now(connections.ended()).is_some());
    let state = connections.state.lock();
    assert!(state.open.is_empty() && state.idle.is_empty() && state.clients.is_empty());
}

#[test]
fn clients_are_counted_by_address() {
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    for (peer, counted) in [
        ("192.0.2.1", Some("192.0.2.1")),
        ("::ffff:192.0.2.1", Some("192.0.2.1")),
        ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
        ("10.1.2.3", None),
        ("::ffff:10.1.2.3", None),
    ] {
        let client = client(peer.parse().expect("an address"), &trusted);
        let counted = counted.map(|text| text.parse().expect("an address"));
        assert_eq!(client, counted, "{peer}");
    }
}
