//! What an entry asks the database, step by step, within `source_timeout`.

use std::rc::Rc;
use std::time::{Duration, Instant};

use libpq::{Parameter, Reply, Statement};
use pinset::database::{EntryBudget, Request};
use pinset::verify::{ServiceChannel, SharedLockouts};

use super::job::Wait;
use super::{current_pool, DatabaseError};

/// The lockouts of a call's PIN set in the database.
pub(crate) struct CallDatabase(pub(crate) Rc<EntryBudget>);

impl SharedLockouts for CallDatabase {
    fn begin(&self) {
        self.0.begin();
    }

    fn query(
        &self,
        host: &mut dyn ServiceChannel,
        Request {
            statement,
            parameters,
        }: Request,
    ) -> Option<Result<Reply, String>> {
        let answer = run(host, statement, parameters, self.0.left(), &self.0)?;
        Some(answer.map_err(|error| error.to_string()))
    }

    fn send(&self, request: Request) {
        if let Some(pool) = current_pool() {
            pool.send(request.statement, request.parameters, self.0.timeout());
        }
    }
}

/// Runs a statement, and counts the time it takes: at most `timeout`.
pub(super) fn run<H: ServiceChannel + ?Sized>(
    host: &mut H,
    statement: &'static Statement,
    parameters: Vec<Parameter>,
    timeout: Duration,
    budget: &EntryBudget,
) -> Option<Result<Reply, DatabaseError>> {
    let Some(pool) = current_pool() else {
        return Some(Err(DatabaseError::Unusable));
    };
    let wait = Wait {
        timeout: budget.timeout(),
        left: budget.left().min(timeout),
    };
    let asked = Instant::now();
    let answer = pool.query(host, statement, parameters, wait);
    budget.spend(asked.elapsed());
    answer
}
