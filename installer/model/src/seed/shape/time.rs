//! When something is done.

use super::super::reader::Wrong;

const WORDS: &[&str] =
    &["hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually"];

/// A systemd calendar expression (systemd.time(7)): a word, or weekdays, date, time and zone, each
/// where it is wanted. systemd itself has the last word when the timer is written.
pub(in super::super) fn schedule(text: &str) -> Result<String, Wrong> {
    let wrong = || {
        let way_out = "write `daily`, `*-*-* 03:00:00` or `Sun 04:30`";
        Wrong::new(format!("`{text}` is no systemd calendar expression"), way_out)
    };
    if WORDS.contains(&text) {
        return Ok(text.to_owned());
    }
    if text.split_whitespace().count() == 5 && text.bytes().all(|b| b"0123456789*/,- ".contains(&b))
    {
        let what = format!("`{text}` is written for cron");
        return Err(Wrong::new(what, "write it for systemd: `*-*-* 03:00:00` is 3:00 every day"));
    }
    let mut words = text.split(' ').peekable();
    let mut count = 0;
    for check in [is_weekdays as fn(&str) -> bool, is_date, is_time] {
        if words.next_if(|word| check(word)).is_some() {
            count += 1;
        }
    }
    let zone = words.next().is_none_or(|word| super::timezone(word).is_ok());
    (count > 0 && zone && words.next().is_none()).then(|| text.to_owned()).ok_or_else(wrong)
}

/// `Mon`, `Sat,Sun`, `Mon..Fri`
fn is_weekdays(word: &str) -> bool {
    let day = |day: &str| {
        let day = day.to_lowercase();
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
            .iter()
            .any(|name| day == *name || day == name[..3])
    };
    word.split(',').all(|part| part.split("..").count() <= 2 && part.split("..").all(day))
}

/// `*-*-*`, `2027-01-01`, `*-*-01,15`
fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let limit: &[u32] = &[9999, 12, 31];
    match parts.len() {
        2 => parts.iter().zip(&limit[1..]).all(|(part, limit)| is_part(part, *limit)),
        3 => parts
            .iter()
            .zip(limit)
            .all(|(part, limit)| is_part(part.trim_start_matches('~'), *limit)),
        _ => false,
    }
}

/// `03:00`, `03:00:00`, `*:0/15`
fn is_time(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().zip([23, 59, 59]).all(|(part, limit)| is_part(part, limit))
}

/// `*`, or numbers joined by `,` with `..` and `/`, none above the limit.
fn is_part(part: &str, limit: u32) -> bool {
    let number = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u32>().is_ok_and(|n| n <= limit)
    };
    part.split(',').all(|item| {
        let (range, step) = item.split_once('/').map_or((item, "1"), |(range, step)| (range, step));
        let range =
            range == "*" || (range.split("..").count() <= 2 && range.split("..").all(number));
        range && number(step)
    })
}
