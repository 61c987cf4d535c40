//! Whether TMDb answers at all: an odd film told apart from an outage, be it of all that is asked or of one kind of question.
//!
//! Errors that have answers of their kind between them are the films' own. Where there are none, two questions more tell: the key's,
//! which needs no film, and one of the same kind about a film that TMDb surely has.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::{Client, TmdbError};

/// Requests of a kind in a row, of all titles, without a usable answer: then it may not be the titles.
const OUTAGE: u32 = 10;
/// Above any count of them: the questions had no answer either.
const KNOWN_OUTAGE: u32 = 1 << 16;
/// Requests that another try may spend while the outage lasts, one after the other, before it asks these questions.
const PROBES: u32 = 2;

/// What TMDb always answers, whichever films it has.
const OF_THE_KEY: [&str; 1] = ["authentication"];
/// The Shawshank Redemption, at IMDb and at TMDb.
const IMDB_ID: &str = "tt0111161";
const TMDB_ID: &str = "278";

/// What fails together: TMDb answers each kind from other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Find,
    Film,
    Reviews,
    Other,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Find, Self::Film, Self::Reviews, Self::Other];

    /// The kind of what is asked at this path.
    pub fn of(path: &[&str]) -> Self {
        match path {
            ["find", _] => Self::Find,
            ["movie", _, "reviews"] => Self::Reviews,
            ["movie", id] if *id != "changes" => Self::Film,
            _ => Self::Other,
        }
    }

    /// The path of a question of this kind that always has an answer; none where the key's is all that there is.
    fn example(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Find => Some(&["find", IMDB_ID]),
            Self::Film => Some(&["movie", TMDB_ID]),
            Self::Reviews => Some(&["movie", TMDB_ID, "reviews"]),
            Self::Other => None,
        }
    }
}

/// How it stands with the answers, by kind.
#[derive(Debug, Default)]
pub(super) struct Health {
    kinds: [OfKind; Kind::ALL.len()],
    /// Whether the key was refused when it was last tried.
    key_in_doubt: AtomicBool,
}

#[derive(Debug, Default)]
struct OfKind {
    /// Requests in a row without a usable answer.
    failures: AtomicU32,
    /// Usable answers, and questions whose answer showed that there are some.
    heard: AtomicU64,
}

impl Health {
    /// A request had no usable answer.
    pub fn fails(&self, kind: Kind) {
        self.of(kind).failures.fetch_add(1, Ordering::Relaxed);
    }

    /// There are answers of this kind.
    pub fn answers(&self, kind: Kind) {
        self.of(kind).heard.fetch_add(1, Ordering::Relaxed);
        self.of(kind).failures.store(0, Ordering::Relaxed);
        self.key_in_doubt.store(false, Ordering::Relaxed);
    }

    /// How often there were answers of this kind.
    pub fn heard(&self, kind: Kind) -> u64 {
        self.of(kind).heard.load(Ordering::Relaxed)
    }

    /// Whether a request needs a question first.
    pub fn is_out(&self, kind: Kind) -> bool {
        self.failures(kind) >= OUTAGE
    }

    /// Whether it is doubtful that there is an answer: then one request is in flight.
    pub fn is_in_doubt(&self, kind: Kind) -> bool {
        self.failures(kind) >= OUTAGE - PROBES || self.key_in_doubt.load(Ordering::Relaxed)
    }

    /// A few requests more are worth a try.
    pub fn try_again(&self, key_was_refused: bool) {
        for kind in &self.kinds {
            kind.failures.fetch_min(OUTAGE - PROBES, Ordering::Relaxed);
        }
        self.key_in_doubt.fetch_or(key_was_refused, Ordering::Relaxed);
    }

    fn of(&self, kind: Kind) -> &OfKind {
        &self.kinds[kind as usize]
    }

    fn failures(&self, kind: Kind) -> u32 {
        self.of(kind).failures.load(Ordering::Relaxed)
    }

    fn is_known_to_be_out(&self, kind: Kind) -> bool {
        self.failures(kind) >= KNOWN_OUTAGE
    }

    fn give_up(&self, kind: Kind) {
        self.of(kind).failures.fetch_max(KNOWN_OUTAGE, Ordering::Relaxed);
    }
}

impl Client {
    /// Whether a request of this kind has any hope; the reason if not. Whether many failures in a row are the films' own is asked once.
    pub(super) async fn hope(&self, kind: Kind) -> Result<(), TmdbError> {
        if let Some(refused) = self.refusal() {
            return Err(refused);
        }
        if !self.health().is_out(kind) {
            return Ok(());
        }
        let _alone = self.alone().await;
        if self.health().is_known_to_be_out(kind) {
            return Err(given_up());
        }
        if !self.health().is_out(kind) {
            return Ok(());
        }
        match self.asks_in_general(kind).await {
            Ok(()) => Ok(()),
            Err(TmdbError::Unavailable { .. }) => {
                self.health().give_up(kind);
                Err(given_up())
            }
            Err(error) => Err(error),
        }
    }

    /// Whose fault an error is that had no answer of its kind beside it since there were `heard`: TMDb's, or its film's.
    pub(super) async fn whose_fault(&self, kind: Kind, heard: u64, error: TmdbError) -> TmdbError {
        let _permit = self.permit().await;
        let _alone = self.alone().await;
        // Others may have had an answer while this one waited.
        if self.health().heard(kind) != heard {
            return error;
        }
        match self.asks_in_general(kind).await {
            Ok(()) => error,
            // Where the film had no answer either, its own words tell more.
            Err(TmdbError::Unavailable { .. }) if matches!(error, TmdbError::Unavailable { .. }) => error.of_all(),
            Err(general @ TmdbError::Unavailable { .. }) => general.of_all(),
            Err(general) => general,
        }
    }

    /// Whether TMDb answers: what had no answer lately, else the key's question.
    pub(crate) async fn is_there(&self) -> Result<(), TmdbError> {
        let _permit = self.permit().await;
        let _alone = self.alone().await;
        let has_example = |kind: &Kind| kind.example().is_some();
        let doubtful = Kind::ALL.into_iter().filter(has_example).filter(|kind| self.health().failures(*kind) > 0);
        let doubtful: Vec<Kind> = doubtful.collect();
        if doubtful.is_empty() {
            return self.asks_of_the_key().await;
        }
        for kind in doubtful {
            self.asks_an_example(kind).await?;
        }
        Ok(())
    }

    /// Asks what is answered whichever films there are, by one who holds a permit. Counts as requests, and as no title's answer.
    async fn asks_in_general(&self, kind: Kind) -> Result<(), TmdbError> {
        self.asks_of_the_key().await?;
        self.asks_an_example(kind).await
    }

    /// Who answers this wrongly is not TMDb.
    async fn asks_of_the_key(&self) -> Result<(), TmdbError> {
        match self.asks(&OF_THE_KEY, &[]).await {
            Err(error) if has_answered_wrongly(&error) => {
                let cause = format!("it is not TMDb's: {}", brief(&error)).into();
                Err(TmdbError::Setup { base_url: self.base_url(), cause })
            }
            asked => asked.map(|()| self.health().answers(Kind::Other)),
        }
    }

    /// An answer to it speaks for its kind; a wrong one is an outage of the kind, as the key is taken.
    async fn asks_an_example(&self, kind: Kind) -> Result<(), TmdbError> {
        let query: &[(&str, &str)] = if kind == Kind::Find { &[("external_source", "imdb_id")] } else { &[] };
        let asked = match kind.example() {
            Some(path) => self.asks(path, query).await,
            None => Ok(()),
        };
        match asked {
            // It has an answer to that, though not the film.
            Err(TmdbError::NotFound { .. }) if kind != Kind::Find => {}
            Err(error) if has_answered_wrongly(&error) => {
                let (status, cause) = (error.status(), brief(&error).into());
                return Err(TmdbError::Unavailable { status, cause, retry_after: None, systemic: true });
            }
            asked => asked?,
        }
        self.health().answers(kind);
        Ok(())
    }
}

/// Whether there was an answer, and not the one that TMDb gives.
fn has_answered_wrongly(error: &TmdbError) -> bool {
    matches!(error, TmdbError::NotFound { .. } | TmdbError::Rejected { .. } | TmdbError::Malformed { .. })
}

fn given_up() -> TmdbError {
    let cause = format!("{OUTAGE} requests in a row had no usable answer, nor has what TMDb always answers").into();
    TmdbError::Unavailable { status: None, cause, retry_after: None, systemic: true }
}

/// Whether an error may be that of any other of its kind: no answer, a page in the place of one, a redirect, a refusal without a word
/// about the key, or nothing where there is always something.
pub(super) fn may_be_systemic(kind: Kind, error: &TmdbError) -> bool {
    match error {
        TmdbError::Unavailable { systemic, .. } => !systemic,
        TmdbError::Rejected { status, .. } => (300..400).contains(status) || *status == 403,
        TmdbError::NotFound { .. } => kind == Kind::Find,
        TmdbError::Malformed { .. } => true,
        _ => false,
    }
}

/// What a server answered that is not TMDb.
fn brief(error: &TmdbError) -> String {
    let status = error.status().map_or("nothing".to_owned(), |status| status.to_string());
    format!("it answers {status} where TMDb has an answer")
}
