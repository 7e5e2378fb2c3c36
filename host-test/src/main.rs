//! The host-test command.
fn main() {}
