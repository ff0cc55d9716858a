//! What several tests of this crate need.

use std::{fs::File, path::Path};

use host::Host;

/// A scripted host whose files lie below `folder`, with the folders that every system has.
pub fn host_in(folder: &Path) -> Host {
    for name in ["etc", "run", "proc", "var/lib"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    host::fake::host(folder).host()
}

/// A console that a test types on: what is read, and where it is typed.
pub fn pipe() -> (File, File) {
    let (read, write) = nix::unistd::pipe().unwrap();
    (read.into(), write.into())
}
