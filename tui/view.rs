//! The thread that computes what screens show: queries in, tables out. Drawing
//! never computes, so a large snapshot cannot make a key wait.
//!
//! One request is under way at a time, and [`crate::app::App`] asks again with
//! the newest snapshot when it is done: the newest wins, and nothing queues up.

use crate::event::Event;
use crate::pulse::Pulse;
use crate::sort::{ProcessColumn, Sort, TopColumn, sort_processes, sort_top};
use anyhow::{Context as _, Result};
use probe::profile::{
    FlameOptions, FlameTree, Grouping, ProcessTable, Query, Snapshot, TopTable, flame, processes,
    top,
};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;
use tokio::sync::mpsc::Sender;

/// What to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The top list, in this order.
    Top(Sort<TopColumn>),
    /// The flame tree.
    Flame,
    /// The process list, in this order.
    Processes(Sort<ProcessColumn>),
    /// Nothing but the header's figures.
    Pulse,
}

/// A question about a snapshot.
#[derive(Clone, Debug)]
pub struct Request {
    /// About what.
    pub snapshot: Arc<Snapshot>,
    /// The header's figures are about this one, which may be newer.
    pub newest: Arc<Snapshot>,
    /// Which samples.
    pub query: Query,
    /// In which form.
    pub ask: Ask,
    /// Given back with the answer.
    pub generation: u64,
}

/// What was computed.
#[derive(Clone, Debug)]
pub enum Data {
    /// For [`Ask::Top`].
    Top(TopTable),
    /// For [`Ask::Flame`].
    Flame(FlameTree),
    /// For [`Ask::Processes`].
    Processes(ProcessTable),
    /// For [`Ask::Pulse`].
    Nothing,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct View {
    /// As in the request.
    pub generation: u64,
    /// What the screen shows.
    pub data: Data,
    /// What the header shows.
    pub pulse: Pulse,
    /// How long it took, in ns.
    pub took_ns: u64,
}

/// Answers a request.
#[must_use]
pub fn compute(request: &Request) -> View {
    let start = Instant::now();
    let Request { snapshot, newest, query, ask, generation } = request;
    let data = match ask {
        Ask::Top(sort) => {
            let mut table = top::top(snapshot, query, Grouping::Function);
            sort_top(&mut table, *sort);
            Data::Top(table)
        }
        Ask::Flame => Data::Flame(flame::flame(snapshot, query, FlameOptions::default())),
        Ask::Processes(sort) => {
            let mut table = processes::processes(snapshot, query);
            sort_processes(&mut table, *sort);
            Data::Processes(table)
        }
        Ask::Pulse => Data::Nothing,
    };
    let pulse = Pulse::of(newest);
    let took_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    View { generation: *generation, data, pulse, took_ns }
}

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Worker {
    requests: SyncSender<Request>,
}

impl Worker {
    /// Starts it; answers come as [`Event::Computed`].
    ///
    /// # Errors
    ///
    /// Where the system has no room for a thread.
    pub fn start(events: Sender<Event>) -> Result<Self> {
        let (requests, inbox) = sync_channel(1);
        std::thread::Builder::new()
            .name("otop-view".to_owned())
            .spawn(move || serve(&inbox, &events))
            .context("cannot start the view thread")?;
        Ok(Self { requests })
    }

    /// Asks. The app has one request under way at most, so there is room.
    pub fn ask(&self, request: Request) {
        let _ = self.requests.try_send(request);
    }
}

fn serve(inbox: &Receiver<Request>, events: &Sender<Event>) {
    while let Ok(request) = inbox.recv() {
        let view = compute(&request);
        // Its memory goes back before the answer is looked at.
        drop(request);
        if events.blocking_send(Event::Computed(Box::new(view))).is_err() {
            break;
        }
    }
}
