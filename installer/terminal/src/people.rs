//! Who can log in, and what the login service has for somebody.

use model::{
    notification::{GOOD_FOR, Notification},
    users::User,
};

/// All users, one a line.
pub fn users(list: &[User]) -> String {
    let width = |longest: Option<usize>| longest.unwrap_or(0) + 2;
    let name = width(list.iter().map(|user| user.name.len()).max());
    let email = width(list.iter().map(|user| user.email.len()).max());
    let line = |user: &User| {
        let groups = match user.groups.is_empty() {
            true => "no group".to_owned(),
            false => user.groups.join(", "),
        };
        let disabled = if user.disabled { " (disabled)" } else { "" };
        format!("{:<name$}{:<email$}{groups}{disabled}\n", user.name, user.email)
    };
    list.iter().map(line).collect()
}

/// The last message of the login service; `now` is in seconds since the epoch.
pub fn notification(told: Option<&Notification>, now: i64) -> String {
    let Some(told) = told else {
        return "there is no code: the login service has written none since it started\n"
            .to_owned();
    };
    let Notification { at, recipient, subject, code, .. } = told;
    let head = format!("{at}, for {recipient}: {subject}\n");
    match code {
        None => format!("{head}there is no code in it\n"),
        Some(code) if told.is_over(now) => {
            format!(
                "{head}{code}\nit was good for {} minutes; ask for another one\n",
                GOOD_FOR / 60
            )
        }
        Some(code) => format!("{head}{code}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_stand_in_columns() {
        let user = |name: &str, groups: &[&str], disabled| User {
            name: name.into(),
            email: format!("{name}@example.org"),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            disabled,
        };
        let list = [user("alex", &["admins", "family"], false), user("bo", &[], true)];
        assert_eq!(
            users(&list),
            "alex  alex@example.org  admins, family\n\
             bo    bo@example.org    no group (disabled)\n"
        );
        assert_eq!(users(&[]), "");
    }

    #[test]
    fn a_code_is_told_with_time_and_recipient_and_age() {
        let mut told = Notification {
            at: "2026-11-22 21:33:07 +0100".into(),
            epoch: Some(1000),
            recipient: "alex alex@example.org".into(),
            subject: "Confirm your identity".into(),
            code: Some("7FPQX2KD".into()),
        };
        let head = "2026-11-22 21:33:07 +0100, for alex alex@example.org: Confirm your identity\n";
        assert_eq!(notification(Some(&told), 1100), format!("{head}7FPQX2KD\n"));
        assert_eq!(
            notification(Some(&told), 2000),
            format!("{head}7FPQX2KD\nit was good for 5 minutes; ask for another one\n")
        );
        told.code = None;
        assert_eq!(notification(Some(&told), 1100), format!("{head}there is no code in it\n"));
        assert_eq!(
            notification(None, 0),
            "there is no code: the login service has written none since it started\n"
        );
    }
}
