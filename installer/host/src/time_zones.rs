//! The time zones that this machine knows.

use crate::{Host, files};

/// All names of the IANA list, in its order; empty where there is no list (package `tzdata`).
pub fn all(host: &Host) -> Vec<String> {
    let text = files::read_text_optional(host.path("/usr/share/zoneinfo/tzdata.zi"));
    // `Z NAME ...` is a zone, `L ZONE NAME` another name of one.
    let name = |line: &str| {
        let mut words = line.split(' ');
        match words.next()? {
            "Z" => words.next().map(str::to_owned),
            "L" => words.nth(1).map(str::to_owned),
            _ => None,
        }
    };
    text.ok().flatten().unwrap_or_default().lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_their_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::fake::host(folder.path()).host();
        assert!(all(&host).is_empty());
        let place = folder.path().join("usr/share/zoneinfo");
        std::fs::create_dir_all(&place).unwrap();
        let text = "# version 2025b\nR a 1916 o - Jun 14 23s 1 S\nZ Europe/Berlin 0:53:28 - LMT\n\
                    1 c CE%sT\nL Europe/Berlin Europe/Oslo\n";
        std::fs::write(place.join("tzdata.zi"), text).unwrap();
        assert_eq!(all(&host), ["Europe/Berlin", "Europe/Oslo"]);
    }
}
