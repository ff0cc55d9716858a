//! FAT file systems of disks and images: made, filled and read in process, without mounting them and
//! always with the same bytes.

mod dots;

use std::{
    fmt::Debug,
    io::{self, Read, Seek, SeekFrom, Write},
};

pub use fatfs::FatType;
use fatfs::{Date, DateTime, Dir, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};

/// Where a boot sector tells the bytes of a sector, two of them.
const SECTOR_FIELD: u64 = 11;

/// A clock that stands still, so that two builds agree.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(DateTime);

impl FixedClock {
    /// A clock at `epoch` seconds since 1970, UTC. FAT cannot say a year before 1980.
    pub fn at(epoch: i64) -> Self {
        let floor = time::macros::datetime!(1980-01-01 0:00 UTC);
        let now = time::OffsetDateTime::from_unix_timestamp(epoch).unwrap_or(floor).max(floor);
        let year = u16::try_from(now.year()).unwrap_or(1980);
        Self(DateTime {
            date: Date { year, month: u8::from(now.month()).into(), day: now.day().into() },
            time: Time {
                hour: now.hour().into(),
                min: now.minute().into(),
                sec: now.second().into(),
                millis: 0,
            },
        })
    }
}

impl TimeProvider for FixedClock {
    fn get_current_date(&self) -> Date {
        self.0.date
    }

    fn get_current_date_time(&self) -> DateTime {
        self.0
    }
}

fn options(clock: FixedClock) -> FsOptions {
    // The crate asks for a clock that lives for ever. Two words for each opened file system are
    // small, and there is no other way to hand it a value that is only known at run time.
    FsOptions::new().time_provider(Box::leak(Box::new(clock)))
}

/// What a new FAT file system is like.
#[derive(Debug, Clone, Copy)]
pub struct Format<'a> {
    /// At most eleven upper-case characters.
    pub label: &'a str,
    /// Serial number.
    pub serial: u32,
    /// FAT32 wants at least 65 525 clusters, FAT16 fewer.
    pub kind: FatType,
    /// Bytes of a sector: not fewer than those of the disk, since Linux mounts no such file system.
    pub sector: u16,
    /// Bytes of a cluster.
    pub cluster: u32,
}

/// Makes a file system over the whole of `volume` and puts `files` (path with `/`, content) there
/// in the given order; folders are made as they are needed. A path that ends in `/` is a folder.
///
/// # Errors
/// The volume is too small or cannot be written.
pub fn make<V: Read + Write + Seek>(
    mut volume: V,
    format: Format<'_>,
    clock: FixedClock,
    files: &[(String, Vec<u8>)],
) -> io::Result<()> {
    let mut label = [b' '; 11];
    for (place, byte) in label.iter_mut().zip(format.label.bytes()) {
        *place = byte;
    }
    let wanted = FormatVolumeOptions::new()
        .volume_label(label)
        .volume_id(format.serial)
        .fat_type(format.kind)
        .bytes_per_sector(format.sector)
        .bytes_per_cluster(format.cluster);
    fatfs::format_volume(&mut volume, wanted)?;
    let system = FileSystem::new(&mut volume, options(clock))?;
    for (path, content) in files {
        put_into(&system, path, content)?;
    }
    // Counts what is free, which is noted when the volume is closed.
    system.stats()?;
    system.unmount()?;
    dots::mend(&mut volume)
}

/// Bytes of a sector of the file system on a volume.
///
/// # Errors
/// The volume is no FAT file system, or cannot be read.
pub fn sector<V: Read + Seek>(volume: &mut V) -> io::Result<u16> {
    volume.rewind()?;
    // The crate checks the boot sector, and does not tell all of it.
    FileSystem::new(ReadOnly(&mut *volume), FsOptions::new())?;
    let mut field = [0; 2];
    volume.seek(SeekFrom::Start(SECTOR_FIELD))?;
    volume.read_exact(&mut field)?;
    Ok(u16::from_le_bytes(field))
}

/// Makes the file system of `old` anew on another volume, for sectors of so many bytes: the same files
/// and folders, label and serial number. What was FAT32 is FAT16 if there are too few clusters for it.
///
/// # Errors
/// The old one cannot be read, or the new one cannot be written or is too small.
pub fn again<O: Read + Seek, N: Read + Write + Seek>(
    mut old: O,
    new: N,
    sector: u16,
    clock: FixedClock,
) -> io::Result<()> {
    old.rewind()?;
    let old = FileSystem::new(ReadOnly(old), FsOptions::new())?;
    let mut files = Vec::new();
    collect(&old.root_dir(), "", &mut files)?;
    let label = old.read_volume_label_from_root_dir()?.unwrap_or_else(|| old.volume_label());
    let format = Format {
        label: &label,
        serial: old.volume_id(),
        kind: old.fat_type(),
        sector,
        cluster: old.cluster_size().max(sector.into()),
    };
    make(new, format, clock, &files)
}

/// All files of a folder and of those in it, and the folders themselves.
fn collect<V: Read + Write + Seek>(
    folder: &Dir<'_, V>,
    path: &str,
    files: &mut Vec<(String, Vec<u8>)>,
) -> io::Result<()> {
    for entry in folder.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if [".", ".."].contains(&name.as_str()) {
            continue;
        }
        let mut content = Vec::new();
        if entry.is_dir() {
            let path = format!("{path}{name}/");
            files.push((path.clone(), content));
            collect(&entry.to_dir(), &path, files)?;
        } else {
            entry.to_file().read_to_end(&mut content)?;
            files.push((format!("{path}{name}"), content));
        }
    }
    Ok(())
}

/// Writes one file, replacing what it held.
///
/// # Errors
/// The volume is no FAT file system, is full, or cannot be written.
pub fn put<V: Read + Write + Seek>(
    mut volume: V,
    clock: FixedClock,
    path: &str,
    content: &[u8],
) -> io::Result<()> {
    let system = FileSystem::new(&mut volume, options(clock))?;
    put_into(&system, path, content)?;
    system.unmount()?;
    dots::mend(&mut volume)
}

fn put_into<V: Read + Write + Seek>(
    system: &FileSystem<V>,
    path: &str,
    content: &[u8],
) -> io::Result<()> {
    let mut folder = system.root_dir();
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    for part in parts {
        folder = folder.create_dir(part)?;
    }
    if name.is_empty() {
        return Ok(());
    }
    let mut file = folder.create_file(name)?;
    file.truncate()?;
    file.write_all(content)?;
    file.flush()
}

/// Reads one file; none if it is not there.
///
/// # Errors
/// The volume is no FAT file system, or cannot be read.
pub fn get<V: Read + Write + Seek>(volume: V, path: &str) -> io::Result<Option<Vec<u8>>> {
    // Access dates are off by default: reading writes nothing.
    let system = FileSystem::new(volume, FsOptions::new())?;
    let mut file = match system.root_dir().open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(Some(content))
}

/// A read-only volume for [`get`]: writing to it is an error.
#[derive(Debug)]
pub struct ReadOnly<V>(pub V);

impl<V: Read> Read for ReadOnly<V> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<V: Seek> Seek for ReadOnly<V> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl<V> Write for ReadOnly<V> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "opened for reading"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, path::Path};

    use super::*;
    use crate::{Command, Runner as _, SystemRunner};

    fn volume() -> Vec<u8> {
        filled(FatType::Fat16, 8)
    }

    fn filled(kind: FatType, mib: usize) -> Vec<u8> {
        let mut volume = Cursor::new(vec![0; mib << 20]);
        let cluster = if kind == FatType::Fat32 { 512 } else { 1024 };
        let format = Format { label: "SEED", serial: 0x1234_ABCD, kind, sector: 512, cluster };
        let files = [
            ("README.TXT".to_owned(), b"read me".to_vec()),
            ("EFI/debian/grubenv".to_owned(), vec![b'#'; 1024]),
            ("EFI/debian/grub.cfg".to_owned(), b"menu".to_vec()),
        ];
        make(&mut volume, format, FixedClock::at(1_790_000_000), &files).unwrap();
        volume.into_inner()
    }

    #[test]
    fn same_files_same_bytes() {
        assert!(volume() == volume());
    }

    #[test]
    fn files_read_back_and_are_replaced() {
        let mut bytes = volume();
        let read = |bytes: &[u8], path| get(ReadOnly(Cursor::new(bytes)), path).unwrap();
        assert_eq!(read(&bytes, "EFI/debian/grub.cfg").unwrap(), b"menu");
        assert_eq!(read(&bytes, "efi/DEBIAN/grubenv").unwrap().len(), 1024);
        assert_eq!(read(&bytes, "seed.toml"), None);
        put(Cursor::new(&mut bytes[..]), FixedClock::at(0), "README.TXT", b"ok").unwrap();
        assert_eq!(read(&bytes, "README.TXT").unwrap(), b"ok");
    }

    #[test]
    fn label_and_serial_stand_where_blkid_reads_them() {
        let bytes = volume();
        assert_eq!(bytes[0x27..0x2b], 0x1234_ABCD_u32.to_le_bytes());
        assert_eq!(&bytes[0x2b..0x36], b"SEED       ");
    }

    #[test]
    fn larger_sectors_change_nothing_that_a_reader_sees() {
        // Of 40 MiB, FAT32 has too few clusters of 4096 bytes; of 260 MiB it has enough.
        for (kind, mib, then) in [
            (FatType::Fat16, 32, FatType::Fat16),
            (FatType::Fat32, 40, FatType::Fat16),
            (FatType::Fat32, 260, FatType::Fat32),
        ] {
            let mut old = Cursor::new(filled(kind, mib));
            put(&mut old, FixedClock::at(0), "a long name/below.txt", &[9; 9000]).unwrap();
            old.rewind().unwrap();
            let system = FileSystem::new(&mut old, FsOptions::new()).unwrap();
            system.root_dir().create_dir("empty").unwrap();
            system.unmount().unwrap();
            dots::mend(&mut old).unwrap();
            assert_eq!(sector(&mut old).unwrap(), 512);
            let mut new = Cursor::new(vec![0; mib << 20]);
            again(&mut old, &mut new, 4096, FixedClock::at(0)).unwrap();
            assert_eq!(sector(&mut new).unwrap(), 4096);

            let files = |volume: &mut Cursor<Vec<u8>>| {
                volume.rewind().unwrap();
                let system = FileSystem::new(volume, FsOptions::new()).unwrap();
                let mut files = Vec::new();
                collect(&system.root_dir(), "", &mut files).unwrap();
                let label = system.read_volume_label_from_root_dir().unwrap();
                (files, label, system.volume_label(), system.volume_id(), system.fat_type())
            };
            let (old, found) = (files(&mut old), files(&mut new));
            assert_eq!(found.0.len(), 8, "{:?}", found.0);
            assert!(found.0.contains(&("empty/".to_owned(), Vec::new())));
            assert_eq!(found.4, then);
            assert_eq!((found.0, found.1, found.2, found.3), (old.0, old.1, old.2, old.3));
            let folder = tempfile::tempdir().unwrap();
            let image = folder.path().join("fat.img");
            std::fs::write(&image, new.get_ref()).unwrap();
            look_at(&image);
        }
    }

    #[test]
    fn what_is_no_fat_or_does_not_fit_is_refused() {
        let mut nothing = Cursor::new(vec![0; 4096]);
        assert!(sector(&mut nothing).is_err());
        let clock = FixedClock::at(0);
        assert!(again(&mut nothing, Cursor::new(vec![0; 8 << 20]), 4096, clock).is_err());
        let old = Cursor::new(volume());
        assert!(again(old, Cursor::new(vec![0; 16 << 10]), 4096, clock).is_err());
    }

    /// Each folder has `.` and `..` as its first entries, and so it does in the eyes of a checker.
    #[test]
    fn folders_are_as_checkers_want_them() {
        for (kind, mib) in [(FatType::Fat16, 8), (FatType::Fat32, 40)] {
            let mut bytes = filled(kind, mib);
            put(Cursor::new(&mut bytes[..]), FixedClock::at(0), "a/b/c.txt", b"c").unwrap();
            let entry = |name: &[u8]| bytes.windows(11).position(|part| part == name).unwrap();
            let (folder, below) = (entry(b"EFI        "), entry(b"DEBIAN     "));
            let cluster = |at: usize| u16::from_le_bytes([bytes[at + 26], bytes[at + 27]]);
            // The entry `DEBIAN` lies in `EFI`, behind `.` and `..`.
            let start = (0..=below / 32)
                .rev()
                .map(|n| n * 32)
                .find(|at| bytes[*at..].starts_with(b".          "));
            let start = start.unwrap();
            assert_eq!(cluster(start), cluster(folder));
            assert!(bytes[start + 32..].starts_with(b"..         "));
            assert_eq!(cluster(start + 32), 0, "the root is cluster 0");
            let folder = tempfile::tempdir().unwrap();
            let image = folder.path().join("fat.img");
            std::fs::write(&image, &bytes).unwrap();
            look_at(&image);
        }
    }

    /// A machine without the checker says so.
    fn look_at(image: &Path) {
        match SystemRunner.run(&Command::new("fsck.vfat").arg("-n").arg(image)) {
            Ok(_) => {}
            Err(error) if error.exit == "is not installed" => {
                println!("not looked at: `fsck.vfat` is not installed here");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
