//! The lockouts in the database are those in memory: random attempts, and both say the same.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::Postgres;
use libpq::{Connection, ConnectionString, Library, Query, Reply, Statement};
use pinset::config::Lockout;
use pinset::database::Request;
use pinset::lockout::stored::{self, StoredCharge};
use pinset::lockout::{
    stored_admin, Account, AttemptResult, Caller, Capacity, Charge, ChargeError, Held, Limits,
    Lockouts, Subject, Unlock,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const PIN_SET: &str = "customers";

/// Attempts in flight for longer count as wrong in the database.
const MAX_FLIGHT: Duration = Duration::from_secs(59);

/// The functions take the time from a table.
const CLOCK: &str = "
CREATE TABLE test_clock (t timestamptz NOT NULL);
INSERT INTO test_clock VALUES ('epoch');
CREATE OR REPLACE FUNCTION pinset_now() RETURNS timestamptz LANGUAGE sql VOLATILE
AS 'SELECT t FROM test_clock';
";

const SET_CLOCK: Statement = Statement {
    name: c"set_clock",
    sql: c"UPDATE test_clock SET t = 'epoch'::timestamptz + $1::bigint * interval '1 ms'",
};

const CLEAR: Statement = Statement {
    name: c"clear",
    sql: c"WITH a AS (DELETE FROM pinset_trusted) DELETE FROM pinset_lockouts",
};

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Look(usize),
    Charge(usize, u32),
    /// Wrong entries, one after the other, with these pauses.
    Burst(usize, Vec<u64>),
    Accounts(usize, Vec<usize>),
    Settle(usize, Outcome),
    Unlock(usize),
    Purge,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Right(usize),
    Wrong,
    Void,
}

const ACCOUNTS: [(&str, bool); 5] = [
    ("ada", true),
    ("b\"o\\b,{}", true),
    ("NULL", true),
    ("4711", false),
    // It is in the list meanwhile.
    ("4711", true),
];

fn step() -> impl Strategy<Value = Step> {
    let waits = prop_oneof![
        4 => 0..50_000_u64,
        2 => prop::sample::select(vec![60_000, 599_999, 600_000, 600_001, 1_800_000]),
        1 => prop::sample::select(vec![86_400_000, 90_000_000, 2_592_000_000, 2_700_000_000]),
    ];
    let outcome = prop_oneof![
        1 => (0..ACCOUNTS.len()).prop_map(Outcome::Right),
        4 => Just(Outcome::Wrong),
        1 => Just(Outcome::Void),
    ];
    prop_oneof![
        3 => waits.prop_map(Step::Wait),
        1 => (0..3_usize).prop_map(Step::Look),
        8 => (0..3_usize, 0..2_u32).prop_map(|(who, tries)| Step::Charge(who, tries)),
        1 => (0..3_usize, prop::collection::vec(0..5_000_u64, 1..60))
            .prop_map(|(who, pauses)| Step::Burst(who, pauses)),
        6 => (0..4_usize, prop::collection::vec(0..ACCOUNTS.len(), 1..3))
            .prop_map(|(which, accounts)| Step::Accounts(which, accounts)),
        10 => (0..4_usize, outcome).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        1 => (0..9_usize).prop_map(Step::Unlock),
        1 => Just(Step::Purge),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let lockout = || {
        let parts = (
            prop::sample::select(vec![1_u32, 2, 3, 5, 200]),
            prop::sample::select(vec![60_u64, 600, 2_592_000]),
            prop::sample::select(vec![1_u64, 120, 1800, 86_400]),
        );
        prop::option::weighted(0.85, parts).prop_map(|parts| {
            parts.map(|(failures, window, lock)| Lockout {
                failures,
                window: Duration::from_secs(window),
                lock: Duration::from_secs(lock),
            })
        })
    };
    (lockout(), lockout(), lockout()).prop_map(|(caller, account, pin_set)| Limits {
        caller,
        account,
        pin_set,
    })
}

/// The database, with a clock of the test's.
struct Database(Connection);

impl Database {
    fn open(server: &Postgres) -> Result<Self> {
        server.sql(CLOCK)?;
        let library = Library::load()?;
        let folder = server.folder().to_string_lossy();
        let string = format!("host={folder} user=postgres dbname=postgres");
        let string = ConnectionString::parse(&library, string.as_bytes())?;
        let mut connection = Connection::open(&library, &string, &[])?;
        for statement in pinset::database::STATEMENTS
            .iter()
            .chain([&SET_CLOCK, &CLEAR])
        {
            let deadline = Instant::now() + Duration::from_secs(30);
            connection.prepare(statement, deadline, None)??;
        }
        Ok(Self(connection))
    }

    fn run(&mut self, request: Request) -> Result<Reply> {
        let query = Query {
            statement: request.statement,
            parameters: &request.parameters,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        Ok(self.0.run(&query, deadline, None)??)
    }

    fn run_plain(&mut self, statement: &'static Statement, parameter: Option<u128>) -> Result<()> {
        let text = |number: u128| std::ffi::CString::new(number.to_string());
        let parameters = parameter.map(|number| text(number).map(|text| Some(text.into())));
        let parameters = parameters.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.run(Request {
            statement,
            parameters,
        })
        .map(drop)
    }
}

/// An attempt in flight in both.
struct Flight {
    caller: usize,
    begun: Duration,
    own: Charge,
    stored: StoredCharge,
}

struct Both<'a> {
    own: Lockouts,
    stored: &'a mut Database,
    limits: Limits,
    callers: [Caller; 3],
    now: Duration,
    flights: Vec<Flight>,
}

fn caller(number: Option<&str>, channel: &str) -> Caller {
    Caller::new(number.map(str::as_bytes), channel)
}

fn who(limits: Limits, caller: &Caller) -> Subject<'_> {
    Subject {
        pin_set: PIN_SET,
        limits,
        caller,
    }
}

impl Both<'_> {
    fn carry_out(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Wait(milliseconds) => self.wait(Duration::from_millis(*milliseconds)),
            Step::Look(caller) => self.look(*caller),
            Step::Charge(caller, tries) => self.charge(*caller, *tries),
            Step::Burst(caller, pauses) => self.burst(*caller, pauses),
            Step::Accounts(which, accounts) => self.accounts(*which, accounts),
            Step::Settle(which, outcome) => self.settle(*which, *outcome),
            Step::Unlock(which) => self.unlock(*which),
            Step::Purge => self.stored.run_plain(&pinset::database::PURGE, Some(1000)),
        }?;
        self.locks()
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        let then = self.now + time;
        let over = |flight: &Flight| then > flight.begun + MAX_FLIGHT;
        while let Some(which) = self.flights.iter().position(over) {
            self.settle(which, Outcome::Wrong)?;
        }
        self.now = then;
        self.stored.run_plain(&SET_CLOCK, Some(then.as_millis()))
    }

    fn look(&mut self, caller: usize) -> Result<()> {
        let callers = self.callers.clone();
        let who = who(self.limits, &callers[caller]);
        let own = self.own.look(&who, self.now);
        let stored = match stored::look(&who) {
            Some(request) => stored::standing(&self.stored.run(request)?, self.now)?,
            None => pinset::lockout::Standing::Open,
        };
        ensure!(own == stored, "standing: {own:?}, {stored:?}");
        Ok(())
    }

    fn charge(&mut self, caller: usize, tries: u32) -> Result<()> {
        let (callers, now) = (self.callers.clone(), self.now);
        let who = who(self.limits, &callers[caller]);
        let own = self.own.charge(&who, tries, now);
        let reply = stored::charge(&who, tries)
            .map(|request| self.stored.run(request))
            .transpose()?;
        let stored = StoredCharge::of(reply.as_ref(), &who, tries, now)?;
        match (own, stored) {
            (Ok(own), Ok(stored)) => {
                ensure!(own.is_over_budget() == stored.is_over_budget(), "budget");
                let begun = now;
                self.flights.push(Flight {
                    caller,
                    begun,
                    own,
                    stored,
                });
                Ok(())
            }
            (Err(own), Err(stored)) => same("charge", own, stored),
            (own, stored) => {
                anyhow::bail!("charge: {own:?}, {stored:?}")
            }
        }
    }

    fn burst(&mut self, caller: usize, pauses: &[u64]) -> Result<()> {
        for pause in pauses {
            self.wait(Duration::from_millis(*pause))?;
            let before = self.flights.len();
            self.charge(caller, 0)?;
            if self.flights.len() > before {
                self.accounts(before, &[0])?;
            }
            if self.flights.len() > before {
                self.settle(before, Outcome::Wrong)?;
            }
        }
        Ok(())
    }

    fn accounts(&mut self, which: usize, accounts: &[usize]) -> Result<()> {
        // No account of one entry is both in the list and not.
        let both = [3, 4].iter().all(|account| accounts.contains(account));
        if self.flights.is_empty() || both {
            return Ok(());
        }
        let which = which % self.flights.len();
        let accounts: Vec<Account<'_>> = accounts
            .iter()
            .map(|at| Account {
                name: ACCOUNTS[*at].0.as_bytes(),
                known: ACCOUNTS[*at].1,
            })
            .collect();
        let now = self.now;
        let flight = &mut self.flights[which];
        let mut own = Vec::new();
        for account in &accounts {
            own.push(self.own.charge_account(&mut flight.own, *account, now));
        }
        let busy = |result: &Result<(), ChargeError>| *result == Err(ChargeError::Busy);
        let lock = |result: &Result<(), ChargeError>| match result {
            Err(ChargeError::Locked(lock)) => Some(*lock),
            _ => None,
        };
        let locks: Vec<_> = own.iter().map(lock).collect();
        let own = match (own.iter().any(busy), locks.first()) {
            (true, _) => Err(ChargeError::Busy),
            (_, Some(Some(first))) if locks.iter().all(Option::is_some) => {
                Err(ChargeError::Locked(*first))
            }
            _ => Ok(locks),
        };
        let request = flight.stored.charge_accounts(&accounts);
        let reply = request
            .map(|request| self.stored.run(request))
            .transpose()?;
        let stored = flight
            .stored
            .accounts_charged(&accounts, reply.as_ref(), now)?;
        ensure!(own == stored, "accounts: {own:?}, {stored:?}");
        if own.is_err() {
            self.settle(which, Outcome::Void)?;
        }
        Ok(())
    }

    fn settle(&mut self, which: usize, outcome: Outcome) -> Result<()> {
        if self.flights.is_empty() {
            return Ok(());
        }
        let flight = self.flights.remove(which % self.flights.len());
        let result = match outcome {
            Outcome::Right(account) => AttemptResult::Right(Some(ACCOUNTS[account].0.as_bytes())),
            Outcome::Wrong => AttemptResult::Wrong,
            Outcome::Void => AttemptResult::Void,
        };
        let own = self.own.settle(flight.own, result, self.now);
        let stored = match flight.stored.settle(result) {
            Some(request) => stored::settled(&self.stored.run(request)?, self.now)?,
            None => None,
        };
        ensure!(
            own == stored,
            "settled by caller {}: {own:?}, {stored:?}",
            flight.caller
        );
        Ok(())
    }

    fn unlock(&mut self, which: usize) -> Result<()> {
        let what = match which {
            0 => Unlock::Caller("+905550101", None),
            1 => Unlock::Caller("05550101", Some("+905550101")),
            2 => Unlock::Caller("SIP/trunk", None),
            3 => Unlock::PinSet(PIN_SET),
            other => Unlock::Account(ACCOUNTS[other - 4].0),
        };
        let own = self.own.unlock(what, Some(PIN_SET), self.now);
        let request = stored_admin::unlock(what, Some(PIN_SET), &[PIN_SET.to_owned()]);
        let stored = stored_admin::unlocked(&self.stored.run(request)?)?;
        ensure!(
            own == stored.locks,
            "unlocked {what:?}: {own}, {}",
            stored.locks
        );
        Ok(())
    }

    /// The locks that an administrator sees.
    fn locks(&mut self) -> Result<()> {
        let own = self.own.locks(Some(PIN_SET), self.now);
        let request = stored_admin::locks(Some(PIN_SET), None);
        let mut stored: Vec<Held> = stored_admin::held(&self.stored.run(request)?, self.now)?;
        stored.sort_unstable();
        ensure!(own == stored, "locks: {own:#?}, {stored:#?}");
        Ok(())
    }
}

fn same(what: &str, own: ChargeError, stored: ChargeError) -> Result<()> {
    ensure!(own == stored, "{what}: {own:?}, {stored:?}");
    Ok(())
}

fn agree(database: &mut Database, limits: Limits, steps: &[Step]) -> Result<()> {
    database.run_plain(&CLEAR, None)?;
    let mut both = Both {
        own: Lockouts::new(Capacity::DEFAULT),
        stored: database,
        limits,
        callers: [
            caller(Some("+905550101"), "SIP/trunk-1"),
            caller(Some("+905550102"), "SIP/trunk-2"),
            caller(None, "SIP/phone-1"),
        ],
        now: Duration::from_secs(1_800_000_000),
        flights: Vec::new(),
    };
    both.wait(Duration::ZERO)?;
    for (at, step) in steps.iter().enumerate() {
        let named = || format!("step {at}: {step:?}");
        both.carry_out(step).with_context(named)?;
    }
    while !both.flights.is_empty() {
        both.settle(0, Outcome::Void)?;
    }
    Ok(())
}

/// What random steps hardly meet.
fn rare() -> Vec<(Limits, Vec<Step>)> {
    let lockout = |failures| Lockout {
        failures,
        window: Duration::from_secs(600),
        lock: Duration::from_secs(60),
    };
    let of_caller = Limits {
        caller: Some(lockout(130)),
        ..Limits::default()
    };
    let of_account = Limits {
        account: Some(lockout(1000)),
        ..Limits::default()
    };
    let charge = |which| [Step::Charge(0, 0), Step::Accounts(which, vec![0])];
    let fail = |times| Step::Burst(1, vec![0; times]);
    let month = Step::Wait(2_700_000_000);
    let burst = || Step::Burst(0, [&[0, 1000][..], &[2000; 126]].concat());
    let cut = |wait| vec![burst(), Step::Wait(wait), Step::Burst(0, vec![0; 130])];
    // Whatever the oldest is that still counts: no other two are merged.
    let cuts = [470_500, 472_500, 474_500, 476_500].map(|wait| (of_caller, cut(wait)));
    let mut all = vec![
        // Of 129 times the first two are merged, and count as long as the second.
        (
            of_caller,
            vec![
                Step::Burst(0, [&[0, 1000][..], &[2000; 127]].concat()),
                Step::Wait(345_500),
                Step::Burst(0, vec![0]),
            ],
        ),
        // Ninety-nine consecutive failures and one in flight.
        (
            of_account,
            [vec![fail(99)], charge(0).to_vec(), charge(1).to_vec()].concat(),
        ),
        // A known account's are kept for longer than a month, and by a purge.
        (of_account, vec![fail(99), month.clone(), fail(1)]),
        (of_account, vec![fail(60), month, Step::Purge, fail(40)]),
        // A success of a caller who was not trusted ends them.
        (
            of_account,
            [
                vec![fail(60)],
                charge(0).to_vec(),
                vec![Step::Settle(0, Outcome::Right(0)), fail(60)],
            ]
            .concat(),
        ),
    ];
    // The failures of an account in no list are forgotten after a month, also if that is
    // when it comes into one.
    let forgotten = |window: u64| {
        let account = Lockout {
            failures: 100,
            window: Duration::from_secs(window),
            lock: Duration::from_secs(120),
        };
        let limits = Limits {
            account: Some(account),
            ..Limits::default()
        };
        let fail = |account: usize, times: usize| {
            let one = [
                Step::Charge(0, 0),
                Step::Accounts(0, vec![account]),
                Step::Settle(0, Outcome::Wrong),
            ];
            one.into_iter().cycle().take(3 * times)
        };
        let month = Step::Wait(2_592_000_000);
        (
            limits,
            fail(3, 60).chain([month]).chain(fail(4, 40)).collect(),
        )
    };
    all.extend([60, 2_592_000].map(forgotten));
    all.extend(cuts);
    all
}

#[test]
fn lockouts_in_the_database_are_those_in_memory() -> Result<()> {
    let server = super::server()?;
    let mut database = Database::open(&server)?;
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    for (limits, steps) in rare() {
        agree(&mut database, limits, &steps)?;
    }
    let steps = prop::collection::vec(step(), 1..80);
    let database = std::cell::RefCell::new(&mut database);
    TestRunner::new(config)
        .run(&(limits(), steps), |(limits, steps)| {
            agree(&mut database.borrow_mut(), limits, &steps)
                .map_err(|error| TestCaseError::fail(format!("{error:#}")))
        })
        .map_err(|error| anyhow::anyhow!("{error}"))
}
