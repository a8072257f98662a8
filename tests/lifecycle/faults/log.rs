//! A disk that fails under the audit log.

use anyhow::{ensure, Result};
use harness::{Call, Module, Pbx};

use crate::lists::mount::Mount;
use crate::support::{eventually, on};

/// Where the audit log is.
const FOLDER: &str = "/mnt/log";
const LOGGER: &str = "[general]\n\
    dateformat = %F %T.%3q\n\
    [logfiles]\n\
    full => notice,warning,error,verbose(5),debug,security\n\
    /mnt/log/authenticate.log => authenticate\n";

const ERRORS: [&str; 3] = ["EIO", "ENOSPC", "EROFS"];

/// A call, which has one event of its outcome; returns its unique id.
fn call(pbx: &Pbx, keys: &str, event: &str) -> Result<String> {
    let report = pbx.call(&Call::new("1234,q,4,&").keys(keys))?;
    let events = report.events_named(event).count();
    ensure!(events == 1, "{events} events {event}: {report:#?}");
    Ok(report.channel)
}

/// Whether the log has the outcome of a call.
fn is_logged(pbx: &Pbx, unique_id: &str) -> Result<bool> {
    let log = pbx.exec(&["cat", "/mnt/log/authenticate.log"])?;
    Ok(log.contains(&format!("UniqueID=\"{unique_id}\"")))
}

/// Lines that Asterisk could not write are lost, and neither calls nor their events are. The
/// log goes on as soon as the disk works.
#[test]
fn failing_log_loses_neither_calls_nor_events() {
    on(Pbx::builder().module(Module::Ours).file_systems(), |pbx| {
        let mut mount = Mount::at(pbx, FOLDER)?;
        pbx.write_file("/etc/asterisk/logger.conf", LOGGER)?;
        pbx.cli("logger reload")?;
        for error in ERRORS {
            mount.fail("write", error)?;
            let lost = call(pbx, "<now>1234", "AuthenticateSuccess")?;
            call(pbx, "<now>0000 1111 2222", "AuthenticateFailure")?;
            call(pbx, "<now>0000<hangup>", "AuthenticateFailure")?;
            mount.go()?;
            let after = call(pbx, "<now>1234", "AuthenticateSuccess")?;
            eventually("a line", || is_logged(pbx, &after))?;
            ensure!(!is_logged(pbx, &lost)?, "{error}: the log did not fail");
        }
        Ok(())
    });
}
