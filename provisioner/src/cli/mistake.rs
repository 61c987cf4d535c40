//! A mistake on the command line, in the three parts of every failure.

use clap::error::ErrorKind;

use crate::error::Failure;

/// What clap says of it: its first paragraph is what happened, its tips are what to do.
pub fn mistake(error: &clap::Error) -> Failure {
    let nothing = [ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ErrorKind::MissingSubcommand];
    if nothing.contains(&error.kind()) {
        return Failure::usage("a command is missing", "the command line").help(HELP);
    }
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let what = paragraphs.next().unwrap_or_default();
    let tips: Vec<_> = paragraphs.filter_map(|one| one.strip_prefix("tip: ").map(str::to_owned)).collect();
    let help = if tips.is_empty() { HELP.to_owned() } else { tips.join("; ") };
    Failure::usage(what.trim_start_matches("error: "), "the command line").help(help)
}

const HELP: &str = "see provision --help, or the command's own --help";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn told(line: &str) -> String {
        mistake(&Cli::try_parse_from(line.split(' ')).unwrap_err()).to_string()
    }

    #[test]
    fn what_clap_says_has_three_parts() {
        let unknown = told("provision plam");
        assert!(
            unknown.starts_with("unrecognized subcommand 'plam'\n  which: the command line\n  help: "),
            "{unknown}"
        );
        assert!(unknown.contains("'plan'"), "{unknown}");
        let missing = told("provision secret");
        assert!(missing.contains("help: see provision --help"), "{missing}");
        let none = told("provision download --jobs 0");
        assert!(none.starts_with("invalid value '0' for '--jobs <N>'") && none.contains("1..=255"), "{none}");
    }
}
