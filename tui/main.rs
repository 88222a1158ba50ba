//! otop.
fn main() {}
