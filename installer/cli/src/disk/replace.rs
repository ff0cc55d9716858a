//! `disk replace`: another disk takes the place of one.

use clap::Args;
use host::{Host, interrupt::Interrupt, network};
use model::{
    disk::{FileSystem, Replacement, Wanted},
    facts::Facts,
    paths,
    plan::Plan,
    seed::{Seed, rules},
};

use super::{failure, filesystem};
use crate::{
    command_line::{VERSION, say},
    day_two::{self, read_seed},
    failure::Failure,
    inputs, lock, sealing,
};

/// Which disk gives way to which.
#[derive(Debug, Args)]
pub struct Replace {
    /// The one that goes, as the seed or `disk list` names it; it need not be there any more
    old: String,
    /// The one that comes, as `disk list` shows it: serial:…, by-id:… or uuid:…
    new: String,
    /// File system that is on it, or that it gets: ext4, xfs or btrfs
    #[arg(long, value_parser = filesystem)]
    filesystem: Option<FileSystem>,
    /// Everything on the new disk may be lost: it is formatted
    #[arg(long)]
    format: bool,
    /// Bring all files of the old disk over and compare them first; services that use it stand still
    #[arg(long)]
    copy: bool,
    /// Agree without being asked: repeats the serial of the new disk
    #[arg(long, value_name = "SERIAL")]
    consent: Option<String>,
}

/// What was agreed to.
struct Agreed {
    /// The seed as it was.
    before: String,
    /// The seed with the new disk in it.
    text: String,
    seed: Seed,
    /// What comes of it as the machine is now.
    plan: Plan,
    /// The new disk as the seed selects it, and whether it may be formatted.
    disk: String,
    format: bool,
}

/// Puts the new disk in the old one's place, in the seed and on the box.
///
/// # Errors
/// Something is against it, or nobody agreed: nothing was changed. The files cannot be copied: the
/// seed is as it was. A step of the run failed.
pub fn replace(host: &Host, facts: Facts, asked: &Replace) -> Result<u8, Failure> {
    let _lock = lock::take(host, "disk replace")
        .map_err(|busy| Failure::machine(busy.to_string(), "wait until it is done"))?;
    let agreed = agree(host, facts, asked, &mut |question| {
        terminal::prompt::possible().then(|| terminal::prompt::line(question))
    })?;
    if asked.copy {
        copy(host, &agreed)?;
    }
    if sealing::sealed(host)?.as_ref() != Some(&agreed.before) {
        return Err(Failure::machine(
            format!("`{}` has changed meanwhile", paths::SEED),
            "run the command again; what was copied stays",
        ));
    }
    let accepted = (agreed.text.as_str(), "`homelab disk replace`");
    day_two::carry_out(host, &agreed.seed, Some(accepted), &day_two::Apply::default())
}

/// Looks whether it can be done, says what it means, and has it agreed to. `ask` is none without a
/// terminal.
fn agree(
    host: &Host,
    facts: Facts,
    asked: &Replace,
    ask: &mut dyn FnMut(&str) -> Option<std::io::Result<String>>,
) -> Result<Agreed, Failure> {
    let (wish, before) = read_seed(host, None)?;
    let old = rules::selector(&asked.old).map_err(failure)?;
    let disk = rules::selector(&asked.new).map_err(failure)?;
    let wanted = Wanted { disk, filesystem: asked.filesystem, format: asked.format };
    let found = Replacement::of(&old, wanted, &wish, &facts).map_err(failure)?;
    match found.mounted_at() {
        Some(at) => found.fits(network::used_bytes(host, at)?).map_err(failure)?,
        None if asked.copy => {
            return Err(Failure::machine(
                format!("there is nothing to copy from: `{}` is not mounted", found.old.selector),
                "leave out `--copy`, and bring back what you have a backup of",
            ));
        }
        None => {}
    }
    let text = found.edited(&before).map_err(failure)?;
    // With its place, should something in the seed be against it.
    let seed = model::seed::parse(paths::SEED, &text)?;
    let plan = inputs::plan(host, &seed, facts.clone())?;
    engine::prepare(host, plan.clone(), false)?;
    say(&found.in_words(asked.copy));
    let consent = found.consent();
    let given = match &asked.consent {
        Some(given) => given.clone(),
        None => ask(&format!("Type {consent} to go on"))
            .ok_or_else(|| {
                let hint = format!("add `--consent {consent}` to agree");
                Failure::machine("nothing was changed: nobody is here to be asked", hint)
            })?
            .map_err(|error| Failure::machine(format!("nothing was changed: {error}"), ""))?,
    };
    if given.trim() != consent {
        let what = format!("nothing was changed: `{}` is not the new disk", given.trim());
        return Err(Failure::machine(what, format!("its serial is `{consent}`")));
    }
    let disk = found.new.selector.to_string();
    Ok(Agreed { before, text, seed, plan, disk, format: found.new.wipe.is_some() })
}

fn copy(host: &Host, agreed: &Agreed) -> Result<(), Failure> {
    let Some(journal) = day_two::journal(host)? else {
        let hint = "run `homelab apply` first";
        return Err(Failure::machine("nothing was ever mounted on this box", hint));
    };
    // From now on Ctrl-C ends the copy, and what stands still is started again.
    let interrupt = Interrupt::watch()?;
    let context = engine::Context::new(host.clone(), VERSION);
    let Agreed { plan, disk, format, .. } = agreed;
    let mut listener = day_two::listener();
    engine::copy_disk(&journal.plan, plan, disk, *format, &context, &interrupt, listener.as_mut())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::tests::{SEED, installed},
        *,
    };
    const MOUNT: &str = "\n[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-0\"\n";
    const XFS: &str =
        r#"{"name": "sdb1", "type": "part", "size": 1, "fstype": "xfs", "uuid": "u-1"}"#;

    fn asked(new: &str, consent: Option<&str>) -> Replace {
        Replace {
            old: "serial:WD-0".into(),
            new: new.into(),
            filesystem: None,
            format: false,
            copy: false,
            consent: consent.map(str::to_owned),
        }
    }

    /// The text of the seed afterwards, or what was said; the question that was asked.
    fn agreed(
        host: &Host,
        facts: &Facts,
        asked: &Replace,
        typed: Option<&str>,
    ) -> (Result<String, String>, String) {
        let mut question = String::new();
        let agreed = agree(host, facts.clone(), asked, &mut |text| {
            question = text.to_owned();
            typed.map(|typed| Ok(typed.to_owned()))
        });
        let text = agreed.map(|agreed| agreed.text).map_err(|failure| failure.text());
        (text, question)
    }

    #[test]
    fn only_who_repeats_the_serial_has_agreed() {
        let folder = tempfile::tempdir().unwrap();
        let (host, facts) = installed(folder.path(), XFS);
        let sealed = format!("{SEED}{MOUNT}");
        fs::write(host.path(paths::SEED), &sealed).unwrap();
        let after = sealed.replace("WD-0", "WD-1") + "filesystem = \"xfs\"\n";
        let new = |consent| asked("serial:WD-1", consent);
        let (text, question) = agreed(&host, &facts, &new(None), Some("WD-1 "));
        assert_eq!((text, question.as_str()), (Ok(after.clone()), "Type WD-1 to go on"));
        let (text, question) = agreed(&host, &facts, &new(Some("WD-1")), None);
        assert_eq!((text, question.as_str()), (Ok(after), ""));
        let refused = |asked: &Replace, typed| agreed(&host, &facts, asked, typed).0.unwrap_err();
        assert_eq!(
            refused(&new(None), None),
            "error: nothing was changed: nobody is here to be asked\n\
             hint: add `--consent WD-1` to agree\n"
        );
        let other = "error: nothing was changed: `yes` is not the new disk\n\
                     hint: its serial is `WD-1`\n";
        assert_eq!(refused(&new(None), Some("yes")), other);
        assert_eq!(refused(&new(Some("yes")), None), other);
        let copy = Replace { copy: true, ..new(Some("WD-1")) };
        assert_eq!(
            refused(&copy, None),
            "error: there is nothing to copy from: `serial:WD-0` is not mounted\n\
             hint: leave out `--copy`, and bring back what you have a backup of\n"
        );
        assert_eq!(sealing::sealed(&host).unwrap().unwrap(), sealed);
    }
}
