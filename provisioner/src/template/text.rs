//! Words for people: the nearest name, a list of names, text that is safe to show.

/// `text` with every control character replaced by a blank, a column for a column.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The name among `known` that `name` was probably meant to be: a slip of the pen away, a part of it, or the other
/// way round.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const SHORTEST: usize = 3;
    let wanted = name.to_lowercase();
    let near = known.into_iter().filter_map(|candidate| {
        let lower = candidate.to_lowercase();
        let distance = strsim::damerau_levenshtein(&wanted, &lower);
        let is_part = wanted.len() >= SHORTEST && lower.contains(&wanted);
        // A type's name is part of other types' names, which are meant as they stand.
        let has_part = lower.len() > SHORTEST && wanted.contains(&lower) && !lower.contains("::");
        (is_part || has_part || distance <= candidate.chars().count().max(3) / 3).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
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
        assert_eq!(nearest("Jobs", known), Some("JobsQueue"));
        assert_eq!(nearest("Bucket", known), None);
        assert_eq!(nearest("Letters", known), Some("DeadLetters"));
        assert_eq!(nearest("LambdaRole", known), Some("Role"));
        assert_eq!(nearest("AWS::IAM::RolePolicy", ["AWS::IAM::Role"]), None);
    }

    #[test]
    fn a_strange_name_lists_those_there_are() {
        assert_eq!(suggest("X", ["Aaa", "Bbb"], "things"), "known: Aaa, Bbb");
        assert_eq!(suggest("X", [], "things"), "the template has no things");
    }
}
