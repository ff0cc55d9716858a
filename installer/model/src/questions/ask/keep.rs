//! Backups, and where the box reports to.

use super::{email, key, key_or_empty};
use crate::questions::{Choice, Kind, Question, Value, walk::Walk};

/// The stack that makes backups.
const STACK: &str = "backup";

/// Repository and password, if the stack is wanted.
pub(super) fn backup(walk: &mut Walk<'_>) {
    if !walk.said.texts("stacks").iter().any(|name| name == STACK) {
        return;
    }
    let own = !super::storage::holds_backups(walk);
    let where_to = if own { "the system's own disk, lost with it" } else { "the disk for backups" };
    let options = vec![
        Choice::new("local", format!("/mnt/backups/restic, on {where_to}")),
        Choice::new("other", "another machine, or another folder"),
    ];
    let place = walk.text(
        Question::new("backup.place", "Backups", Kind::Choice { options, other: false })
            .asks("Where shall backups of the services' data go?")
            .help(
                "They are made every night at three, encrypted, by restic. A backup on the same disk \
                 helps against a slip, not against a broken disk; one in another house helps against \
                 fire and theft.",
            )
            .or("local"),
    );
    if place == "other" {
        walk.text(
            Question::new("backup.repository", "Repository", Kind::Text)
                .asks(
                    "Which repository? `sftp:user@host:/folder`, `rest:https://host:8000/` or a \
                     folder below /mnt.",
                )
                .help(
                    "sftp logs in with the box's own SSH key, which the other machine must allow. A \
                     password never stands in the address.",
                )
                .each(key("backup.repository")),
        );
    }
    let options = vec![
        Choice::new("generate", "the box makes one and shows it once, at the end"),
        Choice::new("own", "type one"),
    ];
    let password = walk.text(
        Question::new(
            "backup.password_from",
            "Backup password",
            Kind::Choice { options, other: false },
        )
        .asks("Password of the backups?")
        .help(
            "Without it nobody can read a backup, you neither. One that the box makes stands in \
             /root/homelab-recovery.txt: write it down, away from the box. Type one to go on with a \
             repository that exists.",
        )
        .or("generate"),
    );
    if password == "own" {
        walk.secret(
            Question::new("backup.password", "Typed password", Kind::Secret { twice: true })
                .asks("Password of the backups? It is not shown while you type.")
                .help("For a repository that exists, the one that it was made with.")
                .each(key("backup.password")),
        );
    }
}

/// Mail and push messages.
pub(super) fn notifications(walk: &mut Walk<'_>) {
    let options = vec![
        Choice::new("mail", "mail, by a server that you may send with"),
        Choice::new("ntfy", "push messages, by ntfy"),
    ];
    let wanted = walk.texts(
        Question::new("notifications", "Notifications", Kind::Several(options))
            .asks("How shall the box tell you about trouble?")
            .help(
                "Alerts of the monitoring, and mail for reset passwords and second factors. With \
                 neither, look at the pages of the box, and read one-time codes by `homelab auth \
                 code`.",
            )
            .or_value(Value::Texts(Vec::new())),
    );
    if wanted.iter().any(|name| name == "mail") {
        mail(walk);
    }
    if wanted.iter().any(|name| name == "ntfy") {
        walk.text(
            Question::new("notifications.ntfy.url", "ntfy topic", Kind::Text)
                .asks("URL of the topic? Such as https://ntfy.sh/my-topic.")
                .help("Whoever knows the topic can read it, so take one that nobody guesses.")
                .each(key("notifications.ntfy.url")),
        );
        optional(walk, "notifications.ntfy.token", "ntfy token", "Access token? Empty for none.");
    }
}

fn mail(walk: &mut Walk<'_>) {
    email(walk, "The box writes to it.");
    walk.text(
        Question::new("notifications.smtp.server", "Mail server", Kind::Text)
            .asks("Mail server with its port? Such as smtp.example.org:587.")
            .help("Port 465 speaks TLS at once, others STARTTLS. Mail is never sent unencrypted.")
            .each(key("notifications.smtp.server")),
    );
    let from = walk.said.text("admin.email").to_owned();
    let question = Question::new("notifications.smtp.from", "Sender", Kind::Text)
        .asks("Sender of the box's mail?")
        .help("Most servers take only an address of the account that logs in.")
        .each(key("notifications.smtp.from"));
    let question = if from.is_empty() { question } else { question.or(&from) };
    walk.text(question);
    let user = walk.text(
        Question::new("notifications.smtp.user", "Mail account", Kind::Text)
            .asks("User name at the mail server? Empty if it takes mail without a login.")
            .help("Often the mail address itself.")
            .or("")
            .each(key_or_empty("notifications.smtp.user")),
    );
    if !user.is_empty() {
        walk.secret(
            Question::new(
                "notifications.smtp.password",
                "Mail password",
                Kind::Secret { twice: false },
            )
            .asks("Password at the mail server? It is not shown while you type.")
            .help("Providers with two factors want a password for programs, made on their page.")
            .each(key("notifications.smtp.password")),
        );
    }
}

fn optional(walk: &mut Walk<'_>, id: &'static str, title: &str, asks: &str) {
    walk.secret(
        Question::new(id, title, Kind::Secret { twice: false })
            .asks(format!("{asks} It is not shown while you type."))
            .help("It begins with `tk_` and is made on the account page of the server.")
            .or_value(Value::Secret(crate::Secret::new("")))
            .each(key_or_empty(id)),
    );
}
