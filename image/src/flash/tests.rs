use super::*;

#[test]
fn how_far_it_is_in_words() {
    let mib = 1 << 20;
    assert_eq!(
        how_far(300 * mib, 1200 * mib, Duration::from_secs(3)),
        "300.0 MiB of 1.2 GiB, 100.0 MiB/s, 9 s left"
    );
    assert_eq!(how_far(0, mib, Duration::ZERO), "0 B of 1.0 MiB, 0 B/s, ? s left");
}

#[test]
fn what_failed_says_the_way_out() {
    let text = |error: FlashError| failed(&error, Path::new("/dev/sdb")).to_string();
    assert_eq!(
        text(FlashError::Fake { at: 4096 }),
        "/dev/sdb: the disk lies about its size: what was written at byte 4096 is not there\n    = \
         nothing on it can be started now; use another disk; data on /dev/sdb would be lost sooner \
         or later"
    );
    assert_eq!(
        text(FlashError::Damaged { at: 0 }),
        "/dev/sdb: the image is not what its map says at byte 0: it is damaged, or the map is not \
         its own\n    = nothing on it can be started now; build or fetch the image again, with its \
         map"
    );
}
