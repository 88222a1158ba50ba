//! The kernel's side: what it allows, and what it is asked.

pub mod doctor;
