//! The engine's events as a person sees them: a spinner for each resource at work, a line for each that is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::{AnsiColors, OwoColorize};

use super::hidden::Hidden;
use crate::engine::{Action, Event, Observer};

/// Reads events and shows them on `bars`, or as lines where that is no terminal.
pub(super) fn observer(bars: MultiProgress, hidden: Arc<Hidden>, quiet: bool) -> Observer {
    let display = Mutex::new(Display { bars, hidden, running: HashMap::new(), waits: HashMap::new() });
    Arc::new(move |event| {
        if !quiet {
            display.lock().unwrap_or_else(PoisonError::into_inner).show(event);
        }
    })
}

struct Display {
    bars: MultiProgress,
    hidden: Arc<Hidden>,
    running: HashMap<String, ProgressBar>,
    /// The last reason told, so that a piped log says each once.
    waits: HashMap<String, String>,
}

impl Display {
    fn show(&mut self, event: Event) {
        match event {
            Event::Started { logical_id, action } => {
                let text = format!("{:>3} {logical_id:<28} {}", action.sign(), doing(action));
                let bar = spinner(&self.bars, self.hidden.mask(&text).into_owned());
                self.running.insert(logical_id, bar);
            }
            Event::Waiting { logical_id, reason } => match self.running.get(&logical_id) {
                Some(bar) if !self.bars.is_hidden() => {
                    bar.set_message(self.hidden.mask(&format!("    {logical_id:<28} {reason}")).into_owned());
                }
                _ if self.waits.get(&logical_id) != Some(&reason) => {
                    self.line(&format!("{:>3} {logical_id:<28} {reason}", "…"));
                    self.waits.insert(logical_id, reason);
                }
                _ => {}
            },
            Event::Finished { logical_id, action, elapsed } => {
                let sign = format!("{:>3}", action.sign());
                let text =
                    format!("{} {logical_id:<28} {} in {}", sign.color(colour(action)), done(action), seconds(elapsed));
                self.end(&logical_id, &text);
            }
            Event::Failed { logical_id, error } => {
                let text = format!("{:>3} {logical_id:<28} {error}", "!".red().bold());
                self.end(&logical_id, &text);
            }
            Event::Skipped { logical_id, because } => {
                let text = format!("{:>3} {logical_id:<28} not tried: {because}", "·".dimmed());
                self.end(&logical_id, &text);
            }
        }
    }

    fn end(&mut self, logical_id: &str, text: &str) {
        if let Some(bar) = self.running.remove(logical_id) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        self.line(text);
    }

    fn line(&self, text: &str) {
        self.bars.suspend(|| anstream::eprintln!("{}", self.hidden.mask(text)));
    }
}

/// Something that takes a while and is no resource.
pub struct Busy {
    bar: ProgressBar,
    bars: MultiProgress,
    hidden: Arc<Hidden>,
    quiet: bool,
    told: Mutex<Instant>,
}

/// Between two lines about the same work, where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Busy {
    pub(super) fn start(bars: &MultiProgress, hidden: &Arc<Hidden>, text: &str, quiet: bool) -> Self {
        let text = hidden.mask(text);
        if bars.is_hidden() && !quiet {
            anstream::eprintln!("{text}");
        }
        let bar = spinner(bars, text.into_owned());
        Self { bar, bars: bars.clone(), hidden: Arc::clone(hidden), quiet, told: Mutex::new(Instant::now()) }
    }

    /// Says how far it is: at once on a terminal, now and then elsewhere.
    pub fn say(&self, text: &str) {
        let text = self.hidden.mask(text);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bars.is_hidden() && !self.quiet && told.elapsed() >= LINE_EVERY {
            anstream::eprintln!("{text}");
            *told = Instant::now();
        }
        self.bar.set_message(text.into_owned());
    }

    /// Who hears what is going on now.
    pub fn listener(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        let (bar, hidden) = (self.bar.clone(), Arc::clone(&self.hidden));
        Arc::new(move |text| bar.set_message(hidden.mask(text).into_owned()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.bars.remove(&self.bar);
    }
}

fn spinner(bars: &MultiProgress, message: String) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "updating",
        Action::Replace => "replacing",
        Action::Delete => "deleting",
        Action::Adopt => "adopting",
        Action::None => "looking",
    }
}

/// What was done, as a word.
pub(super) fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Replace => "replaced",
        Action::Delete => "deleted",
        Action::Adopt => "adopted",
        Action::None => "as it should be",
    }
}

/// The colour of an action, in progress and plan alike.
pub(super) fn colour(action: Action) -> AnsiColors {
    match action {
        Action::Create => AnsiColors::Green,
        Action::Update | Action::Adopt => AnsiColors::Yellow,
        Action::Replace | Action::Delete => AnsiColors::Red,
        Action::None => AnsiColors::Default,
    }
}

/// `0.4 s`, `12.0 s`, `3 min 5 s`.
pub(super) fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..60 => format!("{:.1} s", elapsed.as_secs_f64()),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spinner_shows_a_hidden_value() {
        let hidden = Arc::<Hidden>::default();
        hidden.add(["hunter2".to_owned()]);
        let busy = Busy::start(&MultiProgress::new(), &hidden, "reading hunter2", true);
        assert_eq!(busy.bar.message(), "reading ****");
        busy.say("hunter2 is read");
        assert_eq!(busy.bar.message(), "**** is read");
        busy.listener()("now hunter2");
        assert_eq!(busy.bar.message(), "now ****");
    }

    #[test]
    fn a_time_is_told_as_people_say_it() {
        assert_eq!(seconds(Duration::from_millis(440)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 5 s");
    }
}
