//! Verification of passwords: lockouts, and at most two hashes at a time.

use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use pinset::config::Lockout;
use pinset::lockout::{
    AttemptResult, Caller, Capacity, ChargeError, Limits, Lock, Lockouts, Subject,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::users::{PasswordHash, User};
use crate::common::workers::Workers;
use crate::http::connections;

/// Maximum number of hashes that are computed at once, and that wait.
const HASH_THREADS: usize = 2;
const MAX_WAITING_HASHES: usize = 32;

/// The name under which attempts of all users are counted together.
const ALL: &str = "console";

const MINUTE: Duration = Duration::from_secs(60);

/// Wrong secrets of one user: 5/15m/30m.
pub(super) const USER_LIMIT: Lockout = Lockout {
    failures: 5,
    window: MINUTE.saturating_mul(15),
    lock: MINUTE.saturating_mul(30),
};

/// Wrong passwords of one name from one address, and of all: 100/1h/15m.
const LIMITS: Limits = Limits {
    caller: Some(USER_LIMIT),
    account: None,
    pin_set: Some(Lockout {
        failures: 100,
        window: MINUTE.saturating_mul(60),
        lock: MINUTE.saturating_mul(15),
    }),
};

/// The reason why a password is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(super) enum PasswordError {
    #[error("the name or the password is wrong")]
    Wrong,
    /// The last wrong password caused a lock, or there was one before.
    #[error("too many wrong passwords")]
    Locked(Lock),
    #[error("too many log-ins at once: try again in some seconds")]
    Busy,
}

/// The verifier of passwords.
pub(super) struct Guard {
    lockouts: Mutex<Lockouts>,
    hashing: Workers,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            lockouts: Mutex::new(Lockouts::new(Capacity::DEFAULT)),
            hashing: Workers::new(HASH_THREADS, MAX_WAITING_HASHES),
        }
    }

    /// Verifies a password that is given for a name. `user` is the user of this name, if
    /// there is one: all others take as long. `now` is the clock.
    ///
    /// It must run to its end, because the attempt counts as wrong until then.
    ///
    /// # Errors
    ///
    /// Fails if the password is wrong, or is not verified because of a lock.
    pub(super) async fn verify(
        &self,
        name: &str,
        user: Option<User>,
        password: Zeroizing<String>,
        client: IpAddr,
        now: impl Fn() -> Duration,
    ) -> Result<User, PasswordError> {
        let nobodys = PasswordHash::nobodys();
        // The proxies' addresses are resolved before, so every address is a client's.
        let address = connections::client(client, &[]).unwrap_or(client);
        let caller = Caller::new(Some(name.as_bytes()), &address.to_string());
        let subject = Subject {
            pin_set: ALL,
            limits: LIMITS,
            caller: &caller,
        };
        let charged = self.lockouts.lock().charge(&subject, 0, now());
        let charge = charged.map_err(|error| match error {
            ChargeError::Locked(lock) => PasswordError::Locked(lock),
            ChargeError::Busy => PasswordError::Busy,
        })?;
        let verified = self.hashing.run(move || {
            let hash = user.as_ref().map(|user| &user.password);
            let is_right = hash.unwrap_or(&nobodys).is_of(password.as_bytes());
            user.filter(|_| is_right)
        });
        let verified = match verified {
            Ok(verified) => verified.await.ok(),
            Err(_) => None,
        };
        let (result, outcome) = match verified {
            None => (AttemptResult::Void, Err(PasswordError::Busy)),
            Some(Some(user)) => (AttemptResult::Right(None), Ok(user)),
            Some(None) => (AttemptResult::Wrong, Err(PasswordError::Wrong)),
        };
        match self.lockouts.lock().settle(charge, result, now()) {
            Some(lock) if outcome.is_err() => Err(PasswordError::Locked(lock)),
            _ => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::users::{PasswordHash, Role};
    use std::cell::Cell;
    use std::future::Future;
    use std::sync::{mpsc, Arc};

    const START: Duration = Duration::from_secs(1_800_000_000);
    const RIGHT: &str = "correct horse";

    fn ada() -> User {
        User {
            name: "ada".to_owned(),
            role: Role::Admin,
            password: PasswordHash::make(RIGHT.as_bytes(), "ada").expect("a hash"),
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    /// Tries a password at a time.
    fn attempt(
        guard: &Guard,
        user: Option<&User>,
        (name, password, client): (&str, &str, &str),
        now: &Cell<Duration>,
    ) -> Result<(), PasswordError> {
        let client = client.parse().expect("an address");
        let password = Zeroizing::new(password.to_owned());
        let verified = guard.verify(name, user.cloned(), password, client, || now.get());
        block_on(verified).map(|_| ())
    }

    #[test]
    fn five_wrong_passwords_lock_name_and_address_for_30_minutes() {
        let (guard, ada, now) = (Guard::new(), ada(), Cell::new(START));
        let attempt = |name, password, client| {
            let user = (name == "ada").then_some(&ada);
            attempt(&guard, user, (name, password, client), &now)
        };
        for _ in 0..4 {
            assert_eq!(
                attempt("ada", "wrong", "192.0.2.1"),
                Err(PasswordError::Wrong)
            );
        }
        let fifth = attempt("ada", "wrong", "192.0.2.1");
        assert!(matches!(fifth, Err(PasswordError::Locked(_))));
        let right = attempt("ada", RIGHT, "192.0.2.1");
        assert!(matches!(right, Err(PasswordError::Locked(_))));
        // Another address and another name count for themselves.
        assert_eq!(attempt("ada", RIGHT, "192.0.2.2"), Ok(()));
        assert_eq!(
            attempt("bob", RIGHT, "192.0.2.1"),
            Err(PasswordError::Wrong)
        );
        now.set(START + MINUTE * 31);
        assert_eq!(attempt("ada", RIGHT, "192.0.2.1"), Ok(()));
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let (guard, ada, now) = (Guard::new(), ada(), Cell::new(START));
        for host in 1..=5 {
            let client = format!("2001:db8::{host}");
            let _ = attempt(&guard, Some(&ada), ("ada", "wrong", &client), &now);
        }
        let sixth = attempt(&guard, Some(&ada), ("ada", RIGHT, "2001:db8::6"), &now);
        assert!(matches!(sixth, Err(PasswordError::Locked(_))));
        let other = attempt(&guard, Some(&ada), ("ada", RIGHT, "2001:db8:0:1::6"), &now);
        assert_eq!(other, Ok(()));
    }

    #[test]
    fn hundred_wrong_passwords_lock_all_but_who_has_logged_in_before() {
        let (guard, ada, now) = (Guard::new(), ada(), Cell::new(START));
        assert_eq!(
            attempt(&guard, Some(&ada), ("ada", RIGHT, "192.0.2.1"), &now),
            Ok(())
        );
        // Charged and settled directly: hundred hashes take long.
        for at in 0..100 {
            let caller = Caller::new(Some(format!("u{at}").as_bytes()), "198.51.100.1");
            let subject = Subject {
                pin_set: ALL,
                limits: LIMITS,
                caller: &caller,
            };
            let mut lockouts = guard.lockouts.lock();
            let charge = lockouts.charge(&subject, 0, START).expect("charged");
            lockouts.settle(charge, AttemptResult::Wrong, START);
        }
        let other = attempt(&guard, Some(&ada), ("ada", RIGHT, "192.0.2.9"), &now);
        assert!(matches!(other, Err(PasswordError::Locked(_))));
        assert_eq!(
            attempt(&guard, Some(&ada), ("ada", RIGHT, "192.0.2.1"), &now),
            Ok(())
        );
    }

    #[test]
    fn log_in_beyond_two_hashes_and_the_queue_is_busy_and_not_counted() {
        let (guard, ada, now) = (Guard::new(), ada(), Cell::new(START));
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        let (running, runs) = mpsc::channel();
        for _ in 0..HASH_THREADS {
            let (blocked, running) = (Arc::clone(&blocked), running.clone());
            let job = move || {
                running.send(()).expect("a test that waits");
                let _ = blocked.lock().recv();
            };
            guard.hashing.spawn(job).expect("room");
        }
        for _ in 0..HASH_THREADS {
            runs.recv().expect("a job that runs");
        }
        while guard.hashing.spawn(|| ()).is_ok() {}
        let busy = |at| attempt(&guard, Some(&ada), ("ada", "wrong", at), &now);
        for _ in 0..10 {
            assert_eq!(busy("192.0.2.1"), Err(PasswordError::Busy));
        }
        drop(release);
        let right = || attempt(&guard, Some(&ada), ("ada", RIGHT, "192.0.2.1"), &now);
        // Until the queue has room again.
        while right() == Err(PasswordError::Busy) {
            std::thread::yield_now();
        }
        assert_eq!(right(), Ok(()));
    }
}
