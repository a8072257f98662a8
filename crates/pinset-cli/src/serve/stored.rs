//! What an attempt asks the database: rows, uses and lockouts, within `source_timeout`.

use std::ffi::CStr;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libpq::{Parameter, Reply, Statement};
use pinset::database::{DatabaseError, EntryBudget, LookupClock, Request, PURGE};
use pinset::verify::{
    consume_stored, look_up_stored, Answer, DatabaseQueries, RowQuery, ServiceChannel,
    SharedLockouts, UseError,
};
use pinset::{hex, Pepper, Pin};
use zeroize::Zeroizing;

use crate::common::workers::Workers;
use crate::serve::database::DatabasePool;
use crate::serve::metrics::Metrics;

/// Maximum number of rows of each table that are deleted at once.
const MAX_PURGED: &CStr = c"10000";

const NO_CONTEXTS: &str = "pinset serve sends calls only where the service's actions send them";

/// The database of one attempt.
pub(super) struct AttemptDatabase {
    pool: Arc<DatabasePool>,
    budget: EntryBudget,
    /// Run what the attempt does not wait for.
    workers: Arc<Workers>,
    metrics: Arc<Metrics>,
}

impl AttemptDatabase {
    /// For an attempt that may wait for `timeout`.
    pub(super) fn new(
        pool: Arc<DatabasePool>,
        timeout: Duration,
        workers: Arc<Workers>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            pool,
            budget: EntryBudget::new(timeout),
            workers,
            metrics,
        }
    }

    fn ask(
        &self,
        statement: &'static Statement,
        parameters: &[Parameter],
        timeout: Duration,
    ) -> Result<Reply, DatabaseError> {
        let asked = Instant::now();
        let timeout = timeout.min(self.budget.left());
        let answer = self.pool.query(statement, parameters, timeout);
        self.budget.spend(asked.elapsed());
        answer.map_err(|error| match error {
            DatabaseError::Timeout(_) => DatabaseError::Timeout(self.budget.timeout()),
            error => error,
        })
    }

    /// Returns the rows of a PIN set that the database finds, or a refusal if one has a
    /// context, which only the module supports.
    pub(super) fn look_up(
        &self,
        name: &str,
        query: &RowQuery<'_>,
        pin: &Pin,
        pepper: &Pepper,
    ) -> Answer {
        let timeout = self.budget.left();
        match look_up_stored(&mut &*self, name, query, pin, pepper, timeout) {
            Some(Ok(rows)) => match rows.id_with_context() {
                Some(id) => {
                    Answer::Refused(format!("pinset_pins, id {id}: context: {NO_CONTEXTS}"))
                }
                None => Answer::Stored(Box::new(rows)),
            },
            Some(Err(error)) => Answer::Refused(error.to_string()),
            // No caller waits here that could hang up.
            None => Answer::Refused(DatabaseError::Unusable.to_string()),
        }
    }

    /// Takes a use of a row: see [`consume_stored`].
    pub(super) fn take(
        &self,
        (id, secret): (&str, &str),
        limit: NonZeroU32,
        clock: &LookupClock,
    ) -> Option<Result<bool, UseError>> {
        let mut bytes = [0; 16];
        if let Err(error) = getrandom::fill(&mut bytes) {
            return Some(Err(UseError::NotCounted(error.to_string())));
        }
        let mut token = String::with_capacity(2 * bytes.len());
        hex::append(&mut token, &bytes);
        // Accounts may have been charged since.
        let clock = LookupClock {
            left: clock.left.min(self.budget.left()),
            ..clock.clone()
        };
        let lost = |error: &DatabaseError| {
            let why =
                format!("a use of pinset_pins, id {id}, may be taken without a call: {error}");
            self.metrics.warn(&why);
        };
        let taken = consume_stored(&mut &*self, (id, secret), limit, &clock, &token, lost)?;
        Some(taken.map_err(|error| UseError::NotCounted(error.to_string())))
    }
}

impl DatabaseQueries for &AttemptDatabase {
    fn run(
        &mut self,
        statement: &'static Statement,
        parameters: Vec<Parameter>,
        timeout: Duration,
    ) -> Option<Result<Reply, DatabaseError>> {
        Some(self.ask(statement, &parameters, timeout))
    }
}

impl SharedLockouts for AttemptDatabase {
    fn begin(&self) {
        self.budget.begin();
    }

    fn query(
        &self,
        _: &mut dyn ServiceChannel,
        Request {
            statement,
            parameters,
        }: Request,
    ) -> Option<Result<Reply, String>> {
        let answer = self.ask(statement, &parameters, self.budget.left());
        if self.pool.is_purge_due() {
            self.send(Request {
                statement: &PURGE,
                parameters: vec![Some(Zeroizing::new(MAX_PURGED.to_owned()))],
            });
        }
        Some(answer.map_err(|error| error.to_string()))
    }

    fn send(&self, request: Request) {
        let (pool, metrics) = (Arc::clone(&self.pool), Arc::clone(&self.metrics));
        let timeout = self.budget.timeout();
        let send = move || {
            if let Err(error) = pool.query(request.statement, &request.parameters, timeout) {
                metrics.warn(&not_sent(&error));
            }
        };
        if let Err(error) = self.workers.spawn(send) {
            self.metrics.warn(&not_sent(&error));
        }
    }
}

/// What an update of lockouts that is lost comes to.
fn not_sent(error: &dyn Display) -> String {
    format!("lockouts: an update is lost, which may count as a wrong attempt: {error}")
}
