//! The machine itself, and the one who owns it.

use super::key;
use crate::{
    Secret,
    catalogue::nearest,
    questions::{Choice, Kind, Offer, Place, Question, Value, password, walk::Walk},
    seed::rules::Refused,
};

/// Layouts that are offered, by the name of their language or country.
const KEYBOARDS: &[(&str, &str)] = &[
    ("us", "English (US)"),
    ("gb", "English (UK)"),
    ("de", "German"),
    ("ch", "Swiss"),
    ("fr", "French"),
    ("be", "Belgian"),
    ("es", "Spanish"),
    ("pt", "Portuguese"),
    ("br", "Portuguese (Brazil)"),
    ("it", "Italian"),
    ("nl", "Dutch"),
    ("dk", "Danish"),
    ("no", "Norwegian"),
    ("se", "Swedish"),
    ("fi", "Finnish"),
    ("pl", "Polish"),
    ("cz", "Czech"),
    ("hu", "Hungarian"),
    ("tr", "Turkish"),
];

/// Keyboard, time zone, name.
pub(super) fn system(walk: &mut Walk<'_>) {
    let world = walk.world;
    let options =
        KEYBOARDS.iter().map(|(code, name)| Choice::new(*code, format!("{code}  {name}")));
    let kind = Kind::Choice { options: options.collect(), other: true };
    walk.text(
        Question::new("system.keyboard", "Keyboard", kind)
            .asks("Which keyboard is, or may be, plugged into the box?")
            .help(
                "Passwords are typed blind, so this comes first. Any layout of XKB can be typed by \
                 its short name, such as `gr` or `jp`. It counts for the console of the box only.",
            )
            .or(world.keyboard.as_deref().unwrap_or("us"))
            .each(key("system.keyboard")),
    );
    let rule = move |text: &str| zone(&world.timezones, &key("system.timezone")(text)?);
    let guess = world.timezone.as_deref().and_then(|zone| rule(zone).ok());
    // Whoever sees a default shall know whose word it is: a router can be set up badly.
    let told = match (&guess, world.place) {
        (Some(zone), Place::Box) => format!(" The network says that this is {zone}."),
        (Some(zone), Place::Pc) => format!(" This PC is set to {zone}."),
        (None, _) => String::new(),
    };
    walk.text(
        Question::new("system.timezone", "Time zone", Kind::Text)
            .asks(format!("In which time zone does the box stand?{told}"))
            .help(
                "A name of the IANA list, such as `Europe/Berlin` or `America/New_York`: a part of \
                 the world, a slash, and the largest city of the zone. Logs, schedules and calendars \
                 go by it.",
            )
            .or(guess.as_deref().unwrap_or("Etc/UTC"))
            .each(rule),
    );
    walk.text(
        Question::new("system.hostname", "Host name", Kind::Text)
            .asks("What shall the box be called?")
            .help(
                "One word of small letters, digits and hyphens. On your network the box is found by \
                 this name; without a domain of its own its services are at NAME.home.arpa.",
            )
            .or("homelab")
            .each(key("system.hostname")),
    );
}

/// A zone that there is, in its own spelling.
fn zone(zones: &[String], text: &str) -> Result<String, Refused> {
    let known = ["Etc/UTC", "UTC"];
    if zones.is_empty() || known.contains(&text) || zones.iter().any(|zone| zone == text) {
        return Ok(text.to_owned());
    }
    let same = |zone: &&String| zone.to_lowercase() == text.to_lowercase().replace(' ', "_");
    if let Some(zone) = zones.iter().find(same) {
        return Ok(zone.clone());
    }
    let what = format!("there is no time zone `{text}`");
    let city = text.rsplit('/').next().unwrap_or_default().to_lowercase().replace(' ', "_");
    let near = nearest(text, zones.iter().map(String::as_str)).or_else(|| {
        zones
            .iter()
            .map(String::as_str)
            .find(|zone| zone.to_lowercase().rsplit('/').next().is_some_and(|last| last == city))
    });
    match near {
        Some(near) => Err(Refused::new(what, format!("did you mean `{near}`?"))),
        None => Err(Refused::new(what, "write it as IANA does, such as `Europe/Berlin`")),
    }
}

/// Name, password, SSH keys.
pub(super) fn admin(walk: &mut Walk<'_>) {
    let name = walk.text(
        Question::new("admin.name", "Administrator", Kind::Text)
            .asks("Name of your account?")
            .help(
                "The Linux user that may do everything by `sudo`, and the first user of the single \
                 sign-on in front of the services. Small letters, digits, `-` and `_`.",
            )
            .or("admin")
            .each(key("admin.name")),
    );
    let host = walk.said.text("system.hostname").to_owned();
    let judge = move |secret: &Secret| password::judge(secret, &[&name, &host]);
    let remark = judge.clone();
    walk.secret(
        Question::new("admin.password", "Password", Kind::Secret { twice: true })
            .asks("Password of your account? At least 10 characters.")
            .help(
                "It opens the box at its console, the portal in front of the services, and `sudo`. \
                 Four or five random words are strong and easy to type. Refused is what is guessed \
                 first: names, dates, runs of keys, words from lists of breached passwords. It is not \
                 shown while you type it.",
            )
            .whole(move |value| {
                if let Value::Secret(secret) = &value {
                    judge(secret)?;
                }
                Ok(value)
            })
            .remarks(move |value| match value {
                Value::Secret(secret) => match remark(secret) {
                    Ok(strength) => format!("Strength: {}", strength.words()),
                    Err(_) => String::new(),
                },
                _ => String::new(),
            }),
    );
    walk.texts(
        Question::new("admin.ssh_keys", "SSH keys", Kind::List("SSH key"))
            .asks("Public SSH keys that may log in? Without one nobody gets in by SSH.")
            .help(
                "One line of a file that ends in `.pub`, such as ~/.ssh/id_ed25519.pub on your PC: \
                 `ssh-ed25519 AAAA... name`. SSH takes keys only, never a password. Without a key the \
                 box is reached at its console and by its web pages; a key can be added later.",
            )
            .or_value(Value::Texts(Vec::new()))
            .offers(&[Offer::KeysFromFile, Offer::KeysOfAccount])
            .each(key("admin.ssh_keys")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_by_its_city_and_in_any_case() {
        let zones = ["Europe/Berlin", "America/New_York"].map(str::to_owned);
        assert_eq!(zone(&zones, "europe/berlin").unwrap(), "Europe/Berlin");
        assert_eq!(zone(&zones, "Etc/UTC").unwrap(), "Etc/UTC");
        assert_eq!(zone(&zones, "new york").unwrap_err().hint, "did you mean `America/New_York`?");
        assert_eq!(
            zone(&zones, "Europe/Brelin").unwrap_err().hint,
            "did you mean `Europe/Berlin`?"
        );
        assert_eq!(zone(&[], "Mars/Base").unwrap(), "Mars/Base");
    }
}
