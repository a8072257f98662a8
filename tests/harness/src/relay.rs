//! A slow network: a relay between a client and a server's Unix socket.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Forwards connections, each way with a delay. Its threads end with the process.
#[derive(Debug)]
pub struct Relay {
    swallows: Arc<AtomicBool>,
    from_clients: Arc<AtomicUsize>,
}

impl Relay {
    /// Accepts connections at `from`, a socket that it makes, and forwards them to `to`.
    pub fn start(from: &Path, to: &Path, delay: Duration) -> Result<Self> {
        let listener = UnixListener::bind(from)?;
        // Asterisk and the server's tools run as other users.
        fs::set_permissions(from, Permissions::from_mode(0o777))?;
        let swallows = Arc::new(AtomicBool::new(false));
        let from_clients = Arc::<AtomicUsize>::default();
        let (to, swallowing, count) = (
            to.to_owned(),
            Arc::clone(&swallows),
            Arc::clone(&from_clients),
        );
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = UnixStream::connect(&to) {
                    join(&client, &server, delay, &swallowing, &count);
                    join(&server, &client, delay, &swallowing, &Arc::default());
                }
            }
        });
        Ok(Self {
            swallows,
            from_clients,
        })
    }

    /// How many bytes clients have sent.
    pub fn from_clients(&self) -> usize {
        self.from_clients.load(Ordering::SeqCst)
    }

    /// From now on all that is sent is lost, and connections stay open, as with a network
    /// that drops all packets; or no longer. Connections that have lost something stay
    /// without an answer.
    pub fn swallow(&self, swallows: bool) {
        self.swallows.store(swallows, Ordering::SeqCst);
    }
}

/// Forwards what one end sends to the other.
fn join(
    from: &UnixStream,
    to: &UnixStream,
    delay: Duration,
    swallows: &Arc<AtomicBool>,
    bytes: &Arc<AtomicUsize>,
) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    let (swallows, bytes) = (Arc::clone(swallows), Arc::clone(bytes));
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            bytes.fetch_add(count, Ordering::SeqCst);
            if swallows.load(Ordering::SeqCst) {
                continue;
            }
            let part = buffer.get(..count).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + delay, part)).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, part) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&part).is_err() {
                break;
            }
        }
        // Either end may have been closed.
        let _ = to.shutdown(Shutdown::Both);
    });
}
