//! `/3/authentication`: whether the key is good.

use serde::de::IgnoredAny;

use super::{Client, TmdbError};

impl Client {
    /// Asks TMDb whether the key is valid; [`TmdbError::Unauthorized`] if not.
    pub async fn check_key(&self) -> Result<(), TmdbError> {
        self.begin().get::<IgnoredAny>(&["authentication"], &[]).await?;
        Ok(())
    }
}
