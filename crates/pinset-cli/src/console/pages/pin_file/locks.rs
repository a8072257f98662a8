//! Lockouts of the callers and accounts of a file, by the PIN sets that have it as source.

use std::collections::HashMap;

use futures_util::future::join_all;
use maud::{html, Markup};
use pinset::escape::escape;
use pinset::lockout::Kind;
use pinset::Numbering;

use super::super::locked::{remaining, unlock_button, unlock_fields};
use super::super::pbx;
use super::uses::FileSet;
use crate::console::access::CurrentUser;
use crate::console::pbx::{AmiPage, ListPart, Lockout};
use crate::console::rows::RowView;
use crate::console::users::Role;

/// Most lockouts of a PIN set that the page asks for: a PBX may have many more.
const MAX_LOCKOUTS: u16 = 1000;

/// The lockouts, by what they lock.
#[derive(Default)]
pub(super) struct FileLocks {
    locks: Vec<FileLock>,
    callers: HashMap<String, Vec<usize>>,
    accounts: HashMap<String, Vec<usize>>,
    /// The PIN sets that are locked for everybody.
    pin_sets: Vec<usize>,
    /// What is missing.
    missing: Vec<Markup>,
}

struct FileLock {
    pbx: String,
    lockout: Lockout,
}

impl FileLocks {
    /// Asks for the lockouts of PIN sets that have some.
    pub(super) async fn of(sets: &[FileSet<'_>], numbering: &Numbering) -> Self {
        let part = ListPart {
            limit: Some(MAX_LOCKOUTS),
            after: None,
        };
        let part = &part;
        let locked = sets.iter().filter(|set| set.summary.lockouts > 0);
        let asked = locked.map(|set| async move {
            let name = set.summary.name.as_str();
            (set, set.client.lockouts(Some(name), part).await)
        });
        let mut locks = Self::default();
        for (set, answer) in join_all(asked).await {
            match answer {
                Ok(page) => locks.add(set, page, numbering),
                Err(why) => locks.missing.push(pbx::failure(set.pbx, &why)),
            }
        }
        locks
    }

    fn add(&mut self, set: &FileSet<'_>, page: AmiPage<Lockout>, numbering: &Numbering) {
        if page.total > page.rows.len() as u64 {
            self.missing.push(html! {
                p.warning {
                    "PIN set " (set.summary.name) " of " (set.pbx) " has " (page.total)
                    " lockouts, of which " (page.rows.len()) " are shown here. "
                    a href="/locked" { "Search for the others" }
                }
            });
        }
        for lockout in page.rows {
            let at = self.locks.len();
            match lockout.by {
                Kind::Caller => {
                    let key = number(&lockout.value, numbering);
                    self.callers.entry(key).or_default().push(at);
                }
                Kind::Account => {
                    let key = lockout.value.clone();
                    self.accounts.entry(key).or_default().push(at);
                }
                Kind::PinSet => self.pin_sets.push(at),
            }
            self.locks.push(FileLock {
                pbx: set.pbx.to_owned(),
                lockout,
            });
        }
    }

    /// Returns the lockouts of a row, by their places.
    fn of_row(&self, row: &RowView, numbering: &Numbering) -> Vec<usize> {
        let caller = match row.caller.as_str() {
            "" => None,
            caller => self.callers.get(&number(caller, numbering)),
        };
        // The module escapes what it sends.
        let account = self.accounts.get(&escape(row.account.as_bytes()));
        caller
            .into_iter()
            .chain(account)
            .flatten()
            .copied()
            .collect()
    }

    /// Returns what the state of a row says of its lockouts, with a button for each.
    pub(super) fn state(&self, row: &RowView, numbering: &Numbering, may_unlock: bool) -> Markup {
        let locks = self.of_row(row, numbering).into_iter();
        let locks = locks.filter_map(|at| Some((at, self.locks.get(at)?)));
        html! {
            @for (at, lock) in locks {
                @let lockout = &lock.lockout;
                ", " strong { "locked " (remaining(lockout.seconds)) }
                " (" (lockout.by.word()) ") "
                @if may_unlock { (unlock_button(lockout, Some(&form_id(at)))) }
            }
        }
    }

    /// Returns what is above the table: PIN sets that are locked, and what is missing.
    pub(super) fn notices(&self, user: &CurrentUser) -> Markup {
        let sets = self.pin_sets.iter();
        let sets = sets.filter_map(|at| Some((*at, self.locks.get(*at)?)));
        html! {
            @for missing in &self.missing { (missing) }
            @for (at, lock) in sets {
                @let lockout = &lock.lockout;
                p {
                    strong { "PIN set " (lockout.pin_set) " of " (lock.pbx) " is locked" }
                    " for all callers, " (remaining(lockout.seconds)) ". "
                    @if user.role >= Role::Operator {
                        (unlock_button(lockout, Some(&form_id(at))))
                    }
                }
            }
        }
    }

    /// Returns the forms of the buttons. They can't be in the table, which is in a form
    /// itself.
    pub(super) fn forms(&self, file: &str, rows: &[RowView], numbering: &Numbering) -> Markup {
        let mut shown: Vec<usize> = rows
            .iter()
            .flat_map(|row| self.of_row(row, numbering))
            .chain(self.pin_sets.iter().copied())
            .collect();
        shown.sort_unstable();
        shown.dedup();
        let shown = shown.into_iter();
        let shown = shown.filter_map(|at| Some((at, self.locks.get(at)?)));
        html! {
            @for (at, lock) in shown {
                form id=(form_id(at)) method="post" action="/locked/unlock" {
                    (unlock_fields(&lock.pbx, &lock.lockout))
                    input type="hidden" name="file" value=(file);
                }
            }
        }
    }
}

fn form_id(at: usize) -> String {
    format!("unlock-{at}")
}

/// Returns a caller number as numbers are compared.
fn number(text: &str, numbering: &Numbering) -> String {
    let number = numbering.normalize(text.as_bytes());
    number.map_or_else(|| text.to_owned(), |number| number.to_string())
}
