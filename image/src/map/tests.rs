use std::io::{Cursor, Write as _};

use host::{
    fat::{self, FatType, FixedClock, Format},
    window::Window,
};

use super::*;
use crate::{
    identifiers::Identifiers,
    layout::{Layout, MIB},
};

#[test]
fn a_map_lies_beside_its_image() {
    let beside = |name: &str| super::beside(Path::new(name));
    assert_eq!(beside("build/homelab-1.raw"), Some("build/homelab-1.map.json".into()));
    assert_eq!(beside("homelab-1.raw.zst"), Some("homelab-1.map.json".into()));
    assert_eq!(beside("homelab-1.iso"), None);
}

#[test]
fn an_unknown_image_counts_as_a_whole() {
    let mut image = vec![0; 9 << 20];
    image[(5 << 20) + 7] = 1;
    let map = of_everything(&mut &image[..]).unwrap();
    let found: Vec<_> = map
        .extents
        .iter()
        .map(|extent| (extent.start, extent.length, extent.sha256.is_some()))
        .collect();
    let data = (5 << 20, 4096, true);
    let rest = (data.0 + data.1, (8 << 20) - data.0 - data.1, false);
    assert_eq!(
        found,
        [(0, 4 << 20, false), (4 << 20, 1 << 20, false), data, rest, (8 << 20, 1 << 20, false)]
    );
    assert_eq!((map.size, map.digest), (9 << 20, Digest::of(&image)));
    let error = of_everything(&mut &image[..5000]).unwrap_err().to_string();
    assert_eq!(error, "it is no whole number of blocks of 4096 bytes");
}

/// What the file systems have in use, and all of what lies between them; of what is in use, what is
/// zero is told apart.
#[test]
fn tables_and_file_systems_make_the_map() {
    let layout = Layout::new(3 * MIB, 2 * MIB, 4 * MIB);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(layout.disk).unwrap();
    layout.write(file.as_file_mut(), &Identifiers::derive("test")).unwrap();
    for place in [layout.efi, layout.seed] {
        let volume = Window::new(file.as_file().try_clone().unwrap(), place.start, place.length);
        let format =
            Format { label: "TEST", serial: 1, kind: FatType::Fat16, sector: 512, cluster: 512 };
        let files = [("A.TXT".to_owned(), vec![b'a'; 10_000])];
        fat::make(volume, format, FixedClock::at(0), &files).unwrap();
    }
    file.as_file_mut().flush().unwrap();
    let (_, partitions) = table::read(file.as_file_mut()).unwrap();
    // Of the root file system blocks 0 to 2 and the last one.
    let root = |place| {
        assert_eq!(place, layout.root);
        Ok(vec![0..3, 1023..1024])
    };
    let used = usage::used(file.as_file(), file.path(), layout.disk, &partitions, &root).unwrap();
    let holds = |byte: u64| used.iter().any(|blocks| blocks.contains(&(byte / BLOCK)));
    for byte in [0, layout.bios_boot.start, layout.efi.start, layout.seed.start, layout.root.start]
    {
        assert!(holds(byte), "{byte}");
    }
    assert!(holds(layout.disk - 1), "the table at the end");
    let end = table::Extent::end;
    assert!(holds(end(layout.root) - 1) && !holds(end(layout.root) - 2 * BLOCK));
    assert!(!holds(end(layout.efi) - 1) && !holds(end(layout.seed) - 1), "nothing lies there");
    let extents = usage::extents(file.as_file(), &used).unwrap();
    let map = BlockMap { format: FORMAT, size: layout.disk, digest: Digest::of("x"), extents };
    assert_eq!(BlockMap::parse(&map.to_text()).unwrap(), map);
    let empty = map.extents.iter().find(|extent| extent.start == layout.root.start).unwrap();
    assert_eq!((empty.length, &empty.sha256), (3 * BLOCK, &None), "in use, and zero");

    // A file system that has more in use than there is is an error, not a short map.
    let beyond = |_| Ok(std::iter::once(0..99_999).collect());
    let error = usage::used(file.as_file(), file.path(), layout.disk, &partitions, &beyond);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("says that it has block "), "{error}");
}

fn volume(kind: FatType, megabytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; megabytes << 20];
    let format = Format { label: "TEST", serial: 1, kind, sector: 512, cluster: 2048 };
    let files = [("A.BIN".to_owned(), vec![1; 100_000]), ("B/C.BIN".to_owned(), vec![2; 5000])];
    fat::make(Cursor::new(&mut bytes), format, FixedClock::at(0), &files).unwrap();
    bytes
}

/// With noise wherever nothing is in use, the files are still there, and nothing else is needed.
#[test]
fn what_is_not_in_use_can_be_anything() {
    for (kind, megabytes) in [(FatType::Fat16, 64), (FatType::Fat32, 256)] {
        let mut bytes = volume(kind, megabytes);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let used = usage::of_fat(&file, 0).unwrap();
        let blocks: u64 = used.iter().map(|blocks| blocks.end - blocks.start).sum();
        assert!(blocks * BLOCK < 2 << 20, "{blocks} blocks of {used:?}");
        for (index, block) in bytes.chunks_mut(4096).enumerate() {
            if !used.iter().any(|blocks| blocks.contains(&(index as u64))) {
                block.fill(0xa5);
            }
        }
        let read = |name: &str| fat::get(Cursor::new(&mut bytes.clone()), name).unwrap();
        assert!(read("A.BIN") == Some(vec![1; 100_000]));
        assert!(read("B/C.BIN") == Some(vec![2; 5000]));
    }
}
