//! Texts of the handover.

use std::fmt::Write as _;

use model::{Secret, plan::Handover};

/// What stands above the login of every console. `\n`, `\4` and `\6` are filled in by agetty at
/// every login: the box's name and addresses of that moment.
pub(super) fn banner(handover: &Handover, fingerprint: Option<&str>) -> String {
    let mut text = String::from("\n\\n is installed.\n\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<14}{value}");
    };
    line("Log in", &format!("{} as {}", handover.portal, handover.admin));
    line("Address", "\\4  \\6");
    line("SSH", &format!("ssh {}@\\4", handover.admin));
    line("All links", "homelab status");
    if let Some(fingerprint) = fingerprint {
        let pairs: Vec<&str> = fingerprint.split(':').collect();
        let (left, right) = pairs.split_at(pairs.len() / 2);
        line("Authority", &left.join(":"));
        line("", &right.join(":"));
    }
    let _ = write!(
        text,
        "\n  Let the DNS server of your LAN answer {0} and *.{0} with the address above.\n\n",
        handover.domain
    );
    text
}

/// The recovery sheet, with what was on it before.
pub(super) fn sheet(before: Option<&str>, now: &str, lines: &[(String, Secret)]) -> Secret {
    let head = "These secrets were made on this box and are shown once.\n\
                `sudo homelab recovery-sheet --to /dev/sdX1` saves them to a stick, with what\n\
                else is needed after a total loss. Then remove this sheet:\n\n    \
                rm /root/homelab-recovery.txt\n";
    let mut text = before.unwrap_or(head).to_owned();
    let _ = writeln!(text, "\n{now}\n");
    for (name, secret) in lines {
        let _ = writeln!(text, "  {name:<24}  {}", secret.reveal());
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_banner_fits_a_console() {
        let handover = Handover {
            links: BTreeMap::new(),
            portal: "https://auth.homelab.home.arpa".into(),
            admin: "alex".into(),
            domain: "homelab.home.arpa".into(),
            local_authority: true,
            show_once: Vec::new(),
            addresses: Vec::new(),
        };
        let fingerprint = ["AB"; 32].join(":");
        let text = banner(&handover, Some(&fingerprint));
        let half = ["AB"; 16].join(":");
        assert_eq!(
            text,
            format!(
                "
\\n is installed.

  Log in        https://auth.homelab.home.arpa as alex
  Address       \\4  \\6
  SSH           ssh alex@\\4
  All links     homelab status
  Authority     {half}
                {half}

  Let the DNS server of your LAN answer homelab.home.arpa and *.homelab.home.arpa with the address above.

"
            )
        );
    }

    #[test]
    fn a_sheet_grows() {
        let first = sheet(None, "T1", &[("backup-password".into(), Secret::new("abc"))]);
        let second = sheet(Some(first.reveal()), "T2", &[("other".into(), Secret::new("def"))]);
        assert!(second.reveal().starts_with(first.reveal()));
        assert!(first.reveal().ends_with("\nT1\n\n  backup-password           abc\n"));
        assert!(second.reveal().ends_with("\nT2\n\n  other                     def\n"));
    }
}
