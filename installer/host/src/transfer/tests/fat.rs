//! Mounts FAT where the kernel knows none: `mount -t vfat` puts the files into the folder, `umount`
//! takes them back. What would touch the services of this machine is left out, everything else is run as
//! it is.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use fatfs::{FileSystem, FsOptions};

use crate::{
    Command, Output, Runner, SystemRunner,
    command::{CommandError, Streams},
    table::Extent,
};

/// The files that the tests know.
const FILES: [&str; 3] = ["EFI/debian/grubenv", "seed.toml", "copied.txt"];

#[derive(Default)]
pub(super) struct WithFat(Mutex<BTreeMap<PathBuf, (PathBuf, Extent)>>);

impl Runner for WithFat {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let words: Vec<_> = command.arguments.iter().map(|word| word.to_string_lossy()).collect();
        let mut mounted = self.0.lock().unwrap();
        match (command.program.to_string_lossy().as_ref(), &words[..]) {
            ("mount", [_, kind, _, options, disk, folder]) if kind == "vfat" => {
                let number = |key: &str| {
                    let mut all = options.split(',');
                    all.find_map(|option| option.strip_prefix(key)?.parse().ok()).unwrap()
                };
                let place = Extent { start: number("offset="), length: number("sizelimit=") };
                let (disk, folder) = (PathBuf::from(&**disk), PathBuf::from(&**folder));
                take_out(&disk, place, &folder);
                mounted.insert(folder, (disk, place));
                Ok(Output::default())
            }
            ("umount", [folder]) if mounted.contains_key(Path::new(&**folder)) => {
                let folder = PathBuf::from(&**folder);
                let (disk, place) = mounted.remove(&folder).unwrap();
                put_back(&disk, place, &folder);
                fs::remove_dir_all(&folder).unwrap();
                Ok(Output::default())
            }
            // The machine of whoever runs the tests keeps its journal and its containers.
            ("systemctl" | "journalctl", _) => Ok(Output::default()),
            _ => SystemRunner.run(command),
        }
    }

    fn run_with(&self, command: &Command, streams: Streams<'_>) -> Result<Output, CommandError> {
        SystemRunner.run_with(command, streams)
    }
}

fn bytes(disk: &Path, place: Extent) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(place.length).unwrap()];
    fs::File::open(disk).unwrap().read_exact_at(&mut bytes, place.start).unwrap();
    bytes
}

fn take_out(disk: &Path, place: Extent, folder: &Path) {
    let volume = FileSystem::new(Cursor::new(bytes(disk, place)), FsOptions::new()).unwrap();
    for name in FILES {
        let Ok(mut file) = volume.root_dir().open_file(name) else { continue };
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), content).unwrap();
    }
}

/// Only what is new is written: whoever only looks changes nothing.
fn put_back(disk: &Path, place: Extent, folder: &Path) {
    let mut image = bytes(disk, place);
    let volume = FileSystem::new(Cursor::new(&mut image), FsOptions::new()).unwrap();
    for name in FILES {
        let Ok(content) = fs::read(folder.join(name)) else { continue };
        let root = volume.root_dir();
        let mut there = Vec::new();
        if let Ok(mut file) = root.open_file(name) {
            file.read_to_end(&mut there).unwrap();
        }
        if there == content {
            continue;
        }
        let (folders, _) = name.rsplit_once('/').unwrap_or_default();
        for (at, _) in folders.match_indices('/').chain([(folders.len(), "")]) {
            if at > 0 {
                root.create_dir(&folders[..at]).unwrap();
            }
        }
        let mut file = root.create_file(name).unwrap();
        file.truncate().unwrap();
        file.write_all(&content).unwrap();
    }
    volume.unmount().unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(disk)
        .unwrap()
        .write_all_at(&image, place.start)
        .unwrap();
}
