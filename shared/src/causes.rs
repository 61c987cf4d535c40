//! An error in one line.

use std::error::Error;

/// An error with its causes, each said once.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Told {
        said: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn each_cause_is_said_once() {
        let cause = |said, source| Some(Box::new(Told { said, source }));
        let error = Told { said: "no page: cut", source: cause("cut", cause("reset by peer", None)) };
        assert_eq!(with_causes(&error), "no page: cut: reset by peer");
    }
}
