//! The system lies on another disk now: the stick forgets what it was told, and the machine starts
//! from there.

use std::time::Duration;

use host::{Host, files};
use model::{paths, plan::Install};
use terminal::card;

use super::FirstBoot;
use crate::sealing;

/// Seconds that a person has to read what happens next.
const READING: Duration = Duration::from_secs(10);

impl FirstBoot<'_> {
    /// After a copy. `now`: it was made in this very start; if not, the firmware has chosen the stick
    /// again, and would do so for ever if the machine simply started again.
    pub(super) fn moved(&mut self, install: &Install, now: bool) -> u8 {
        let text = card::moved(install.consent.victim(), now);
        self.talk.say(&text);
        if let Err(error) = forget(self.host()) {
            self.talk.say(&format!("warning: the stick still knows the seed: {error}"));
        }
        if let Err(why) = self.machine.rest_attempts() {
            self.talk.log(&format!("warning: the boot loader was not told to wait: {why}"));
        }
        if now {
            self.host().clock.sleep(READING);
        } else {
            self.wait_for_enter(&text);
        }
        match self.machine.restart() {
            Ok(()) => 0,
            Err(why) => {
                self.talk.say(&format!("the machine does not start again by itself: {why}"));
                4
            }
        }
    }

    fn wait_for_enter(&mut self, text: &str) {
        self.talk.keyboard.forget();
        while self.talk.keyboard.line(Duration::from_millis(1)).is_none() {
            for name in self.talk.attend() {
                self.talk.say_on(&name, text);
            }
            self.host().clock.sleep(Duration::from_secs(1));
        }
    }
}

/// The copy has the seed. On the stick it is worth nothing, and secret. The journal goes last: as long
/// as it is there, the next start comes here again.
fn forget(host: &Host) -> host::Result<()> {
    sealing::unseal(host)?;
    files::remove(host.path(paths::JOURNAL)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use model::{Secret, secret::SecretRef};

    use super::*;
    use crate::testing::host_in;

    #[test]
    fn a_stick_forgets_the_seed_and_what_was_kept_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        let foreign = BTreeMap::from([(SecretRef::new("admin-password"), Secret::new("pw"))]);
        sealing::seal(&host, "schema = 1\n", "the setup", &foreign).unwrap();
        fs::write(host.path(paths::JOURNAL), "{}").unwrap();
        // The bytes themselves go, not only the name.
        let sealed = fs::File::open(host.path(paths::SEED)).unwrap();
        forget(&host).unwrap();
        assert_eq!(std::io::read_to_string(sealed).unwrap().trim_matches('\0'), "");
        assert_eq!(sealing::sealed(&host).unwrap(), None);
        assert_eq!(sealing::accepted(&host), None);
        assert!(sealing::kept(&host, &SecretRef::new("admin-password")).is_none());
        assert!(!host.path(paths::JOURNAL).exists());
        forget(&host).unwrap();
    }
}
