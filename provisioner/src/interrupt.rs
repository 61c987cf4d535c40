//! Ctrl-C: the first one asks for an orderly end, the second ends at once.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::exit;
use crate::ui::Ui;

/// Listens for Ctrl-C from now on; what is given back is cancelled at the first one.
pub fn listen(ui: Arc<Ui>) -> CancellationToken {
    let interrupt = CancellationToken::new();
    let heard = interrupt.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            ui.warn("interrupted: a change that is begun is finished first; Ctrl-C again ends at once");
            heard.cancel();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(exit::INTERRUPTED.into());
            }
        }
    });
    interrupt
}

/// Waits for work that an interruption may cut off anywhere: it reads, waits, or could as well be killed.
///
/// # Errors
/// The work's own, or [`Failure::CutOff`].
pub async fn until<T, E: Into<Failure>>(
    interrupt: &CancellationToken,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = interrupt.cancelled() => Err(Failure::CutOff),
        done = work => done.map_err(Into::into),
    }
}

/// What the work gives, or none if an interruption cut it off: for a last look at what is done already.
///
/// # Errors
/// The work's own.
pub async fn unless_cut_off<T>(
    interrupt: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    match until(interrupt, work).await {
        Err(Failure::CutOff) => Ok(None),
        looked => looked.map(Some),
    }
}
