//! The users file of the login service.

use std::{fs, time::Duration};

use model::{
    Secret,
    users::{FILE, MODE, OWNER, Users},
};

use crate::{Host, HostError, Result, files};

/// The login service reads the file when it changes, but for half a second after that it takes no
/// further notice: a change that comes sooner would not count until the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads it; none: there is none.
///
/// # Errors
/// It cannot be read, or is no list of users.
pub fn read(host: &Host) -> Result<Option<Users>> {
    let Some(text) = files::read_text_optional(host.path(FILE))? else { return Ok(None) };
    let users = Users::parse(&Secret::new(text));
    users.map(Some).map_err(|wrong| HostError::Other(format!("{wrong}: {}", wrong.hint)))
}

/// Replaces it as a whole, at a moment when the login service takes notice.
///
/// # Errors
/// The folder cannot be written.
pub fn write(host: &Host, users: &Users) -> Result<()> {
    let path = host.path(FILE);
    let text = users.text().map_err(|wrong| HostError::Other(wrong.to_string()))?;
    let changed = fs::metadata(&path).and_then(|about| about.modified()).ok();
    // A file of the future is as good as an old one.
    if let Some(age) = changed.and_then(|changed| changed.elapsed().ok()) {
        if age < PAUSE {
            host.clock.sleep(PAUSE - age);
        }
    }
    files::write_atomic(path, text.reveal(), MODE, OWNER)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::fake;

    #[test]
    fn it_is_replaced_with_its_mode_and_not_twice_in_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let host = fake.host();
        assert!(read(&host).unwrap().is_none());
        let path = host.path(FILE);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "# A comment.\nusers: {}\n").unwrap();
        let before = host.clock.epoch();
        let users = read(&host).unwrap().unwrap();
        write(&host, &users).unwrap();
        write(&host, &users).unwrap();
        assert!(host.clock.epoch() > before, "it did not wait");
        assert_eq!(fs::read_to_string(&path).unwrap(), "# A comment.\nusers: {}\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        fs::write(&path, "users: 3\n").unwrap();
        assert_eq!(
            read(&host).unwrap_err().to_string(),
            format!(
                "`{FILE}` is no list of users: correct it by hand, or put a copy from a backup in \
                 its place"
            )
        );
    }
}
