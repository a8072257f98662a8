//! Lockouts that hold on all PBXs.

use std::sync::Barrier;
use std::thread;

use anyhow::{anyhow, ensure, Result};
use harness::{Builder, Pbx, Postgres};

use super::{add, asterisk_of, server, verify, verify_with, CONF};
use crate::pin_sets::{is_logged, on, with_lockouts};
use crate::support::eventually;

/// Five wrong entries lock a caller, three an account, twenty a PIN set.
fn limited(server: &Postgres) -> Builder {
    let limits = "lockout_caller = 5/15m/30m\nlockout_account = 3/15m/30m\n\
                  lockout_pinset = 20/15m/30m\n";
    let conf = CONF.replace("[general]\n", &format!("[general]\n{limits}"));
    asterisk_of(server, with_lockouts(&conf))
}

fn status(pbx: &Pbx, pin_set: &str, pin: &str, more: &[(&str, &str)]) -> Result<String> {
    let answer = verify_with(pbx, pin_set, pin, more)?;
    Ok(answer.get("Status").unwrap_or_default().to_owned())
}

fn are(pbx: &Pbx, pin_set: &str, pins: &[(&str, &str)]) -> Result<()> {
    for (pin, expected) in pins {
        let status = status(pbx, pin_set, pin, &[])?;
        ensure!(status == *expected, "{pin}: {status}, not {expected}");
    }
    Ok(())
}

fn shown(pbx: &Pbx) -> Result<String> {
    pbx.cli("authenticate show lockouts")
}

#[test]
fn wrong_entries_on_two_pbxs_lock_on_both_until_one_unlocks() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    let builder = || limited(&server);
    let (one, other) = (builder().start()?, builder().start()?);
    are(&one, "customers", &[("0000", "FAILURE"); 3])?;
    are(
        &other,
        "customers",
        &[("0000", "FAILURE"), ("0000", "LOCKED")],
    )?;
    for pbx in [&one, &other] {
        are(pbx, "customers", &[("1234", "LOCKED")])?;
        let shown = shown(pbx)?;
        ensure!(
            shown.contains("customers") && shown.contains("caller"),
            "{shown}"
        );
        // Each PIN set counts for itself, and those of files on each PBX.
        are(pbx, "doors", &[("7777", "SUCCESS")])?;
    }
    let unlocked = other.cli("authenticate unlock caller 1")?;
    ensure!(unlocked.contains("unlocked"), "{unlocked}");
    are(&one, "customers", &[("1234", "SUCCESS")])?;
    ensure!(!shown(&one)?.contains("customers"), "{}", shown(&one)?);
    // From the beginning.
    are(&one, "customers", &[("0000", "FAILURE"); 4])?;
    are(&one, "customers", &[("0000", "LOCKED")])?;
    Ok(())
}

/// However many guess at once on however many PBXs.
#[test]
fn guesses_at_once_are_never_more_than_the_limit() -> Result<()> {
    const EACH: usize = 8;
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    let builder = || limited(&server);
    let pbxs = [builder().start()?, builder().start()?];
    let barrier = Barrier::new(2 * EACH);
    let statuses: Vec<String> = thread::scope(|scope| {
        let tries: Vec<_> = (0..2 * EACH)
            .map(|at| (&pbxs[at % 2], format!("000{}", at % 10)))
            .map(|(pbx, pin)| {
                let barrier = &barrier;
                scope.spawn(move || -> Result<String> {
                    let ami = pbx.ami()?;
                    barrier.wait();
                    let headers = [("PinSet", "customers"), ("Secret", &*pin), ("Caller", "1")];
                    let answer = ami.action("AuthenticateVerify", &headers)?;
                    Ok(answer.get("Status").unwrap_or_default().to_owned())
                })
            })
            .collect();
        let ends = tries.into_iter().map(thread::ScopedJoinHandle::join);
        ends.map(|end| end.map_err(|_| anyhow!("a try has panicked"))?)
            .collect::<Result<_>>()
    })?;
    let wrong = statuses
        .iter()
        .filter(|status| *status == "FAILURE")
        .count();
    let locked = statuses.iter().filter(|status| *status == "LOCKED").count();
    // The fifth is wrong, and says that the caller is locked.
    ensure!((wrong, locked) == (4, 2 * EACH - 4), "{statuses:?}");
    let counted = server.sql("SELECT locks, flying FROM pinset_lockouts WHERE kind = 'c'")?;
    ensure!(counted == "1|{}", "{counted}");
    Ok(())
}

/// As many as an attack leaves behind: they are counted by the database, and shown in part.
#[test]
fn many_lockouts_are_counted_and_shown_in_part() -> Result<()> {
    const MANY: usize = 10_500;
    let server = server()?;
    server.sql(&format!(
        "INSERT INTO pinset_lockouts \
         (pinset, kind, key, name, endpoint, failures, trusted_failures, locked_until, locks) \
         SELECT 'customers', 'c', decode(md5(n::text), 'hex'), n::text, 'PJSIP/trunk', \
         ROW('{{}}', '{{}}')::pinset_failures, ROW('{{}}', '{{}}')::pinset_failures, \
         now() + interval '1 hour', 1 FROM generate_series(1, {MANY}) AS n"
    ))?;
    let builder = crate::operate::prometheus::loaded_at_boot();
    let builder = builder.file("authenticate.conf", CONF);
    on(super::asterisk_of(&server, builder), |pbx| {
        let shown = shown(pbx)?;
        ensure!(shown.contains("10000 lockouts\n"), "{}", shown.len());
        let more = "and 500 more: AuthenticateLockouts lists them\n";
        ensure!(shown.ends_with(more), "{}", &shown[shown.len() - 200..]);
        let ami = pbx.manager()?;
        let listed = ami.list("AuthenticateLockouts", &[])?;
        ensure!(listed.len() == 10_000, "{}", listed.len());
        let last = listed.iter().filter_map(|lock| lock.get("Key")).max();
        let after = [("After", last.unwrap_or_default())];
        ensure!(ami.list("AuthenticateLockouts", &after)?.len() == MANY - 10_000);
        let pin_sets = ami.list("AuthenticatePinsets", &[])?;
        let customers = pin_sets.iter().find(|set| set.has("PinSet", "customers"));
        ensure!(
            customers.is_some_and(|set| set.has("Lockouts", &MANY.to_string())),
            "{customers:?}"
        );
        let metric = format!(
            "asterisk_authenticate_lockouts{{pinset=\"customers\",kind=\"caller\"}} {MANY}\n"
        );
        eventually("the metric", || {
            Ok(crate::operate::prometheus::scrape(pbx)?.contains(&metric))
        })
    });
    Ok(())
}

/// A PBX that fails between an entry and its result has made a wrong entry, a minute later.
#[test]
fn entries_of_a_pbx_that_has_failed_count_as_wrong() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    on(limited(&server), |pbx| {
        are(pbx, "customers", &[("0000", "FAILURE")])?;
        let flying = "UPDATE pinset_lockouts SET flying = \
                      ARRAY(SELECT now() - make_interval(secs => 57) + n * interval '1 us' \
                      FROM generate_series(1, 3) AS n) WHERE kind = 'c'";
        server.sql(flying)?;
        // One is left, and three count from their minute on.
        eventually("they count", || {
            let left = "SELECT cardinality(flying) FROM pinset_lockouts WHERE kind = 'c'";
            are(pbx, "customers", &[("1234", "SUCCESS")])?;
            Ok(server.sql(left)? == "0")
        })?;
        are(pbx, "customers", &[("0000", "LOCKED"), ("1234", "LOCKED")])
    });
    Ok(())
}

#[test]
fn account_is_locked_on_all_pbxs_but_for_trusted_callers() -> Result<()> {
    let server = server()?;
    add(&server, "people", "ada", "1234", "")?;
    let builder = || limited(&server);
    let (one, other) = (builder().start()?, builder().start()?);
    let by = |pbx: &Pbx, caller: &str, account: &str, pin: &str| {
        let headers = [
            ("PinSet", "by-account"),
            ("Secret", pin),
            ("Caller", caller),
            ("Account", account),
        ];
        let answer = pbx.manager()?.action("AuthenticateVerify", &headers)?;
        Ok::<_, anyhow::Error>(answer.get("Status").unwrap_or_default().to_owned())
    };
    ensure!(by(&one, "5550101", "ada", "1234")? == "SUCCESS");
    ensure!(by(&one, "1", "ada", "0000")? == "FAILURE");
    ensure!(by(&other, "2", "ada", "0000")? == "FAILURE");
    ensure!(by(&one, "3", "ada", "0000")? == "LOCKED");
    ensure!(by(&other, "4", "ada", "1234")? == "LOCKED");
    ensure!(by(&other, "5550101", "ada", "1234")? == "SUCCESS");
    // One that is in no list is locked as well, and shown and stored nowhere.
    for (pbx, expected) in [(&one, "FAILURE"), (&other, "FAILURE"), (&one, "LOCKED")] {
        let status = by(pbx, "9", "4711", "0000")?;
        ensure!(status == expected, "{status}, not {expected}");
    }
    let stored = server.sql("SELECT count(*) FROM pinset_lockouts WHERE name = '4711'")?;
    ensure!(stored == "0", "{stored}");
    ensure!(!shown(&one)?.contains("4711"), "{}", shown(&one)?);
    let unlocked = one.cli("authenticate unlock account 4711")?;
    ensure!(unlocked.contains("unlocked"), "{unlocked}");
    ensure!(by(&other, "8", "4711", "0000")? == "FAILURE");
    Ok(())
}

/// What is counted outlives each PBX, and a database that does not answer counts nothing.
#[test]
fn database_that_does_not_answer_counts_nothing() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    on(limited(&server), |pbx| {
        are(pbx, "customers", &[("0000", "FAILURE"); 4])?;
        // Counts are on disk within moments; a commit that is waited for writes them now.
        server.sql("CREATE TABLE written ()")?;
        server.kill9()?;
        are(pbx, "customers", &[("1234", "ERROR"), ("0000", "ERROR")])?;
        let shown = shown(pbx)?;
        let why = "the lockouts of PIN sets in the database are not known";
        ensure!(shown.contains(why), "{shown}");
        let of_doors = pbx.cli("authenticate show lockouts doors")?;
        ensure!(!of_doors.contains(why), "{of_doors}");
        server.start_again()?;
        eventually("admitted", || {
            Ok(verify(pbx, "customers", "1234")?.has("Status", "SUCCESS"))
        })?;
        pbx.stop()?;
        pbx.start_again()?;
        are(pbx, "customers", &[("0000", "LOCKED")])?;
        is_logged(pbx, &["PIN set 'customers' admits nobody", "database"])
    });
    Ok(())
}
