//! Every template that the project ships is read, bound with its defaults, and resolved.

use std::path::{Path, PathBuf};

use crate::support::resolve_all;

fn templates() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let mut found = Vec::new();
    for folder in [root.clone(), root.join("examples")] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let paths = entries.map(|entry| entry.unwrap().path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "json")));
    }
    found
}

#[test]
fn every_shipped_template_is_right() {
    let templates = templates();
    assert!(!templates.is_empty());
    for path in templates {
        let text = std::fs::read_to_string(&path).unwrap();
        // A resource's attributes depend on its type, which is the providers' matter.
        if let Err(problems) = resolve_all(&path.display().to_string(), &text, &[]) {
            let own = problems.list().iter().all(|problem| problem.message.contains("has no attribute"));
            assert!(own, "{problems}");
        }
    }
}
