//! Placing holds, listing and releasing them.

use uuid::Uuid;

use super::{Filter, Hold, Pruner, RetentionError};
use crate::clock::Timestamp;

impl Pruner {
    /// Every hold, released ones too, the oldest first.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Unusable`].
    pub async fn holds(&mut self) -> Result<Vec<Hold>, RetentionError> {
        let holds = self.tables.holds().await;
        holds.map_err(|error| self.failed(error))
    }

    /// Keeps every record that a filter matches, those that are to come too, until the hold is
    /// released. When this returns, no prune that runs or begins removes any of them.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Filter`] without a reason, [`RetentionError::Unusable`].
    pub async fn hold(
        &mut self,
        filter: &Filter,
        reason: impl Into<String>,
        by: impl Into<String>,
        now: Timestamp,
    ) -> Result<Hold, RetentionError> {
        let said = |text: String, parameter: &str| {
            let text = crate::text::clean(&text, 1024).0.into_owned();
            if text.trim().is_empty() {
                return Err(RetentionError::Filter {
                    parameter: parameter.to_owned(),
                    reason: "say it: whoever is to release the hold must know".to_owned(),
                });
            }
            Ok(text)
        };
        let (reason, by) = (said(reason.into(), "reason")?, said(by.into(), "by")?);
        let hold = Hold::new(Uuid::new_v4().to_string(), filter, reason, by, now);
        let placed = self.tables.place(&hold).await;
        placed.map_err(|error| self.failed(error))?;
        Ok(hold)
    }

    /// Releases a hold: what it kept may go again. Gives the hold as it is then.
    ///
    /// # Errors
    ///
    /// [`RetentionError::NoHold`] when there is none with this id that is not released,
    /// [`RetentionError::Unusable`].
    pub async fn release(
        &mut self,
        id: &str,
        by: impl Into<String>,
        now: Timestamp,
    ) -> Result<Hold, RetentionError> {
        let by = crate::text::clean(&by.into(), 1024).0.into_owned();
        let released = self.tables.release(id, &by, now).await;
        let is_released = released.map_err(|error| self.failed(error))?;
        let mut holds = self.holds().await?;
        holds.retain(|hold| hold.id == id && is_released);
        holds.pop().ok_or_else(|| RetentionError::NoHold {
            id: crate::text::clean(id, 64).0.into_owned(),
        })
    }
}
