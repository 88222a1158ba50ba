//! Who runs and what is mapped: `/proc`, cgroups, files, and the lives of
//! processes over time.
//!
//! ```text
//!  /proc ─▶ scan ─▶ Seen ──▶ table ──▶ Incarnation {name, place, regions}
//!  kernel's records ─▶ Event ─▶ ▲            │
//!  sample (pid, start, exec id) ─┘           └─▶ files: the file of a region
//! ```

pub mod cgroup;
pub mod clock;
pub mod event;
pub mod files;
pub mod intern;
pub mod launch;
pub mod life;
pub mod maps;
pub mod open;
pub mod place;
pub mod proc;
pub mod regions;
pub mod scan;
pub mod stat;
pub mod table;
pub mod user;

pub use cgroup::Cgroups;
pub use event::{Change, Event};
pub use files::{Files, Opened, Proof};
pub use life::Incarnation;
pub use open::OpenError;
pub use proc::Proc;
pub use regions::{Region, RegionFile, Regions};
pub use scan::{Scan, Seen};
pub use stat::StartRange;
pub use table::{Counts, Table, Who};
