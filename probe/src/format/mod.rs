//! The bytes that leave and enter: one file for each format, each a pure
//! conversion between [`profile`](crate::profile) types and bytes.

pub mod folded;
