//! How far stacks can be trusted, in words and for programs.

use crate::counters::{Entry, Section, Tone};
use crate::format::{count, percent_of};
use probe::profile::{Process, ProcessKey, Quality, Snapshot, WalkEnd};
use serde_json::{Map, Value, json};

/// A smaller share of complete stacks is worth a look.
pub const COMPLETE_WARNS: f64 = 0.95;

/// A larger share of wrong frames is worth a look.
const WRONG_WARNS: f64 = 0.001;

/// Processes that are shown for their incomplete stacks.
const WORST_LEN: usize = 5;

/// A process with fewer user stacks says too little to be among the worst.
const WORST_STACKS_MIN: u64 = 10;

/// The share of complete stacks in %, with its sign; a dash where there are no
/// user stacks.
#[must_use]
pub fn complete_text(quality: &Quality) -> String {
    quality.complete_share().map_or_else(|| "-".to_owned(), |share| percent_of(share) + "%")
}

/// How walks ended, and what came of the check of frames.
#[must_use]
pub fn sections(quality: &Quality) -> [Section; 2] {
    let Quality { ends, checked, wrong, unexpected } = *quality;
    let ends = WalkEnd::ALL.iter().zip(ends);
    let ends = ends.map(|(end, n)| Entry::number(end.words().replace(' ', "_"), n)).collect();
    let complete = quality.complete_share();
    let wrong_share = quality.wrong_share();
    // A thousandth of a percent is a frame in 100,000.
    let wrong_text = wrong_share.map_or_else(|| "-".to_owned(), |s| format!("{:.3}%", s * 100.0));
    let checks = vec![
        Entry {
            tone: tone(complete.map(|share| share >= COMPLETE_WARNS)),
            ..Entry::new("complete_share", complete_text(quality), json!(complete))
        },
        Entry::number("frames_checked", checked),
        Entry::number("frames_wrong", wrong),
        Entry {
            tone: tone(wrong_share.map(|share| share <= WRONG_WARNS)),
            ..Entry::new("wrong_share", wrong_text, json!(wrong_share))
        },
        Entry::number("unexpected_callees", unexpected),
    ];
    [Section { title: "stacks", entries: ends }, Section { title: "quality", entries: checks }]
}

fn tone(good: Option<bool>) -> Tone {
    match good {
        Some(true) => Tone::Good,
        Some(false) => Tone::Warn,
        None => Tone::Plain,
    }
}

/// The processes with the largest share of incomplete stacks; None where every
/// stack is complete.
#[must_use]
pub fn least_complete(snapshot: &Snapshot) -> Option<Section> {
    let mut worst: Vec<_> = processes(snapshot)
        .filter(|(_, quality)| quality.incomplete() > 0)
        .filter(|(_, quality)| quality.user_stacks() >= WORST_STACKS_MIN)
        .collect();
    worst.sort_by(|(a_process, a), (b_process, b)| {
        // As fractions: a/b < c/d where a*d < c*b.
        let left = u128::from(b.incomplete()) * u128::from(a.user_stacks());
        let right = u128::from(a.incomplete()) * u128::from(b.user_stacks());
        left.cmp(&right).then_with(|| a_process.key.cmp(&b_process.key))
    });
    let entry = |(process, quality): &(&Process, &Quality)| {
        let Process { key: ProcessKey { pid, .. }, name, .. } = process;
        let label = format!("{name} {pid}");
        let text = format!("{} of {}", complete_text(quality), count(quality.user_stacks()));
        Entry { label, ..Entry::new(pid.to_string(), text, json!(quality.complete_share())) }
    };
    let entries: Vec<_> = worst.iter().take(WORST_LEN).map(entry).collect();
    (!entries.is_empty()).then_some(Section { title: "least complete", entries })
}

/// The processes that samples are kept of, each with what is known of its stacks.
#[must_use]
pub fn json_of_processes(snapshot: &Snapshot) -> Value {
    let rows = processes(snapshot).map(|(process, quality)| {
        let Process { key: ProcessKey { pid, start_ns, exec_id, .. }, name, .. } = process;
        let mut object = Map::new();
        object.insert("pid".to_owned(), json!(pid));
        object.insert("start_ns".to_owned(), json!(start_ns));
        object.insert("exec_id".to_owned(), json!(exec_id));
        object.insert("name".to_owned(), json!(name.as_str()));
        for Section { title, entries } in sections(quality) {
            let entries = entries.into_iter().map(|entry| (entry.key, entry.value));
            object.insert(title.to_owned(), Value::Object(entries.collect()));
        }
        Value::Object(object)
    });
    rows.collect()
}

fn processes(snapshot: &Snapshot) -> impl Iterator<Item = (&Process, &Quality)> {
    let tables = &snapshot.tables;
    let qualities = tables.qualities.iter().map(|(_, quality)| quality);
    tables.processes.iter().map(|(_, process)| process).zip(qualities)
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe::profile::{Budget, Handle as _, HostHandle, Moment, Place, Store};

    /// Processes by (pid, complete stacks, incomplete ones).
    fn snapshot(processes: &[(u32, u64, u64)]) -> Snapshot {
        let mut store = Store::new(Budget::default(), Vec::new());
        for (pid, complete, incomplete) in processes {
            let host = HostHandle::from_index(0);
            let key = ProcessKey { host, pid: *pid, start_ns: 1, exec_id: 1 };
            let process = store.process(key, || Process {
                key,
                name: "a_b".into(),
                exe: None,
                place: Place::default(),
            });
            let mut quality = Quality::default();
            quality.ends[WalkEnd::Root as usize] = *complete;
            quality.ends[WalkEnd::NoRow as usize] = *incomplete;
            quality.ends[WalkEnd::NoUser as usize] = 7;
            store.add_quality(process, quality);
        }
        store.snapshot(Moment::default(), probe::profile::Books::default())
    }

    #[test]
    fn the_worst_come_first() {
        let processes = [
            (1, 99, 1),
            (2, 0, 9),
            (3, 50, 0),
            (4, 6, 6),
            (5, 20, 30),
            (6, 9, 1),
            (7, 9, 1),
            (8, 1, 99),
        ];
        let section = least_complete(&snapshot(&processes)).unwrap();
        let lines: Vec<_> =
            section.entries.iter().map(|e| format!("{}: {}", e.label, e.text)).collect();
        let expected = [
            "a_b 8: 1.0% of 100",
            "a_b 5: 40.0% of 50",
            "a_b 4: 50.0% of 12",
            "a_b 6: 90.0% of 10",
            "a_b 7: 90.0% of 10",
        ];
        assert_eq!(lines, expected);
        assert_eq!(least_complete(&snapshot(&[(1, 50, 0), (2, 1, 1)])), None);
    }

    #[test]
    fn programs_are_told_of_each_process() {
        let json = json_of_processes(&snapshot(&[(1, 3, 1), (2, 0, 0)]));
        assert_eq!(json[0]["pid"], 1);
        assert_eq!(json[0]["stacks"]["no_unwind_row"], 1);
        assert_eq!(json[0]["stacks"]["no_user_stack"], 7);
        assert_eq!(json[0]["quality"]["complete_share"], 0.75);
        assert_eq!(json[0]["quality"]["wrong_share"], Value::Null);
        assert_eq!(json[1]["quality"]["complete_share"], Value::Null);
    }
}
