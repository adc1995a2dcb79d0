//! The `straykey` command.

fn main() {}
