//! Numbers for people: short, of one width where they stand in a column, and
//! never more exact than they are.

use std::time::Duration;

/// The part of `whole` that `part` is, from 0 to 1; 0 of nothing is 0.
#[must_use]
pub fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 53rd bit")]
    let share = part as f64 / whole.max(1) as f64;
    share
}

/// `part` of `whole` in %, with one decimal, without the sign: `18.4`, `100`.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    percent_of(share(part, whole))
}

/// A share from 0 to 1 in %, with one decimal, without the sign.
#[must_use]
pub fn percent_of(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 99.95 { format!("{percent:.0}") } else { format!("{percent:.1}") }
}

/// How many of `width` cells stand for `part` of `whole`, rounded to the
/// nearest, never more than `width`.
#[must_use]
pub fn cells(part: u64, whole: u64, width: u16) -> u16 {
    let whole = u128::from(whole.max(1));
    let cells = (u128::from(part) * u128::from(width) * 2 + whole) / (whole * 2);
    u16::try_from(cells).unwrap_or(width).min(width)
}

/// A number with its thousands set apart: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 process`, `4 processes`.
#[must_use]
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A number in at most five characters: `999`, `12.4k`, `3.1M`.
#[must_use]
pub fn short(number: u64) -> String {
    scaled(number, 1000, 99.95, &["", "k", "M", "G", "T", "P", "E"])
}

/// Bytes in powers of 1024, in at most five characters: `1.5G`, `41M`, `1023K`.
#[must_use]
pub fn bytes(number: u64) -> String {
    scaled(number, 1024, 9.95, &["B", "K", "M", "G", "T", "P", "E"])
}

/// In the largest unit that is not more than it, whole from `whole_from` on.
fn scaled(number: u64, step: u64, whole_from: f64, units: &[&str]) -> String {
    let mut unit = 1_u64;
    let mut names = units.iter();
    let mut name = names.next().copied().unwrap_or_default();
    while number / unit >= step {
        let Some(next) = names.next() else { break };
        (unit, name) = (unit * step, next);
    }
    let value = share(number, unit);
    if unit == 1 || value >= whole_from {
        format!("{value:.0}{name}")
    } else {
        format!("{value:.1}{name}")
    }
}

/// A length of time in its two largest units: `340ms`, `12s`, `1m02s`, `3h07m`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let (seconds, ns) = (time.as_secs(), time.as_nanos());
    match seconds {
        0 if ns < 1_000 => format!("{ns}ns"),
        0 if ns < 1_000_000 => format!("{}us", time.as_micros()),
        0 => format!("{}ms", time.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// [`duration`] of a number of ns.
#[must_use]
pub fn duration_ns(ns: u64) -> String {
    duration(Duration::from_nanos(ns))
}

/// The time of day in UTC of a Unix time in ns: `12:03:11Z`.
#[must_use]
pub fn time_of_day(wall_ns: u64) -> String {
    let seconds = wall_ns / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_keep_to_four_characters() {
        let check = |part, whole, expected| assert_eq!(percent(part, whole), expected);
        check(0, 0, "0.0");
        check(1, 3, "33.3");
        check(9_994, 10_000, "99.9");
        check(9_996, 10_000, "100");
        check(5, 5, "100");
        check(u64::MAX, u64::MAX, "100");
    }

    #[test]
    fn cells_round_to_the_nearest_and_never_overflow() {
        let check = |part, whole, width, expected| assert_eq!(cells(part, whole, width), expected);
        check(0, 0, 10, 0);
        check(1, 20, 10, 1);
        check(1, 21, 10, 0);
        check(7, 5, 10, 10);
        check(u64::MAX, u64::MAX, u16::MAX, u16::MAX);
    }

    #[test]
    fn numbers_are_short() {
        let check = |number, expected| assert_eq!(short(number), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1.0k");
        check(12_400, "12.4k");
        check(999_999, "1000k");
        check(3_100_000, "3.1M");
        check(u64::MAX, "18.4E");
        assert_eq!(bytes(43_000_000), "41M");
        assert_eq!(bytes(1_600_000_000), "1.5G");
        assert_eq!(bytes(512), "512B");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(plural(1, "process", "processes"), "1 process");
    }

    #[test]
    fn times_have_at_most_two_units() {
        let check = |ns, expected| assert_eq!(duration_ns(ns), expected);
        check(12, "12ns");
        check(3_400, "3us");
        check(340_000_000, "340ms");
        check(12_900_000_000, "12s");
        check(62_000_000_000, "1m02s");
        check(120_000_000_000, "2m");
        check(11_220_000_000_000, "3h07m");
        assert_eq!(time_of_day(1_700_000_000_000_000_000), "22:13:20Z");
    }
}
