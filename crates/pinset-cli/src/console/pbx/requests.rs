//! What pages ask of a PBX: the AMI actions of `docs/operating.md`.

use super::answers::PinSetSummary;
use super::client::PbxClient;
use super::error::RequestError;

impl PbxClient {
    /// Returns all PIN sets.
    ///
    /// # Errors
    ///
    /// Fails if the PBX does not answer, or not as the module does.
    pub(crate) async fn pin_sets(&self) -> Result<Vec<PinSetSummary>, RequestError> {
        let rows = self.list("AuthenticatePinsets", Vec::new()).await?;
        rows.iter().map(PinSetSummary::read).collect()
    }
}
