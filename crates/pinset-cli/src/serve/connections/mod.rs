//! The open connections: how many there are, whose they are, and which one ends
//! when there are too many.
//!
//! Connections cost a client nothing, so that no limit may let the idle ones of
//! some keep the others out: the one longest without a request makes room.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

/// Half an IPv6 address: what one client has at the least.
const IPV6_CLIENT: u128 = !(u64::MAX as u128);

type Id = u64;

/// All connections of the service.
#[derive(Default)]
pub struct Connections {
    state: Mutex<State>,
    /// A connection has ended or become idle.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Counts what happens: identities, and the order of becoming idle.
    clock: u64,
    open: HashMap<Id, Connection>,
    /// Those without a request, by the order in which they became that.
    idle: BTreeMap<u64, Id>,
    clients: HashMap<IpAddr, HashSet<Id>>,
    /// How many are not dropped, those that make room included.
    alive: usize,
}

struct Connection {
    client: Option<IpAddr>,
    /// Requests that are not answered.
    requests: usize,
    idle_since: u64,
    evicted: Arc<Notify>,
}

/// How many connections there may be.
#[derive(Clone, Copy)]
pub struct Most {
    pub all: usize,
    pub of_client: usize,
}

/// What made a connection end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// There were too many.
    Full,
    /// There were too many of its client.
    Client,
}

/// The reason why a connection gets no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
enum PlaceError {
    #[error("all connections have requests")]
    Full,
    #[error("all connections of the client have requests")]
    Client,
}

/// The place of a connection, until it is dropped.
pub struct Place {
    connections: Arc<Connections>,
    id: Id,
    evicted: Arc<Notify>,
}

/// Returns by whom the connections of an address are counted: nobody for a
/// trusted proxy, whose clients are many.
pub fn client(peer: IpAddr, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    if trusted.iter().any(|net| net.contains(&peer)) {
        return None;
    }
    Some(match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(peer) => Ipv6Addr::from_bits(peer.to_bits() & IPV6_CLIENT).into(),
    })
}

impl Connections {
    /// Returns a place for a connection, once there is one. Calls `ended` for a
    /// connection that has to go for it. Returns `None` if the client has as many
    /// connections as it may have, all with requests.
    pub async fn place(
        self: &Arc<Self>,
        client: Option<IpAddr>,
        most: Most,
        mut ended: impl FnMut(Reason),
    ) -> Option<Place> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // What changes from here on is not missed.
            changed.as_mut().enable();
            match self.state.lock().admit(client, most, &mut ended) {
                Ok((id, evicted)) => {
                    return Some(Place {
                        connections: Arc::clone(self),
                        id,
                        evicted,
                    })
                }
                Err(PlaceError::Client) => return None,
                Err(PlaceError::Full) => {}
            }
            changed.await;
        }
    }

    /// Waits until all connections have ended.
    pub async fn ended(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.state.lock().alive == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn admit(
        &mut self,
        client: Option<IpAddr>,
        most: Most,
        ended: &mut impl FnMut(Reason),
    ) -> Result<(Id, Arc<Notify>), PlaceError> {
        let ours = client.and_then(|client| self.clients.get(&client));
        if let Some(ours) = ours.filter(|ours| ours.len() >= most.of_client) {
            let idle = ours.iter().filter_map(|id| {
                let connection = self.open.get(id)?;
                (connection.requests == 0).then_some((connection.idle_since, *id))
            });
            let (_, id) = idle.min().ok_or(PlaceError::Client)?;
            self.evict(id);
            ended(Reason::Client);
        } else if self.open.len() >= most.all {
            let (_, id) = self.idle.first_key_value().ok_or(PlaceError::Full)?;
            self.evict(*id);
            ended(Reason::Full);
        }
        let (id, evicted) = (self.tick(), Arc::new(Notify::new()));
        let connection = Connection {
            client,
            requests: 0,
            idle_since: id,
            evicted: Arc::clone(&evicted),
        };
        self.open.insert(id, connection);
        self.idle.insert(id, id);
        if let Some(client) = client {
            self.clients.entry(client).or_default().insert(id);
        }
        self.alive += 1;
        Ok((id, evicted))
    }

    fn evict(&mut self, id: Id) {
        if let Some(connection) = self.remove(id) {
            connection.evicted.notify_one();
        }
    }

    fn remove(&mut self, id: Id) -> Option<Connection> {
        let connection = self.open.remove(&id)?;
        if connection.requests == 0 {
            self.idle.remove(&connection.idle_since);
        }
        if let Some(client) = connection.client {
            if let Some(ours) = self.clients.get_mut(&client) {
                ours.remove(&id);
                if ours.is_empty() {
                    self.clients.remove(&client);
                }
            }
        }
        Some(connection)
    }
}

impl Place {
    /// Waits until another connection takes the place.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// A request has come. Returns false if the place was taken before: then it
    /// may not be answered.
    pub fn begin(&self) -> bool {
        let mut state = self.connections.state.lock();
        let State { open, idle, .. } = &mut *state;
        let Some(connection) = open.get_mut(&self.id) else {
            return false;
        };
        if connection.requests == 0 {
            idle.remove(&connection.idle_since);
        }
        connection.requests += 1;
        true
    }

    /// A request is answered. Who takes the response slowly has no place for it.
    pub fn end(&self) {
        let mut state = self.connections.state.lock();
        let now = state.tick();
        let State { open, idle, .. } = &mut *state;
        let Some(connection) = open.get_mut(&self.id) else {
            return;
        };
        connection.requests = connection.requests.saturating_sub(1);
        if connection.requests == 0 {
            connection.idle_since = now;
            idle.insert(now, self.id);
            drop(state);
            self.connections.changed.notify_waiters();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        state.remove(self.id);
        state.alive -= 1;
        drop(state);
        self.connections.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
