//! What pages ask of a PBX: the AMI actions of `docs/operating.md`.

use pinset::lockout::Kind;

use super::answers::{
    AmiPage, DatabaseState, Lockout, ModuleVersion, OutcomeCounts, PinSetDetail, PinSetSummary,
    ReloadResult, RowReader, RowUses,
};
use super::client::PbxClient;
use super::error::RequestError;

/// Number of lockouts that a PBX is asked for at once.
pub(crate) const LOCKOUTS_AT_ONCE: u16 = 10_000;

/// Headers of an action.
type Headers = Vec<(&'static str, Vec<u8>)>;

impl PbxClient {
    /// Returns all PIN sets.
    ///
    /// # Errors
    ///
    /// Fails if the PBX does not answer, or not as the module does.
    pub(crate) async fn pin_sets(&self) -> Result<Vec<PinSetSummary>, RequestError> {
        Ok(self.pin_sets_and_module().await?.0)
    }

    /// Returns all PIN sets, and the version of the module, which 0.1.0 does not send.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does.
    pub(crate) async fn pin_sets_and_module(
        &self,
    ) -> Result<(Vec<PinSetSummary>, Option<ModuleVersion>), RequestError> {
        let answer = self.list("AuthenticatePinsets", Headers::new()).await?;
        let sets = answer.rows.iter().map(PinSetSummary::read);
        Ok((
            sets.collect::<Result<_, _>>()?,
            ModuleVersion::read(&answer.last),
        ))
    }

    /// Returns one PIN set with its options.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does, and if there is no such PIN set.
    pub(crate) async fn pin_set(&self, name: &str) -> Result<PinSetDetail, RequestError> {
        let action = "AuthenticatePinset";
        let answer = self.list(action, with_pin_set(Some(name))).await?;
        match answer.rows.as_slice() {
            [row] => PinSetDetail::read(row),
            _ => Err(RequestError::NoList(action)),
        }
    }

    /// Returns the outcomes since the module was loaded, by PIN set, file, family or
    /// context.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does.
    pub(crate) async fn stats(&self) -> Result<Vec<(String, OutcomeCounts)>, RequestError> {
        let answer = self.list("AuthenticateStats", Headers::new()).await?;
        let read = |row| {
            let counts = OutcomeCounts::read(row)?;
            Ok((RowReader(row).text("PinSet")?, counts))
        };
        answer.rows.iter().map(read).collect()
    }

    /// Returns lockouts in force, of one PIN set if it is given.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does.
    pub(crate) async fn lockouts(
        &self,
        pin_set: Option<&str>,
        part: &ListPart,
    ) -> Result<AmiPage<Lockout>, RequestError> {
        let headers = part.of(with_pin_set(pin_set));
        let answer = self.list("AuthenticateLockouts", headers).await?;
        AmiPage::read(&answer, Lockout::read)
    }

    /// Returns all lockouts that fit.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does.
    pub(crate) async fn lockouts_that(
        &self,
        mut fits: impl FnMut(&Lockout) -> bool,
    ) -> Result<Vec<Lockout>, RequestError> {
        let mut found = Vec::new();
        let mut part = ListPart {
            limit: Some(LOCKOUTS_AT_ONCE),
            after: None,
        };
        loop {
            let page = self.lockouts(None, &part).await?;
            let is_last = page.rows.len() < usize::from(LOCKOUTS_AT_ONCE);
            part.after = page.rows.last().map(|lockout| lockout.key.clone());
            found.extend(page.rows.into_iter().filter(&mut fits));
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Ends lockouts of a value, as in [`Lockout::value`], and returns their number.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does, and if nothing is locked by it.
    pub(crate) async fn unlock(
        &self,
        by: Kind,
        value: &str,
        pin_set: Option<&str>,
    ) -> Result<u64, RequestError> {
        let mut headers = with_pin_set(pin_set);
        headers.push(("Type", by.word().into()));
        headers.push(("Value", value.into()));
        let answer = self.ask("AuthenticateUnlock", headers).await?;
        RowReader(&answer.last).number("Unlocked")
    }

    /// Returns how often rows of a PIN set have been used.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_set`] does.
    pub(crate) async fn uses(
        &self,
        pin_set: &str,
        part: &ListPart,
    ) -> Result<AmiPage<RowUses>, RequestError> {
        let headers = part.of(with_pin_set(Some(pin_set)));
        let answer = self.list("AuthenticateUses", headers).await?;
        AmiPage::read(&answer, RowUses::read)
    }

    /// Returns the state of the database of its PIN sets.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does, and if no PIN set has one.
    pub(crate) async fn database(&self) -> Result<DatabaseState, RequestError> {
        let answer = self.ask("AuthenticateDatabase", Headers::new()).await?;
        DatabaseState::read(&answer.last)
    }

    /// Sets the uses of one row back to zero, by [`RowUses::key`].
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_set`] does, and if no uses are counted there.
    pub(crate) async fn reset_uses(&self, pin_set: &str, key: &str) -> Result<u64, RequestError> {
        let mut headers = with_pin_set(Some(pin_set));
        headers.push(("Key", key.into()));
        let answer = self.ask("AuthenticateResetUses", headers).await?;
        RowReader(&answer.last).number("Reset")
    }

    /// Reads `authenticate.conf` again and returns its errors, if it is rejected.
    ///
    /// # Errors
    ///
    /// Fails as [`PbxClient::pin_sets`] does, and if the module was not reloaded.
    pub(crate) async fn reload(&self) -> Result<ReloadResult, RequestError> {
        let answer = self.list("AuthenticateReload", Headers::new()).await?;
        ReloadResult::read(&answer)
    }
}

/// A part of a long list.
#[derive(Clone, Default, Debug)]
pub(crate) struct ListPart {
    /// At most this many rows, or all.
    pub limit: Option<u16>,
    /// Those after the row with this key, or the first ones.
    pub after: Option<String>,
}

impl ListPart {
    fn of(&self, mut headers: Headers) -> Headers {
        let limit = self.limit.map(|limit| limit.to_string());
        headers.extend(limit.map(|limit| ("Limit", limit.into())));
        let after = self.after.as_deref();
        headers.extend(after.map(|after| ("After", after.into())));
        headers
    }
}

fn with_pin_set(name: Option<&str>) -> Headers {
    name.map(|name| ("PinSet", name.into()))
        .into_iter()
        .collect()
}
