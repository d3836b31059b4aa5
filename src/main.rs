//! The `inkdex` command.
fn main() {}
