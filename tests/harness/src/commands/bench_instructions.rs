//! `harness bench-instructions`: how many instructions Asterisk executes for a call, by
//! callgrind. That does not depend on what else the machine does.

use anyhow::{ensure, Context, Result};
use harness::{Call, Module, Outcome, Pbx};

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Calls that are counted.
    #[arg(long, default_value_t = 40)]
    calls: u32,
}

/// Where callgrind writes how many it has counted.
const COUNTED: &str = "/var/log/asterisk/counted";

/// Calls before those that are counted, for what is made at the first ones.
const WARM_UP: u32 = 5;

const PIN: &str = "1234";

/// The same prompts and digits without a verification.
const READ: &str = "[bench]\n\
    exten => read,1,Answer()\n \
    same => n,Read(DIGITS,agent-pass,4,,1,10)\n \
    same => n,Playback(auth-thankyou)\n \
    same => n,Set(AUTHENTICATED=1)\n \
    same => n,Hangup()\n";

/// What a caller's PIN is compared with: a name, and the arguments of `Authenticate`.
const LISTS: &[(&str, &str)] = &[
    ("literal", PIN),
    ("astdb family", "/pin,d"),
    ("plain, 10 lines", "/pins/plain"),
    ("md5, 10 lines", "/pins/md5,m"),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    println!("Instructions of Asterisk for a call, in thousands:");
    println!(
        "{:<18} {:>9} {:>9} {:>11} {:>22}",
        "", "stock", "ours", "ours/stock", "more than Read, both"
    );
    let read = counted(Module::Theirs, None, arguments.calls)?;
    println!("{:<18} {read:>9.0}", "Read");
    for (name, args) in LISTS {
        let [stock, ours] = [Module::Theirs, Module::Ours]
            .map(|module| counted(module, Some(args), arguments.calls));
        let (stock, ours) = (stock?, ours?);
        println!(
            "{name:<18} {stock:>9.0} {ours:>9.0} {:>11.3} {:>11.0} {:>10.0}",
            ours / stock,
            stock - read,
            ours - read
        );
    }
    Ok(())
}

/// Returns the thousands of instructions of a call: those of two Asterisks with different
/// numbers of calls, and nothing else different.
fn counted(module: Module, args: Option<&str>, calls: u32) -> Result<f64> {
    let few = session(module, args, WARM_UP)?;
    let many = session(module, args, WARM_UP + calls)?;
    Ok((many as f64 - few as f64) / f64::from(calls) / 1000.0)
}

/// Returns the instructions of an Asterisk from start to end.
fn session(module: Module, args: Option<&str>, calls: u32) -> Result<u64> {
    let lines: String = (0..9).map(|line| format!("{line}0000\n")).collect();
    let md5: String = (0..9)
        .map(|line| format!("user{line}:{line:032x}\n"))
        .collect();
    let pbx = Pbx::builder()
        .module(module)
        .dialplan(READ)
        .pin_file("plain", format!("{lines}{PIN}\n"))
        .pin_file(
            "md5",
            format!("{md5}alice:81dc9bdb52d04dc20036dbd8313ed055\n"),
        )
        .environment(
            "ASTERISK_UNDER",
            &format!(
                "valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file={COUNTED}"
            ),
        )
        .start()?;
    pbx.db_put("pin", PIN, "1")?;
    let call = match args {
        Some(args) => Call::new(args).keys(&format!("{PIN}#")),
        None => Call::to("bench", "read").application("Read").keys(PIN),
    };
    for _ in 0..calls {
        let report = pbx.call(&call)?;
        let is_right = args.is_none() || report.outcome == Outcome::Passed;
        ensure!(is_right, "a call failed: {report:#?}");
    }
    pbx.stop()?;
    let log = pbx.exec(&["cat", COUNTED])?;
    let collected = log
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    let collected = collected.with_context(|| format!("callgrind has counted nothing: {log}"))?;
    Ok(collected.trim().parse()?)
}
