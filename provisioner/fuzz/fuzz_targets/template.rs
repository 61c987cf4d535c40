//! Any text at all, as a template: it is read, bound, and resolved, or refused with places that are in the text.
#![no_main]

#[allow(dead_code, unused_imports, reason = "the module's whole face is here, and not all of it is called")]
#[path = "../../src/template/mod.rs"]
mod template;

#[path = "../walk.rs"]
mod walk;

libfuzzer_sys::fuzz_target!(|text: &str| walk::walk(text));
