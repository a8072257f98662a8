//! Prometheus metrics, in whatever order modules are loaded and unloaded.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{anyhow, ensure, Result};
use harness::{Builder, Pbx};

use super::{says, some, verify, PIN};
use crate::module::{mappings, use_count, OURS};
use crate::support::{eventually, on, Shell};

const THEIRS: &str = "res_prometheus.so";

/// Ours, once: the first line of each metric.
const METRIC_HEADS: [&str; 4] = [
    "# TYPE asterisk_authenticate_outcomes_total counter\n",
    "# TYPE asterisk_authenticate_entries_total counter\n",
    "# TYPE asterisk_authenticate_lockouts gauge\n",
    "# TYPE asterisk_authenticate_pinset_usable gauge\n",
];

/// With all that `res_prometheus` needs.
fn able() -> Builder {
    some()
        .pjsip()
        .file(
            "http.conf",
            "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n",
        )
        .file(
            "prometheus.conf",
            "[general]\nenabled = yes\nuri = metrics\n",
        )
}

pub(crate) fn loaded_at_boot() -> Builder {
    able().modules(&format!("load = {THEIRS}"))
}

/// What Prometheus gets; empty where nobody serves it.
pub(crate) fn scrape(pbx: &Pbx) -> Result<String> {
    const SCRAPE: &str = "import urllib.request, urllib.error\n\
        try: print(urllib.request.urlopen('http://127.0.0.1:8088/metrics').read().decode(), end='')\n\
        except urllib.error.HTTPError: pass";
    pbx.exec(&["python3", "-c", SCRAPE])
}

/// How often our part is in it.
fn times(metrics: &str) -> Result<usize> {
    let counts = METRIC_HEADS.map(|line| metrics.matches(line).count());
    ensure!(counts.iter().all(|count| *count == counts[0]), "{metrics}");
    Ok(counts[0])
}

pub(crate) fn has_metrics(pbx: &Pbx) -> Result<()> {
    eventually("our metrics", || Ok(times(&scrape(pbx)?)? == 1))
}

fn has_no_metrics(pbx: &Pbx) -> Result<()> {
    let metrics = scrape(pbx)?;
    says(&metrics, &["asterisk_core_uptime_seconds"])?;
    ensure!(times(&metrics)? == 0, "{metrics}");
    Ok(())
}

fn module(pbx: &Pbx, what: &str, module: &str) -> Result<()> {
    let printed = pbx.cli(&format!("module {what} {module}"))?;
    ensure!(!printed.contains("Unable to"), "{what} {module}: {printed}");
    Ok(())
}

/// Ours goes, wholly.
fn unload(pbx: &Pbx) -> Result<()> {
    let pid = pbx.pid()?;
    module(pbx, "unload", OURS)?;
    let mut shell = Shell::open(pbx)?;
    ensure!(mappings(pbx, &mut shell)? == 0, "still mapped");
    ensure!(pbx.pid()? == pid, "Asterisk has died");
    Ok(())
}

#[test]
fn prometheus_loaded_at_boot_gets_metrics() {
    on(loaded_at_boot(), |pbx| {
        has_metrics(pbx)?;
        let ami = pbx.manager()?;
        for _ in 0..2 {
            verify(&ami, "customers", "1", "5550101")?;
        }
        let metrics = scrape(pbx)?;
        says(
            &metrics,
            &[
                "asterisk_authenticate_outcomes_total{pinset=\"doors\",outcome=\"success\"} 0\n",
                "asterisk_authenticate_entries_total{pinset=\"doors\"} 0\n",
                "asterisk_authenticate_outcomes_total{pinset=\"customers\",outcome=\"failure\"} 1\n",
                "asterisk_authenticate_outcomes_total{pinset=\"customers\",outcome=\"locked\"} 1\n",
                "asterisk_authenticate_entries_total{pinset=\"customers\"} 2\n",
                "asterisk_authenticate_lockouts{pinset=\"customers\",kind=\"caller\"} 1\n",
                "asterisk_authenticate_lockouts{pinset=\"customers\",kind=\"account\"} 0\n",
                "asterisk_authenticate_lockouts{pinset=\"doors\",kind=\"pinset\"} 0\n",
            ],
        )?;
        ensure!(!metrics.contains(PIN), "{metrics}");
        unload(pbx)?;
        has_no_metrics(pbx)
    });
}

/// As often as modules are reloaded: once.
#[test]
fn prometheus_reload_registers_metrics_once() {
    on(loaded_at_boot(), |pbx| {
        has_metrics(pbx)?;
        for name in [THEIRS, OURS, OURS, THEIRS] {
            let printed = pbx.cli(&format!("module reload {name}"))?;
            ensure!(!printed.is_empty());
            ensure!(times(&scrape(pbx)?)? == 1, "{name}");
        }
        unload(pbx)?;
        has_no_metrics(pbx)?;
        module(pbx, "load", OURS)?;
        ensure!(times(&scrape(pbx)?)? == 1);
        Ok(())
    });
}

#[test]
fn missing_prometheus_is_no_error() {
    on(some(), |pbx| {
        let modules = pbx.cli("module show like prometheus")?;
        says(&modules, &["0 modules loaded"])?;
        module(pbx, "reload", OURS).ok();
        unload(pbx)?;
        module(pbx, "load", OURS)?;
        ensure!(use_count(&*pbx.manager()?)? == 0);
        let log = pbx.log()?;
        ensure!(!log.contains("prometheus"), "{log}");
        Ok(())
    });
}

/// Declined, its code is there and must not be called.
#[test]
fn declined_prometheus_is_not_called() {
    let conf = "[general]\nenabled = yes\nuri = metrics\nauth_username = a\n";
    let builder = loaded_at_boot().file("prometheus.conf", conf);
    on(builder, |pbx| {
        let modules = pbx.cli("module show like prometheus")?;
        says(&modules, &["Not Running"])?;
        ensure!(pbx.proc_maps()?.contains("res_prometheus"), "not mapped");
        pbx.cli(&format!("module reload {OURS}"))?;
        unload(pbx)?;
        module(pbx, "load", OURS)?;
        ensure!(use_count(&*pbx.manager()?)? == 0);
        // Repaired, it gets the metrics.
        pbx.write_file(
            "/etc/asterisk/prometheus.conf",
            "[general]\nenabled = yes\nuri = metrics\n",
        )?;
        pbx.cli(&format!("module unload {THEIRS}"))?;
        module(pbx, "load", THEIRS)?;
        pbx.cli(&format!("module reload {OURS}"))?;
        has_metrics(pbx)
    });
}

/// With the next reload of ours.
#[test]
fn prometheus_loaded_later_gets_metrics_at_reload() {
    on(able(), |pbx| {
        // Loaded at boot, ours looks for them once more, soon after it.
        module(pbx, "unload", OURS)?;
        module(pbx, "load", OURS)?;
        module(pbx, "load", THEIRS)?;
        has_no_metrics(pbx)?;
        pbx.cli(&format!("module reload {OURS}"))?;
        ensure!(times(&scrape(pbx)?)? == 1);
        unload(pbx)?;
        has_no_metrics(pbx)?;
        module(pbx, "unload", THEIRS)
    });
}

#[test]
fn prometheus_can_be_unloaded_and_loaded_again() {
    on(loaded_at_boot(), |pbx| {
        has_metrics(pbx)?;
        module(pbx, "unload", THEIRS)?;
        // The dynamic linker may keep it for us, and take it away with us, when
        // it runs again.
        let maps = pbx.proc_maps()?;
        ensure!(!maps.contains("res_prometheus"), "still mapped: {maps}");
        ensure!(scrape(pbx)?.is_empty());
        pbx.cli(&format!("module reload {OURS}"))?;
        module(pbx, "load", THEIRS)?;
        has_no_metrics(pbx)?;
        pbx.cli(&format!("module reload {OURS}"))?;
        ensure!(times(&scrape(pbx)?)? == 1);
        module(pbx, "unload", THEIRS)?;
        unload(pbx)?;
        module(pbx, "load", THEIRS)?;
        has_no_metrics(pbx)?;
        module(pbx, "load", OURS)?;
        ensure!(times(&scrape(pbx)?)? == 1);
        unload(pbx)?;
        module(pbx, "unload", THEIRS)
    });
}

/// Unloading ours in the middle of scrapes.
#[test]
fn unload_during_scrapes_does_not_crash() {
    const ROUNDS: usize = 20;
    on(loaded_at_boot(), |pbx| {
        has_metrics(pbx)?;
        let pid = pbx.pid()?;
        let over = AtomicBool::new(false);
        // One process scrapes again and again.
        const STORM: &str = "import urllib.request, urllib.error\n\
            for _ in range(50):\n\
            \x20   try: urllib.request.urlopen('http://127.0.0.1:8088/metrics').read()\n\
            \x20   except (urllib.error.URLError, OSError): pass";
        let storm = || -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                pbx.exec(&["python3", "-c", STORM])?;
            }
            Ok(())
        };
        std::thread::scope(|scope| -> Result<()> {
            let scraping = scope.spawn(storm);
            let unload_and_load = || -> Result<()> {
                for _ in 0..ROUNDS {
                    module(pbx, "unload", OURS)?;
                    module(pbx, "load", OURS)?;
                }
                Ok(())
            };
            let rounds = unload_and_load();
            over.store(true, Ordering::Relaxed);
            scraping.join().map_err(|_| anyhow!("panicked"))??;
            rounds
        })?;
        ensure!(pbx.pid()? == pid, "Asterisk has died");
        has_metrics(pbx)
    });
}

#[test]
fn pin_set_that_admits_nobody_has_gauge_zero() {
    on(loaded_at_boot(), |pbx| {
        has_metrics(pbx)?;
        let metrics = scrape(pbx)?;
        for (name, usable) in [("customers", 1), ("doors", 1), ("wrong", 0)] {
            let line =
                format!("asterisk_authenticate_pinset_usable{{pinset=\"{name}\"}} {usable}\n");
            says(&metrics, &[&line])?;
        }
        // Without numbers, 'callers' admits nobody.
        pbx.pin_file("customers.csv", "account,secret\nada,plain:7351937519\n")?;
        pbx.cli(&format!("module reload {OURS}"))?;
        says(
            &scrape(pbx)?,
            &[
                "asterisk_authenticate_pinset_usable{pinset=\"callers\"} 0\n",
                "asterisk_authenticate_pinset_usable{pinset=\"customers\"} 1\n",
            ],
        )
    });
}
