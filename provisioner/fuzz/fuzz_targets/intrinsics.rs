//! Any text at all, as the value of a property in a template that has something of everything to refer to.
#![no_main]

#[allow(dead_code, unused_imports, reason = "the module's whole face is here, and not all of it is called")]
#[path = "../../src/template/mod.rs"]
mod template;

#[path = "../walk.rs"]
mod walk;

const BEFORE: &str = "\
Parameters:
  Word: {Type: String, Default: hello}
  Many: {Type: CommaDelimitedList, Default: 'x, y, z'}
  Size: {Type: Number, Default: 5}
  Secret: {Type: String, Default: hush, NoEcho: true}
Mappings:
  Table: {us-east-1: {Size: 7, Names: [a, b]}}
Conditions:
  Right: !Equals [!Ref Word, hello]
  Wrong: !Not [!Condition Right]
Resources:
  Other: {Type: AWS::SQS::Queue}
  Thing:
    Type: AWS::SQS::Queue
    Properties:
      Value: ";

libfuzzer_sys::fuzz_target!(|value: &str| walk::walk(&format!("{BEFORE}{value}\n")));
