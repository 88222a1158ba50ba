//! Reusable parts of the screen. They know ratatui, the theme and plain data,
//! and nothing of the app.

pub mod bar;
pub mod canvas;
pub mod clip;
pub mod segments;
pub mod table;
