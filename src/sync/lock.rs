//! Locks that survive a panic.
//!
//! They are `std`'s, on threads of Asterisk and on our own: parking_lot's keep
//! thread-locals with destructors on each thread that has waited for one, and such a
//! destructor keeps the library mapped after an unload for as long as the thread
//! lives, which for a thread of Asterisk's is for ever.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// Takes a lock. What a thread that panicked has left under it is used as it is:
/// its call was refused, and the others go on.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a lock as [`lock`] does, if no other thread holds it.
pub(crate) fn try_lock<T: ?Sized>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Waits, without the lock, while `condition` holds, for at most `timeout`. Returns
/// the lock, and whether the time was up first.
pub(crate) fn wait_while<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
    condition: impl FnMut(&mut T) -> bool,
) -> (MutexGuard<'a, T>, bool) {
    let (guard, waited) = condvar
        .wait_timeout_while(guard, timeout, condition)
        .unwrap_or_else(PoisonError::into_inner);
    (guard, waited.timed_out())
}
