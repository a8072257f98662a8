//! A query that waits for its answer.

use std::sync::Weak;
use std::time::{Duration, Instant};

use libpq::{Parameter, Query, Reply, Statement};
use pinset::database::only_reads;

use super::DatabaseError;
use crate::asterisk::log::log;
use crate::sync::oneshot::Oneshot;

pub(super) type Answer = Result<Reply, DatabaseError>;

/// A query that waits for its answer.
pub(super) struct Job {
    pub(super) statement: &'static Statement,
    pub(super) parameters: Vec<Parameter>,
    pub(super) timeout: Duration,
    pub(super) deadline: Instant,
    pub(super) queued: Instant,
    /// Whether it may share a batch: it waits for no row that another one has locked.
    pub(super) only_reads: bool,
    /// Whether it was sent before, under a name that the server did not know.
    pub(super) is_again: bool,
    /// Where the answer goes; `None` if nobody waits for it.
    waiting: Option<Weak<Oneshot<Answer>>>,
}

impl Job {
    pub(super) fn new(
        statement: &'static Statement,
        parameters: Vec<Parameter>,
        Wait { timeout, left }: Wait,
        waiting: Option<Weak<Oneshot<Answer>>>,
    ) -> Self {
        let queued = Instant::now();
        Self {
            statement,
            parameters,
            timeout,
            deadline: queued + left,
            queued,
            only_reads: only_reads(statement),
            is_again: false,
            waiting,
        }
    }

    pub(super) fn query(&self) -> Query<'_> {
        Query {
            statement: self.statement,
            parameters: &self.parameters,
        }
    }

    pub(super) fn answer(&self, answer: Answer) {
        match (&self.waiting, answer) {
            (Some(waiting), answer) => {
                if let Some(waiting) = waiting.upgrade() {
                    waiting.set(answer);
                }
            }
            (None, Err(error)) => log!(
                Warning,
                "{} is not done in the database: {error}",
                self.statement.name.to_string_lossy()
            ),
            (None, Ok(_)) => {}
        }
    }

    /// Whether it is still to be run.
    pub(super) fn is_wanted(&self) -> bool {
        let waits = |waiting: &Weak<_>| waiting.strong_count() > 0;
        self.waiting.as_ref().is_none_or(waits)
    }
}

/// How long a caller waits for the database.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    /// Altogether, for messages.
    pub(super) timeout: Duration,
    /// What is left of it.
    pub(super) left: Duration,
}
