//! Numbers as a person reads them.

use std::time::Duration;

/// Bytes with three digits at most and a decimal unit: `999 B`, `1.5 kB`, `35.0 MB`, `120 GB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ if value < 99.95 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// A clock that counts up: `0:07`, `12:34`, `1:02:03`.
pub fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// How long something took: `0.4 s`, `59.9 s`, `2 min 5 s`, `1 h 2 min`.
pub fn seconds(count: f64) -> String {
    if count < 59.95 {
        return format!("{count:.1} s");
    }
    let whole = count.round() as u64;
    if whole < 3600 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{} h {} min", whole / 3600, whole % 3600 / 60)
    }
}

/// `done` of `total` in per cent, rounded down, at most 100; none when the total is not known.
pub fn percent(done: u64, total: u64) -> Option<u64> {
    (total > 0).then(|| (u128::from(done) * 100 / u128::from(total)).min(100) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (35_000_000, "35.0 MB"),
            (120_000_000_000, "120 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn times() {
        for (count, text) in [(7, "0:07"), (754, "12:34"), (3723, "1:02:03")] {
            assert_eq!(clock(Duration::from_secs(count)), text);
        }
        for (count, text) in
            [(0.44, "0.4 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (3720.0, "1 h 2 min")]
        {
            assert_eq!(seconds(count), text);
        }
    }

    #[test]
    fn percent_never_exceeds_and_never_divides_by_zero() {
        assert_eq!(percent(1, 0), None);
        assert_eq!(percent(1, 3), Some(33));
        assert_eq!(percent(9, 3), Some(100));
        assert_eq!(percent(u64::MAX, u64::MAX), Some(100));
    }
}
