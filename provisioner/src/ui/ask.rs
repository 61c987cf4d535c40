//! Questions: only on a terminal, always on stderr, so that stdout stays the result's.

use std::io::{IsTerminal, Write};

use super::Ui;
use crate::error::Failure;

impl Ui {
    /// Whether there is somebody to ask.
    pub fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// A yes to `what` would happen: from `--yes`, else from the person.
    ///
    /// # Errors
    /// [`Failure::Unconfirmed`] where nobody can be asked, [`Failure::Declined`] on a no.
    pub async fn confirm(&self, what: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !self.can_ask() {
            return Err(Failure::Unconfirmed { what: what.to_owned() });
        }
        let answer = self.line(format!("{what}. Go on? [y/N] ")).await?;
        match answer.to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::Declined { what: what.to_owned() }),
        }
    }

    /// An answer, or `default` where it is empty.
    ///
    /// # Errors
    /// A terminal that cannot be read.
    pub async fn ask(&self, question: &str, default: &str) -> Result<String, Failure> {
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        let answer = self.line(format!("{question}{shown}: ")).await?;
        Ok(if answer.is_empty() { default.to_owned() } else { answer })
    }

    /// An answer that is not shown while it is typed.
    ///
    /// # Errors
    /// A terminal that cannot be read.
    pub async fn ask_secret(&self, question: &str) -> Result<String, Failure> {
        let question = format!("{question}: ");
        off_the_runtime(move || rpassword::prompt_password(question)).await
    }

    /// All of standard input.
    ///
    /// # Errors
    /// Input that cannot be read, or is no text.
    pub async fn standard_input(&self) -> Result<String, Failure> {
        off_the_runtime(|| std::io::read_to_string(std::io::stdin())).await
    }

    async fn line(&self, prompt: String) -> Result<String, Failure> {
        self.bars.suspend(|| anstream::eprint!("{prompt}"));
        off_the_runtime(|| {
            std::io::stderr().flush()?;
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer)?;
            Ok(answer.trim().to_owned())
        })
        .await
    }
}

/// Waits for the person on a thread of its own, so that Ctrl-C is heard meanwhile.
async fn off_the_runtime(read: impl FnOnce() -> std::io::Result<String> + Send + 'static) -> Result<String, Failure> {
    let answer = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other);
    answer.and_then(|read| read).map_err(|error| Failure::failed("cannot read the answer", error.to_string()))
}
