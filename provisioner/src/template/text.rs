//! Words for people: the nearest name, a list of names, text that is safe to show.

/// `text` with every control character replaced by a blank, a column for a column.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The name among `known` that `name` was probably meant to be.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to do about an unknown name: the nearest one, else those there are, of which a handful is shown.
pub(super) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, kind: &str) -> String {
    const SHOWN: usize = 8;
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean '{near}'?");
    }
    match known.len() {
        0 => format!("the template has no {kind}"),
        n if n <= SHOWN => format!("known: {}", known.join(", ")),
        n => format!("known: {} and {} more", known[..SHOWN].join(", "), n - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_the_name() {
        let known = ["JobsQueue", "DeadLetters", "Role"];
        assert_eq!(nearest("JobQueue", known), Some("JobsQueue"));
        assert_eq!(nearest("deadletters", known), Some("DeadLetters"));
        assert_eq!(nearest("Roel", known), Some("Role"));
        assert_eq!(nearest("Bucket", known), None);
    }

    #[test]
    fn a_strange_name_lists_those_there_are() {
        assert_eq!(suggest("X", ["Aaa", "Bbb"], "things"), "known: Aaa, Bbb");
        assert_eq!(suggest("X", [], "things"), "the template has no things");
    }
}
