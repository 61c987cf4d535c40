//! The built binary's zips: the same bytes wherever and whenever they are built.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use testkit::emulator::tool;
use testkit::provision::Provision;

const TEMPLATE: &str = "Resources:
  Greeter:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Role: arn:aws:iam::000000000000:role/greeter
      Code: .
";
const MANIFEST: &str = "[package]\nname = \"greeter\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
/// Generated code that can panic carries its path into the binary, and so does `file!`: what differs between two folders.
const BUILD: &str = r#"fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let code = "pub fn generated(n: usize) -> u8 { [1, 2, 3][n % 4] }";
    std::fs::write(format!("{out}/generated.rs"), code).unwrap();
}
"#;
const MAIN: &str = r#"include!(concat!(env!("OUT_DIR"), "/generated.rs"));

fn main() {
    println!("{} {}", file!(), generated(std::env::args().count()));
}
"#;

/// A person whose working folder is the project, with the tools of this folder.
fn person(tools: String) -> Provision {
    Provision::new(env!("CARGO_BIN_EXE_provision"))
        .env("PROVISION_TOOLS", tools)
        .file("greeter.yaml", TEMPLATE)
        .file("Cargo.toml", MANIFEST)
        .file("build.rs", BUILD)
        .file("src/main.rs", MAIN)
}

/// Builds the project in a folder of its own; what `package` says, and the zip's bytes.
fn package() -> (Value, Vec<u8>) {
    // The project is not this workspace: its tools are where this one's are.
    let cargo_lambda = tool("cargo-lambda");
    let tools = cargo_lambda.ancestors().nth(2).unwrap_or(&cargo_lambda).display().to_string();
    let user = person(tools);
    let said = user.run(["package", "--template", "greeter.yaml", "--json"]).succeeds().json();
    let path = user.folder().join(said["packages"][0]["path"].as_str().unwrap());
    let bytes = std::fs::read(path).unwrap();
    (said, bytes)
}

#[test]
fn e20_two_builds_in_two_folders_give_the_same_zip_byte_for_byte() {
    let ((first, bytes), (second, again)) = (package(), package());
    assert_eq!(first["packages"][0]["sha256"], second["packages"][0]["sha256"]);
    assert!(bytes == again, "{first}\n{second}");
    assert_ne!(first["packages"][0]["path"], "", "{first}");
}

#[test]
fn the_last_words_of_a_failed_build_are_told_whatever_their_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bin/cargo-lambda");
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    std::fs::write(&program, "#!/bin/sh\nprintf 'caf\\351\\nerror: the reason\\n' >&2\nexit 101\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let failed = person(folder.path().display().to_string()).run(["package", "--template", "greeter.yaml"]).exits(1);
    failed.complains("caf\u{fffd}").complains("error: the reason");
}
