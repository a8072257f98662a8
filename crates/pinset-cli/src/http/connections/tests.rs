use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

const LIMITS: ConnectionLimits = ConnectionLimits {
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

/// The address of a client.
fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

/// A slot, and the reason if another connection was closed for it.
fn take(connections: &Arc<Connections>, last: u8) -> (ConnectionSlot, Option<CloseReason>) {
    let mut reason = None;
    let slot = connections.slot(address(last), LIMITS, |why| reason = Some(why));
    let slot = now(slot).flatten().expect("a slot");
    (slot, reason)
}

fn is_evicted(slot: &ConnectionSlot) -> bool {
    now(slot.evicted()).is_some()
}

#[test]
fn longest_idle_connection_is_closed_for_new_one() {
    let connections = Arc::new(Connections::default());
    let (first, _) = take(&connections, 1);
    let (second, _) = take(&connections, 2);
    let (third, none) = take(&connections, 3);
    assert_eq!(none, None);
    assert!(first.begin());
    first.end();
    let (_fourth, reason) = take(&connections, 4);
    assert_eq!(reason, Some(CloseReason::Full));
    assert!(is_evicted(&second) && !second.begin());
    assert!(!is_evicted(&first) && !is_evicted(&third));
    // A connection with a request stays, however long that takes.
    assert!(third.begin());
    let (_fifth, _) = take(&connections, 5);
    assert!(is_evicted(&first) && !is_evicted(&third));
}

#[test]
fn client_at_limit_loses_its_own_idle_connection() {
    let connections = Arc::new(Connections::default());
    let (other, _) = take(&connections, 9);
    let (first, _) = take(&connections, 1);
    let (second, _) = take(&connections, 1);
    let (third, reason) = take(&connections, 1);
    assert_eq!(reason, Some(CloseReason::Client));
    assert!(is_evicted(&first) && !is_evicted(&other) && !is_evicted(&second));
    assert!(second.begin() && third.begin());
    let refused = now(connections.slot(address(1), LIMITS, |_| {}));
    assert!(matches!(refused, Some(None)));
    // A trusted proxy has no limit of its own.
    let proxy = now(connections.slot(None, LIMITS, |_| {}));
    assert!(matches!(proxy, Some(Some(_))));
}

#[test]
fn connection_waits_for_first_response_when_all_have_requests() {
    let connections = Arc::new(Connections::default());
    let places = [1, 2, 3].map(|last| take(&connections, last).0);
    assert!(places.iter().all(ConnectionSlot::begin));
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = pin!(connections.slot(address(4), LIMITS, |_| {}));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let [first, second, third] = places;
    first.end();
    let slot = waiting.as_mut().poll(&mut context);
    assert!(matches!(slot, Poll::Ready(Some(_))));
    assert!(is_evicted(&first));
    drop((first, second, third, slot));
    assert!(now(connections.ended()).is_some());
    let table = connections.table.lock();
    assert!(table.open.is_empty() && table.idle.is_empty() && table.clients.is_empty());
}

#[test]
fn connections_count_by_address_or_ipv6_network() {
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
