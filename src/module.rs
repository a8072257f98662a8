//! Load, unload and reload of the module, called by the C shim.

use std::ffi::c_int;
use std::time::Duration;

use pinset::asterisk_version;

use crate::asterisk::dialplan::Application;
use crate::asterisk::log::log;
use crate::asterisk::modules::{DECLINED, LOADED};
use crate::asterisk::panic::{guard, register_panic_hook, unregister_panic_hook};
use crate::asterisk::{
    dialplan, function, in_flight, log as logger, log_level, playback, process, thread_pool,
};
use crate::auth::{application, astdb_rows, slow_hash, source_check, url_prompt, verify};
use crate::state::{audit, lockouts, stats, use_ledger};
use crate::work_queue;
use crate::{admin, config, database, external, http, pin_files, realtime, version};

/// How long an unload waits for running work, and for the database.
const WORK_TIMEOUT: Duration = Duration::from_secs(1);

/// Loads the module. If anything is wrong, it declines: a failure at boot would end
/// Asterisk. The application is registered last, so that nothing is left of a load that
/// failed.
#[no_mangle]
extern "C" fn authrs_load() -> c_int {
    register_panic_hook();
    let loaded = guard(false, || {
        if !fits() || is_taken() {
            return false;
        }
        register_log_level();
        load_config();
        use_ledger::start();
        lockouts::start();
        process::register_at_exit(shutdown_state);
        register()
            && dialplan::register(Application {
                run: application::authenticate,
                start_url: url_prompt::start,
            })
    });
    if loaded {
        guard((), admin::start_metrics);
        LOADED
    } else {
        guard((), clear);
        DECLINED
    }
}

/// Writes the lockouts before an unload, on a thread of ours: a disk that hangs must not
/// hang the unload, which holds Asterisk's lock on its modules. Returns whether they are
/// written.
fn write_lockouts() -> bool {
    if !thread_pool::start_unheld(lockouts::write) {
        log!(Warning, "not unloaded: no thread to write the lockouts");
        return false;
    }
    let written = thread_pool::are_idle(WORK_TIMEOUT);
    if !written {
        log!(
            Warning,
            "not unloaded: Asterisk's database has not answered within {} s",
            WORK_TIMEOUT.as_secs()
        );
    }
    written
}

/// Waits for the work of our threads. Returns false if it lasts too long.
fn work_has_ended() -> bool {
    let ended = thread_pool::are_idle(WORK_TIMEOUT);
    if !ended {
        match realtime::busy() {
            Some((family, time)) => log!(
                Warning,
                "not unloaded: the driver of realtime:{family} has not returned for {} s, and \
                 can't be interrupted: try again once it has",
                time.as_secs()
            ),
            None => log!(
                Warning,
                "not unloaded: work in progress has not ended within {} s",
                WORK_TIMEOUT.as_secs()
            ),
        }
    }
    ended
}

/// Stops the use ledger, and writes the lockouts.
fn shutdown_state() {
    use_ledger::shutdown();
    lockouts::shutdown();
}

/// Registers all but the application.
fn register() -> bool {
    function::register(verify::verify) && admin::register()
}

/// Reads the configuration, and puts in force what has no errors.
fn load_config() {
    let mut draft = config::read();
    source_check::check(&mut draft);
    config::put(draft);
    database::sync(&config::current());
    external::sync(&config::current());
}

/// Reads the configuration again. Returns false if it has errors, or a PIN set can't use
/// its source: the old one stays in force.
fn reload_config() -> bool {
    let mut draft = config::read();
    source_check::check(&mut draft);
    let replaced = config::replace(draft);
    if replaced {
        database::sync(&config::current());
        external::sync(&config::current());
    }
    replaced
}

/// Registers the log level for call outcomes.
fn register_log_level() {
    if !log_level::register() {
        log!(
            Warning,
            "Asterisk has no log level to spare for AUTHENTICATE: call outcomes are logged as \
             NOTICE"
        );
    }
}

/// Returns whether this Asterisk has the version we were built for.
fn fits() -> bool {
    let built_for = version::built_for().unwrap_or_default();
    let mismatch = asterisk_version::mismatch(built_for, &process::version());
    if let Some(reason) = &mismatch {
        log!(Error, "not loaded: {reason}");
    }
    mismatch.is_none()
}

fn is_taken() -> bool {
    let taken = dialplan::is_taken();
    if taken {
        log!(
            Error,
            "not loaded: another module has registered Authenticate; put 'noload = \
             app_authenticate.so' into modules.conf"
        );
    }
    taken
}

/// Unloads the module, unless a call is in flight or a download runs.
#[no_mangle]
extern "C" fn authrs_unload() -> c_int {
    guard(-1, || {
        let Some(_quiet) = admin::hold_off() else {
            return -1;
        };
        let _none_due = work_queue::hold_off();
        if in_flight::any() {
            return -1;
        }
        let _no_hangups = external::hold_off_hangups();
        if !database::stop() || !work_has_ended() || !write_lockouts() {
            return -1;
        }
        // First, so that `dialplan::unregister` also waits for calls that have found it.
        function::unregister();
        if !admin::unregister() || !dialplan::unregister() {
            register();
            return -1;
        }
        clear();
        0
    })
}

/// Frees everything: no thread, no memory and no hook may be left behind.
fn clear() {
    function::unregister();
    admin::unregister();
    admin::shutdown_metrics();
    process::unregister_at_exit();
    shutdown_state();
    external::shutdown();
    database::stop();
    http::close_connections();
    thread_pool::join_all();
    external::clear();
    database::clear();
    realtime::clear();
    slow_hash::clear();
    astdb_rows::clear();
    use_ledger::clear();
    lockouts::clear();
    audit::clear();
    pin_files::clear();
    process::clear_account();
    config::clear();
    playback::clear();
    stats::clear();
    logger::clear();
    log_level::unregister();
    unregister_panic_hook();
}

/// Reloads the module: reads the configuration again, fails if it has errors, and clears
/// the cache of PIN files. What was logged once may be logged again.
#[no_mangle]
extern "C" fn authrs_reload() -> c_int {
    guard(-1, || {
        playback::clear();
        logger::clear();
        register_log_level();
        pin_files::clear();
        admin::start_metrics();
        if reload_config() {
            0
        } else {
            -1
        }
    })
}
