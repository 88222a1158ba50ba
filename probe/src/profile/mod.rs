//! Pure data: what was sampled, what it is called, and what was lost.
//!
//! Nothing here does I/O, reads a clock, or starts a thread, and nothing here
//! imports another module of this crate (`tests/architecture.rs` holds both).
//! Names follow the profiling field: pprof and the OpenTelemetry profiles
//! signal call these things Sample, Stack, Location, Mapping, Function and
//! Line as well.

pub mod books;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub mod flame;
mod forest;
pub mod frame;
pub mod handle;
pub mod label;
pub mod process;
pub mod processes;
pub mod quality;
pub mod query;
mod select;
pub mod shelf;
pub mod slice;
pub mod snapshot;
pub mod source;
pub mod stack;
pub mod store;
pub mod symbol;
pub mod text;
pub mod top;

pub use books::{Books, KernelBooks, Latency, TableBooks, UserBooks, WalkEnd};
pub use filter::{Filter, FilterError, Term};
pub use flame::{Direction, FlameNode, FlameOptions, FlameTree};
pub use frame::{BuildId, Frame, FrameKind, Mapping, MappingKind};
pub use handle::{
    FrameHandle, FunctionHandle, Handle, HostHandle, MappingHandle, ProcessHandle, StackHandle,
    SymbolHandle, ThreadHandle,
};
pub use label::Label;
pub use process::{Host, Place, Process, ProcessKey, Thread};
pub use processes::{ProcessRow, ProcessTable};
pub use quality::{Call, Code, Quality, Verdict};
pub use query::{Grouping, Query, Range, Scope};
pub use shelf::Shelf;
pub use slice::{Point, Slice};
pub use snapshot::{Moment, SampleType, Snapshot, Tables};
pub use source::{Command, Source};
pub use stack::{StackNode, StackTree};
pub use store::{Budget, Store};
pub use symbol::{Function, Line, Naming, Symbol, Unresolved};
pub use text::Text;
pub use top::{TopRow, TopTable};
