//! Registries, the certificate authority, the DNS provider: what answers over the network.

use super::{Authority, Check, Finding, Provider, Registry, Verdict, Wanted, listed};

/// What came back from a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP status, and the beginning of the body.
    Status(u16, String),
    /// Nothing, and why.
    Nothing(String),
    /// It could not be asked: the name was not found.
    NameUnknown,
}

/// What to do about an answer that did not come.
fn way_out(why: &str, certificate: &str) -> String {
    // As rustls words it. A wrong clock looks the same as somebody who reads along.
    if why.contains("certificate") {
        format!("{certificate}; is the clock right, and does nothing on the way open TLS?")
    } else {
        "is it switched on, and does a firewall on the way let the box out?".to_owned()
    }
}

/// Do the registries answer? Each with what it gave for `/v2/`.
pub fn registry(answers: &[(&Registry, Answer)], wanted: &Wanted) -> Finding {
    let check = Check::Registry;
    match (wanted.seed, wanted.missing_images) {
        (false, _) => return Finding::not_asked(check, "there is no seed yet"),
        (true, None) => return Finding::not_asked(check, "there is no plan for this machine"),
        (true, Some(0)) => return Finding::not_asked(check, "all images are on the box"),
        (true, Some(_)) if wanted.registries.is_empty() => {
            return Finding::not_asked(check, "the seed takes images from the medium only");
        }
        (true, Some(_)) => {}
    }
    let mut good = Vec::new();
    for (registry, answer) in answers {
        let Registry { host, images, .. } = registry;
        let noun = if *images == 1 { "image" } else { "images" };
        let means = format!("{images} {noun} cannot be pulled from there");
        let bad = |verdict, found: String, way_out: &str| {
            Finding::bad(check, verdict, found, &*means, way_out)
        };
        match answer {
            // 401: it wants a token first, which a pull fetches.
            Answer::Status(200 | 401, _) => good.push(format!("{host} ({images} {noun})")),
            Answer::Status(429, _) => {
                let found = format!("{host} answers, but wants to be asked less often (429)");
                return Finding::bad(
                    check,
                    Verdict::Warning,
                    found,
                    format!("{images} {noun} may have to wait"),
                    "wait an hour, or name a mirror in `[images]`",
                );
            }
            Answer::Status(status, _) => {
                return bad(
                    Verdict::Failed,
                    format!("{host} answers {status}, which no registry does"),
                    "is the name in `[images] mirror` that of a registry?",
                );
            }
            Answer::Nothing(why) => {
                let hint = way_out(why, "`[images] mirror_ca` is the root of a mirror of your own");
                return bad(Verdict::Failed, format!("{host} does not answer: {why}"), &hint);
            }
            Answer::NameUnknown => {
                return bad(
                    Verdict::Failed,
                    format!("{host} was not asked: its name is not found"),
                    "see `dns`",
                );
            }
        }
    }
    Finding::ok(check, format!("answered: {}", listed(&good)))
}

/// Does the certificate authority answer, and as one that speaks ACME?
pub fn authority(answer: Option<(&Authority, Answer)>, wanted: &Wanted) -> Finding {
    let check = Check::CertificateAuthority;
    let Some((Authority { directory, .. }, answer)) = answer else {
        let why = if wanted.seed {
            "certificates come from the box's own authority"
        } else {
            "there is no seed yet"
        };
        return Finding::not_asked(check, why);
    };
    let bad = |found: String, way_out: &str| {
        let means = "there is no certificate, and browsers warn of every address of the box";
        Finding::bad(check, Verdict::Failed, found, means, way_out)
    };
    match answer {
        // RFC 8555, section 7.1.1: a directory names these.
        Answer::Status(200, body) if body.contains("newNonce") && body.contains("newOrder") => {
            Finding::ok(check, format!("{directory} answers"))
        }
        Answer::Status(200, _) => bad(
            format!("{directory} answers, but is no ACME directory"),
            "write the URL of the directory itself, such as `https://ca.lan/acme/acme/directory`",
        ),
        Answer::Status(status, _) => bad(
            format!("{directory} answers {status}"),
            "look at the authority; a public one shows its state on a page of its own",
        ),
        Answer::Nothing(why) => {
            let hint = way_out(&why, "`root_ca` is the root of an authority of your own");
            bad(format!("{directory} does not answer: {why}"), &hint)
        }
        Answer::NameUnknown => {
            bad(format!("{directory} was not asked: its name is not found"), "see `dns`")
        }
    }
}

/// Does the DNS provider answer?
pub fn provider(answer: Option<(&Provider, Answer)>, wanted: &Wanted) -> Finding {
    let check = Check::DnsProvider;
    let Some((Provider { name, .. }, answer)) = answer else {
        return Finding::not_asked(
            check,
            match &wanted.provider {
                Some(provider) => {
                    format!("where `{}` answers is not known here", provider.name)
                }
                None if wanted.seed => "the seed names none".to_owned(),
                None => "there is no seed yet".to_owned(),
            },
        );
    };
    let verdict = if wanted.authority.is_some() { Verdict::Failed } else { Verdict::Warning };
    let means = match verdict {
        Verdict::Failed => "the name is not kept up to date, and no certificate can be had by it",
        _ => "the name is not kept up to date",
    };
    let bad = |found: String, way_out: &str| Finding::bad(check, verdict, found, means, way_out);
    match answer {
        // Refused for want of credentials is answered all the same.
        Answer::Status(status, _) if status < 500 => Finding::ok(check, format!("{name} answers")),
        Answer::Status(status, _) => bad(
            format!("{name} answers {status}, which is a failure on its side"),
            "wait, and look whether the provider says something about it",
        ),
        Answer::Nothing(why) => {
            let hint = way_out(&why, "its certificate is not that of a public authority");
            bad(format!("{name} does not answer: {why}"), &hint)
        }
        Answer::NameUnknown => {
            bad(format!("{name} was not asked: its name is not found"), "see `dns`")
        }
    }
}
