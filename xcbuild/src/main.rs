//! The `xcbuild` program: parse, run, exit code.

fn main() {}
