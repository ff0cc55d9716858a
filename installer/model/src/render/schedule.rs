//! systemd's calendar expressions in the words of cron, for programs that know only these.

/// Named expressions of systemd.time(7) that cron can say, too.
const WORDS: [(&str, &str); 9] = [
    ("minutely", "* * * * *"),
    ("hourly", "0 * * * *"),
    ("daily", "0 0 * * *"),
    ("weekly", "0 0 * * 1"),
    ("monthly", "0 0 1 * *"),
    ("quarterly", "0 0 1 1,4,7,10 *"),
    ("semiannually", "0 0 1 1,7 *"),
    ("yearly", "0 0 1 1 *"),
    ("annually", "0 0 1 1 *"),
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The five fields of crontab(5) for a calendar expression; none where cron cannot say the same:
/// seconds, years, time zones, and days of the week together with days of the month.
pub(crate) fn cron(schedule: &str) -> Option<String> {
    if let Some((_, fields)) = WORDS.iter().find(|(word, _)| *word == schedule) {
        return Some((*fields).to_owned());
    }
    let (mut weekdays, mut date, mut time) = (None, None, None);
    for word in schedule.split_whitespace() {
        let place = match word {
            _ if word.contains(':') => &mut time,
            _ if word.starts_with(|c: char| c.is_ascii_alphabetic()) => &mut weekdays,
            _ => &mut date,
        };
        if place.replace(word).is_some() {
            return None;
        }
    }
    let week = match weekdays {
        Some(word) => weekday_field(word)?,
        None => "*".to_owned(),
    };
    let (month, day) = match date {
        Some(word) => date_fields(word)?,
        None => ("*".to_owned(), "*".to_owned()),
    };
    // Cron takes either of the two, systemd wants both.
    if week != "*" && day != "*" {
        return None;
    }
    let (hour, minute) = match time {
        Some(word) => time_fields(word)?,
        None => ("0".to_owned(), "0".to_owned()),
    };
    Some(format!("{minute} {hour} {day} {month} {week}"))
}

fn weekday_field(word: &str) -> Option<String> {
    let number = |name: &str| {
        let name = name.to_lowercase();
        DAYS.iter().position(|day| name.starts_with(day))
    };
    let part = |part: &str| match part.split_once("..") {
        None => number(part).map(|day| day.to_string()),
        // Cron's week begins on Sunday. Some crons, Backrest's among them, take a day 7 and then
        // never run on it.
        Some((from, to)) => match (number(from)?, number(to)?) {
            (0, 0) => Some("0".to_owned()),
            (6, 0) => Some("6,0".to_owned()),
            (from, 0) => Some(format!("{from}-6,0")),
            (from, to) => (from <= to).then(|| format!("{from}-{to}")),
        },
    };
    word.split(',').map(part).collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
}

/// Month and day.
fn date_fields(word: &str) -> Option<(String, String)> {
    match word.split('-').collect::<Vec<_>>()[..] {
        [month, day] | ["*", month, day] => Some((field(month)?, field(day)?)),
        _ => None,
    }
}

/// Hour and minute.
fn time_fields(word: &str) -> Option<(String, String)> {
    match word.split(':').collect::<Vec<_>>()[..] {
        [hour, minute] | [hour, minute, "0" | "00"] => Some((field(hour)?, field(minute)?)),
        _ => None,
    }
}

/// `*`, `03`, `1,15`, `2..5`, `0/4`, `*/4`
fn field(text: &str) -> Option<String> {
    let number = |text: &str| text.parse::<u32>().ok();
    let part = |part: &str| -> Option<String> {
        if part == "*" {
            return Some("*".to_owned());
        }
        if let Some((from, step)) = part.split_once('/') {
            let step = number(step)?;
            return match (from, number(from)) {
                ("*", _) | (_, Some(0)) => Some(format!("*/{step}")),
                // Only some crons know `3/4`; none knows it for days alike.
                _ => None,
            };
        }
        match part.split_once("..") {
            Some((from, to)) => Some(format!("{}-{}", number(from)?, number(to)?)),
            None => Some(number(part)?.to_string()),
        }
    };
    text.split(',').map(part).collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::cron;

    #[test]
    fn says_the_same_as_systemd() {
        for (systemd, expected) in [
            ("daily", "0 0 * * *"),
            ("weekly", "0 0 * * 1"),
            ("*-*-* 03:00:00", "0 3 * * *"),
            ("Sun 04:30", "30 4 * * 0"),
            ("Mon..Fri 01:05", "5 1 * * 1-5"),
            ("Fri..Sun 01:05", "5 1 * * 5-6,0"),
            ("Sat..Sun 01:05", "5 1 * * 6,0"),
            ("annually", "0 0 1 1 *"),
            ("saturday,Sunday", "0 0 * * 6,0"),
            ("*-*-01,15 23:00", "0 23 1,15 * *"),
            ("04-01 12:00", "0 12 1 4 *"),
            ("*:0/15", "*/15 * * * *"),
        ] {
            assert_eq!(cron(systemd).as_deref(), Some(expected), "{systemd}");
        }
    }

    #[test]
    fn what_cron_cannot_say_is_not_said_otherwise() {
        for systemd in [
            "*-*-* 03:00:30",
            "2027-01-01 03:00",
            "Mon *-*-01 03:00",
            "03:00 Europe/Berlin",
            "Sat..Mon 03:00",
            "*-*-* 03/5:00",
        ] {
            assert_eq!(cron(systemd), None, "{systemd}");
        }
    }
}
