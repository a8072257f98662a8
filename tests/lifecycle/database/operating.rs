//! The state of the database: command line, AMI, events, Prometheus.

use std::time::Duration;

use anyhow::{ensure, Result};

use super::{add, asterisk_of, is, server, verify, CONF, KEY};
use crate::operate::prometheus::{has_metrics, loaded_at_boot, scrape};
use crate::pin_sets::made::hex;
use crate::pin_sets::{is_logged, on};
use crate::support::{eventually, UNLIMITED};

/// With another key right PINs would be wrong, and lock their callers out.
#[test]
fn other_pepper_key_of_the_same_id_is_refused() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    let builder = || asterisk_of(&server, crate::pin_sets::with(CONF));
    let one = builder().start()?;
    is(&one, "customers", "1234", "SUCCESS")?;
    let other = format!("k2:{}\nk1:{}\n", hex(&KEY), hex(&[0x5b; 32]));
    let other = builder().pin_file_of_mode("pepper", other, 0o600);
    on(other, |pbx| {
        is(pbx, "customers", "1234", "ERROR")?;
        is_logged(
            pbx,
            &["key 'k1' of the pepper file is another than the one"],
        )?;
        is(pbx, "doors", "7777", "SUCCESS")?;
        // Nor is its other key noted.
        let right = format!("k2:{}\nk1:{}\n", hex(&[0x5c; 32]), hex(&KEY));
        pbx.write_file("/pins/pepper", right)?;
        pbx.exec(&["chmod", "600", "/pins/pepper"])?;
        pbx.cli("module reload app_authenticate_rs.so")?;
        eventually("admitted", || {
            Ok(verify(pbx, "customers", "1234")?.has("Status", "SUCCESS"))
        })
    });
    is(&one, "customers", "1234", "SUCCESS")
}

#[test]
fn outage_is_shown_and_reported() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    let builder = loaded_at_boot().file("authenticate.conf", format!("{CONF}{UNLIMITED}"));
    on(asterisk_of(&server, builder), |pbx| {
        let ami = pbx.ami()?;
        let events = ami.events();
        let limit = Duration::from_secs(20);
        is(pbx, "customers", "1234", "SUCCESS")?;
        let state = ami.action("AuthenticateDatabase", &[])?;
        for (field, value) in [
            ("Reached", "yes"),
            ("Role", "primary"),
            ("Reason", ""),
            ("Failed", "0"),
            ("MaxConnections", "4"),
        ] {
            ensure!(state.has(field, value), "{field}: {state:?}");
        }
        let latency: u32 = state.get("P99Microseconds").unwrap_or_default().parse()?;
        ensure!(latency > 0, "{state:?}");
        let shown = pbx.cli("authenticate show database")?;
        for part in ["Role: primary\n", "Latest answers: ", " ms, 99 % within "] {
            ensure!(shown.contains(part), "{shown}");
        }
        has_metrics(pbx)?;
        let metrics = scrape(pbx)?;
        for line in [
            "asterisk_authenticate_database_up 1\n",
            "asterisk_authenticate_database_latency_seconds{quantile=\"0.99\"} 0.",
            "asterisk_authenticate_database_failures_total 0\n",
            "asterisk_authenticate_lockouts{pinset=\"customers\",kind=\"caller\"} 0\n",
        ] {
            ensure!(metrics.contains(line), "{line}: {metrics}");
        }

        server.kill9()?;
        is(pbx, "customers", "1234", "ERROR")?;
        let lost = events.wait("the loss", limit, |frame| {
            frame.event() == Some("AuthenticateDatabaseLost")
        })?;
        ensure!(lost.has("Privilege", "security,all"), "{lost:?}");
        ensure!(!lost.get("Reason").unwrap_or_default().is_empty());
        let state = ami.action("AuthenticateDatabase", &[])?;
        ensure!(state.has("Reached", "no"), "{state:?}");
        let pin_sets = ami.list("AuthenticatePinsets", &[])?;
        for (name, usable, reason) in [
            ("customers", "no", "the database can't be reached: "),
            ("doors", "yes", "ok"),
        ] {
            let set = pin_sets.iter().find(|set| set.has("PinSet", name));
            let state = set.and_then(|set| set.get("State")).unwrap_or_default();
            ensure!(
                set.is_some_and(|set| set.has("Usable", usable)) && state.starts_with(reason),
                "{set:?}"
            );
        }
        let metrics = scrape(pbx)?;
        ensure!(metrics.contains("asterisk_authenticate_database_up 0\n"));
        // Not known, so not 0.
        let unknown = "asterisk_authenticate_lockouts{pinset=\"customers\"";
        ensure!(!metrics.contains(unknown), "{metrics}");
        ensure!(metrics.contains("asterisk_authenticate_lockouts{pinset=\"doors\""));

        server.start_again()?;
        eventually("admitted", || {
            Ok(verify(pbx, "customers", "1234")?.has("Status", "SUCCESS"))
        })?;
        let reached = events.wait("the return", limit, |frame| {
            frame.event() == Some("AuthenticateDatabaseReached")
        })?;
        ensure!(reached.has("Server", "/database:5432"), "{reached:?}");
        Ok(())
    });
    Ok(())
}
