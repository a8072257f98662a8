//! Table of open connections: their number, their clients, and which one is closed
//! when there are too many.
//!
//! Connections cost a client nothing, so the idle ones of some clients must not keep
//! others out: the connection that has been idle longest is closed for a new one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

/// Mask of the upper half of an IPv6 address, the smallest network of one client.
const IPV6_CLIENT: u128 = !(u64::MAX as u128);

type Id = u64;

/// All connections of the service.
#[derive(Default)]
pub(crate) struct Connections {
    table: Mutex<ConnectionTable>,
    /// Signals that a connection has ended or become idle.
    changed: Notify,
}

#[derive(Default)]
struct ConnectionTable {
    /// Counter of events: the source of ids, and the order of becoming idle.
    clock: u64,
    open: HashMap<Id, Connection>,
    /// Connections without a request, in the order in which they became idle.
    idle: BTreeMap<u64, Id>,
    clients: HashMap<IpAddr, HashSet<Id>>,
    /// Number of connections that are not dropped, including those being closed.
    alive: usize,
}

struct Connection {
    client: Option<IpAddr>,
    /// Number of requests without a response.
    requests: usize,
    idle_since: u64,
    evicted: Arc<Notify>,
}

/// Limits on the number of connections.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionLimits {
    pub all: usize,
    pub of_client: usize,
}

/// The reason why a connection was closed for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseReason {
    /// The service had too many.
    Full,
    /// Its client had too many.
    Client,
}

/// The reason why a connection gets no slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
enum SlotError {
    #[error("all connections have requests")]
    Full,
    #[error("all connections of the client have requests")]
    Client,
}

/// The slot of a connection, until it is dropped.
pub(crate) struct ConnectionSlot {
    connections: Arc<Connections>,
    id: Id,
    evicted: Arc<Notify>,
}

/// Returns the client that a connection from this address counts for. Returns `None`
/// for a trusted proxy, which has many clients.
pub(crate) fn client(peer: IpAddr, trusted: &[IpNet]) -> Option<IpAddr> {
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
    /// Waits for a slot for a new connection and returns it. Calls `ended` if another
    /// connection is closed for it. Returns `None` if the client has reached its limit
    /// and all of its connections have requests.
    pub(crate) async fn slot(
        self: &Arc<Self>,
        client: Option<IpAddr>,
        limits: ConnectionLimits,
        mut ended: impl FnMut(CloseReason),
    ) -> Option<ConnectionSlot> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on, no change is missed.
            changed.as_mut().enable();
            match self.table.lock().admit(client, limits, &mut ended) {
                Ok((id, evicted)) => {
                    return Some(ConnectionSlot {
                        connections: Arc::clone(self),
                        id,
                        evicted,
                    })
                }
                Err(SlotError::Client) => return None,
                Err(SlotError::Full) => {}
            }
            changed.await;
        }
    }

    /// Waits until all connections have ended.
    pub(crate) async fn ended(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.table.lock().alive == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl ConnectionTable {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn admit(
        &mut self,
        client: Option<IpAddr>,
        limits: ConnectionLimits,
        ended: &mut impl FnMut(CloseReason),
    ) -> Result<(Id, Arc<Notify>), SlotError> {
        let ours = client.and_then(|client| self.clients.get(&client));
        if let Some(ours) = ours.filter(|ours| ours.len() >= limits.of_client) {
            let idle = ours.iter().filter_map(|id| {
                let connection = self.open.get(id)?;
                (connection.requests == 0).then_some((connection.idle_since, *id))
            });
            let (_, id) = idle.min().ok_or(SlotError::Client)?;
            self.evict(id);
            ended(CloseReason::Client);
        } else if self.open.len() >= limits.all {
            let (_, id) = self.idle.first_key_value().ok_or(SlotError::Full)?;
            self.evict(*id);
            ended(CloseReason::Full);
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

impl ConnectionSlot {
    /// Waits until another connection takes the slot.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Counts a request. Returns `false` if the slot was taken before: then the request
    /// must not be answered.
    pub(crate) fn begin(&self) -> bool {
        let mut table = self.connections.table.lock();
        let ConnectionTable { open, idle, .. } = &mut *table;
        let Some(connection) = open.get_mut(&self.id) else {
            return false;
        };
        if connection.requests == 0 {
            idle.remove(&connection.idle_since);
        }
        connection.requests += 1;
        true
    }

    /// Counts a response. A client that reads it slowly counts as idle.
    pub(crate) fn end(&self) {
        let mut table = self.connections.table.lock();
        let now = table.tick();
        let ConnectionTable { open, idle, .. } = &mut *table;
        let Some(connection) = open.get_mut(&self.id) else {
            return;
        };
        connection.requests = connection.requests.saturating_sub(1);
        if connection.requests == 0 {
            connection.idle_since = now;
            idle.insert(now, self.id);
            drop(table);
            self.connections.changed.notify_waiters();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut table = self.connections.table.lock();
        table.remove(self.id);
        table.alive -= 1;
        drop(table);
        self.connections.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
