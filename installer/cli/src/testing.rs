//! What several tests of this crate need.

use std::path::Path;

use host::Host;

/// A scripted host whose files lie below `folder`, with the folders that every system has.
pub fn host_in(folder: &Path) -> Host {
    for name in ["etc", "run", "proc", "var/lib"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    host::fake::host(folder).host()
}
