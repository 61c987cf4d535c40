//! `/3/authentication`: whether the key is good.

use serde_json::Value;

use super::{Client, TmdbError};

impl Client {
    /// Asks TMDb whether the key is valid; [`TmdbError::Unauthorized`] if not.
    pub async fn check_key(&self) -> Result<(), TmdbError> {
        self.begin().get::<Value>(&["authentication"], &[]).await?;
        Ok(())
    }
}
