//! What is wrong with a template, where, and what to do about it.
//!
//! Owns the form in which every problem of a template is kept and shown. Knows nothing of CloudFormation.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::text::printable;

/// How many problems are shown of one template.
const SHOWN: usize = 100;

/// A place in a file; line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

/// One problem: what is wrong, with which thing, at which place, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The place in the template; `None` where the problem is in no place of it, as a parameter that was given.
    pub position: Option<Position>,
    /// The thing, as `Resources.Queue.Properties.QueueName`; empty for the whole file.
    pub path: String,
    /// What is wrong: lower-case, no full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The numbered edge of AWS that the problem stands for, as `E35`.
    pub edge: Option<&'static str>,
}

impl Diagnostic {
    /// A problem of the thing at `path`, so far without a place.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { position: None, path: path.into(), message: message.into(), help: None, edge: None }
    }

    /// The same problem at a place.
    #[must_use]
    pub fn at(mut self, position: impl Into<Option<Position>>) -> Self {
        self.position = position.into();
        self
    }

    /// The same problem with the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same problem under the number of its edge, as `E35`.
    #[must_use]
    pub fn edge(mut self, edge: &'static str) -> Self {
        self.edge = Some(edge);
        self
    }
}

/// All problems that were found in one template, in the order of their places.
///
/// `Display` shows each as `file:line:column: path: what`, the line itself, a caret, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    file: String,
    source: Arc<str>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The problems `list` of the template `file` with the text `source`; sorted by place, the same one kept once, however
    /// closely its path was known.
    pub fn new(file: impl Into<String>, source: Arc<str>, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by(|a, b| (a.position, &a.path).cmp(&(b.position, &b.path)));
        let mut told = HashSet::new();
        list.retain(|problem| {
            let path = problem.position.is_none().then(|| problem.path.clone());
            told.insert((problem.position, path, problem.message.clone()))
        });
        Self { file: file.into(), source, list }
    }

    /// The template's file name, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The problems, sorted by place; those without a place come first.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Takes the problems of another look at the same template in.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        let mut list = std::mem::take(&mut self.list);
        list.extend(more);
        *self = Self::new(std::mem::take(&mut self.file), self.source.clone(), list);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().take(SHOWN).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.show(diagnostic, f)?;
        }
        match self.list.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "\n{}: and {more} more", self.file),
        }
    }
}

impl Diagnostics {
    fn show(&self, diagnostic: &Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(Position { line, column }) = diagnostic.position {
            write!(f, ":{line}:{column}")?;
        }
        if !diagnostic.path.is_empty() {
            write!(f, ": {}", printable(&diagnostic.path))?;
        }
        write!(f, ": {}", printable(&diagnostic.message))?;
        if let Some(edge) = diagnostic.edge {
            write!(f, " ({edge})")?;
        }
        writeln!(f)?;
        if let Some(position) = diagnostic.position {
            self.show_line(position, f)?;
        }
        if let Some(help) = &diagnostic.help {
            writeln!(f, "  help: {}", printable(help))?;
        }
        Ok(())
    }

    /// The line of the place with a caret under the column; a long line is cut around it.
    fn show_line(&self, position: Position, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BEFORE: usize = 60;
        const AFTER: usize = 60;
        let Some(line) = self.source.lines().nth(position.line - 1) else {
            return Ok(());
        };
        let from = position.column.saturating_sub(1 + BEFORE);
        let shown: String = line.chars().skip(from).take(BEFORE + AFTER).collect();
        let number = position.line.to_string();
        let width = number.len();
        writeln!(f, "  {number} | {}", printable(&shown))?;
        let caret = position.column - from;
        writeln!(f, "  {:width$} | {:>caret$}", "", "^")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostics(source: &str, list: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new("a.yaml", source.into(), list)
    }

    #[test]
    fn every_problem_is_shown_in_the_order_of_its_place() {
        let shown = diagnostics(
            "one\ntwo: three\n",
            vec![
                Diagnostic::new("two", "is wrong").at(Position { line: 2, column: 6 }).help("write four").edge("E1"),
                Diagnostic::new("one", "is no mapping").at(Position { line: 1, column: 1 }),
                Diagnostic::new("", "has no end"),
            ],
        )
        .to_string();
        let expected = "a.yaml: has no end\n\n\
            a.yaml:1:1: one: is no mapping\n  1 | one\n    | ^\n\n\
            a.yaml:2:6: two: is wrong (E1)\n  2 | two: three\n    |      ^\n  help: write four\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_same_problem_is_shown_once() {
        let twice = vec![Diagnostic::new("a", "b"), Diagnostic::new("a", "b")];
        assert_eq!(diagnostics("", twice).list().len(), 1);
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let source = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let place = Position { line: 1, column: 501 };
        let shown = diagnostics(&source, vec![Diagnostic::new("p", "m").at(place)]).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].len() < 140);
        assert_eq!(lines[1].find('X'), lines[2].find('^'));
    }

    #[test]
    fn control_characters_of_the_template_do_not_reach_the_terminal() {
        let shown =
            diagnostics("\u{1b}[31mred", vec![Diagnostic::new("\u{1b}p", "m").at(Position { line: 1, column: 1 })])
                .to_string();
        assert!(!shown.contains('\u{1b}'));
    }
}
