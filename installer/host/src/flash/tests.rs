use std::{fs, io::Write as _, path::PathBuf};

use model::block_map::{BLOCK, BlockMap, FORMAT};

use super::*;

const MIB: usize = 1 << 20;

/// An image of 8 MiB: data in the head, at 2 and at 5 MiB; zeros that matter at 3 MiB; the rest may
/// be anything.
struct Copy {
    folder: tempfile::TempDir,
    image: Vec<u8>,
    map: BlockMap,
}

impl Copy {
    fn new() -> Self {
        let mut image = vec![0; 8 * MIB];
        image[..40_000].fill(7);
        image[2 * MIB..2 * MIB + 70_000].fill(8);
        image[5 * MIB..6 * MIB].fill(9);
        let block = usize::try_from(BLOCK).unwrap();
        let extent = |start: usize, length: usize| {
            let bytes = &image[start..start + length];
            Extent {
                start: start as u64,
                length: length as u64,
                sha256: bytes.iter().any(|byte| *byte != 0).then(|| Digest::of(bytes)),
            }
        };
        let extents = vec![
            extent(0, 10 * block),
            extent(10 * block, MIB - 10 * block),
            extent(2 * MIB, 18 * block),
            extent(3 * MIB, MIB),
            extent(5 * MIB, MIB),
        ];
        let digest = Digest::of(&image);
        let map = BlockMap { format: FORMAT, size: 8 << 20, digest, extents };
        Self { folder: tempfile::tempdir().unwrap(), image, map }
    }

    /// A disk of 12 MiB that is full of noise.
    fn disk(&self) -> PathBuf {
        let path = self.folder.path().join("disk");
        fs::write(&path, vec![0xa5; 12 * MIB]).unwrap();
        path
    }

    fn source(&self) -> fs::File {
        let path = self.folder.path().join("image");
        fs::File::create(&path).unwrap().write_all(&self.image).unwrap();
        fs::File::open(path).unwrap()
    }

    /// Copies; what came of it, and the disk.
    fn copy(
        &self,
        between: impl FnMut(&mut [u8]) -> Result<(), String>,
    ) -> (Result<(), FlashError>, Vec<u8>) {
        let (path, mut between) = (self.disk(), between);
        let target = Target::open(&path).unwrap();
        let result =
            write(&mut self.source(), &self.map.extents, &target, &mut between, &mut |_, _, _| {});
        (result, fs::read(path).unwrap())
    }
}

#[test]
fn what_matters_is_there_on_a_disk_that_held_something_else() {
    let copy = Copy::new();
    let (path, mut stages) = (copy.disk(), Vec::new());
    let target = Target::open(&path).unwrap();
    assert_eq!(target.size(), 12 << 20);
    let mut tell = |stage, done: u64, of: u64| {
        assert!(done <= of);
        stages.push((stage, done == of));
    };
    let mut source = copy.source();
    let mut before = None;
    let mut between = |head: &mut [u8]| {
        assert!(*head == copy.image[..MIB]);
        before = Some(fs::read(&path).unwrap()[..MIB].iter().all(|byte| *byte == 0));
        Ok(())
    };
    write(&mut source, &copy.map.extents, &target, &mut between, &mut tell).unwrap();
    assert_eq!(before, Some(true), "the head comes last");
    let disk = fs::read(&path).unwrap();
    for extent in &copy.map.extents {
        let (from, to) = (extent.start as usize, extent.end() as usize);
        assert!(disk[from..to] == copy.image[from..to], "at {from}");
    }
    assert!(disk[4 * MIB..5 * MIB].iter().all(|byte| *byte == 0xa5), "what may be anything is");
    assert!(disk[11 * MIB..].iter().all(|byte| *byte == 0), "an old table at the end is gone");
    for stage in [Stage::Write, Stage::ReadBack] {
        assert!(stages.contains(&(stage, true)), "{stage:?} was not told to its end");
    }
}

#[test]
fn whatever_goes_wrong_leaves_a_disk_that_starts_nothing() {
    let copy = Copy::new();
    let must_fail = |(result, disk): (Result<(), FlashError>, Vec<u8>)| {
        assert!(disk[..MIB].iter().all(|byte| *byte == 0), "the head must be zero");
        result.unwrap_err().to_string()
    };
    let error = must_fail(copy.copy(|_| Err("the seed does not fit".to_owned())));
    assert_eq!(error, "the seed does not fit");

    let mut damaged = Copy::new();
    damaged.image[5 * MIB + 100] = 1;
    assert_eq!(
        must_fail(damaged.copy(|_| Ok(()))),
        "the image is not what its map says at byte 5242880: it is damaged, or the map is not its \
         own"
    );

    let mut short = Copy::new();
    short.image.truncate(5 * MIB + 10);
    assert_eq!(
        must_fail(short.copy(|_| Ok(()))),
        "the image cannot be read at byte 5242880: failed to fill whole buffer"
    );
}

#[test]
fn a_byte_that_comes_back_different_is_found() {
    let copy = Copy::new();
    let path = copy.disk();
    let target = Target::open(&path).unwrap();
    write(&mut copy.source(), &copy.map.extents, &target, &mut |_| Ok(()), &mut |_, _, _| {})
        .unwrap();
    read_back(&target, &copy.map.extents, &mut |_, _, _| {}).unwrap();
    for (at, found) in [(2 * MIB + 5, 2 * MIB), (3 * MIB + 99, 3 * MIB)] {
        let mut disk = fs::read(&path).unwrap();
        disk[at] ^= 1;
        fs::write(&path, &disk).unwrap();
        let error = read_back(&target, &copy.map.extents, &mut |_, _, _| {}).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the disk does not give back what was written at byte {found}: it is broken")
        );
        disk[at] ^= 1;
        fs::write(&path, &disk).unwrap();
    }
}
