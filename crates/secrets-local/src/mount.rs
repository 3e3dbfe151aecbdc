//! Files that are swapped by a link on the way to them, as Kubernetes swaps those of its mounts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[cfg(any(feature = "env", feature = "dotenv"))]
use crate::file::{self, Contents, ReadError};

/// The link in a mount that all its files are reached by (`pkg/volume/util/atomic_writer.go` of
/// Kubernetes).
#[cfg(feature = "directory")]
pub(crate) const DATA_LINK: &str = "..data";
/// How often something is looked at again because a link was changed meanwhile. A reader can fall
/// in step with whoever swaps, as both wait for the folder.
const LOOKS: u32 = 64;
/// As many links are followed as Linux follows (`MAXSYMLINKS`).
const MAX_LINKS: u32 = 40;

/// Where links pointed just before something was looked at; what was no link points nowhere.
#[derive(Debug, Default)]
pub(crate) struct Links(BTreeMap<PathBuf, Option<PathBuf>>);

impl Links {
    /// Notes the links on the way to `path`.
    pub(crate) fn on_the_way_to(&mut self, path: &Path) {
        let mut ways = vec![path.to_owned()];
        let mut followed = 0;
        while let Some(way) = ways.pop() {
            for place in way.ancestors() {
                if self.0.contains_key(place) {
                    // So is all that is above it.
                    break;
                }
                let target = self.note(place.to_owned());
                if let (Some(target), Some(folder)) = (target, place.parent())
                    && followed < MAX_LINKS
                {
                    followed += 1;
                    ways.push(folder.join(target));
                }
            }
        }
    }

    /// Notes the link that a folder has where it is a mount.
    #[cfg(feature = "directory")]
    pub(crate) fn of_mount(&mut self, folder: &Path) {
        self.note(folder.join(DATA_LINK));
    }

    /// What was noted first counts.
    fn note(&mut self, place: PathBuf) -> Option<&PathBuf> {
        let target = fs::read_link(&place).ok();
        self.0.entry(place).or_insert(target).as_ref()
    }

    fn are_unchanged(&self) -> bool {
        self.0.iter().all(|(place, target)| fs::read_link(place).ok() == *target)
    }
}

/// Looks at files, and again while links that `look` noted before are changed: a reader that follows
/// one just before finds the old folder removed. An answer that is good stands whatever was changed.
/// `None` when it never settles.
pub(crate) fn settled<T>(
    mut look: impl FnMut(&mut Links) -> T,
    is_good: impl Fn(&T) -> bool,
) -> Option<T> {
    for _ in 0..LOOKS {
        let mut links = Links::default();
        let seen = look(&mut links);
        if is_good(&seen) || links.are_unchanged() {
            return Some(seen);
        }
    }
    None
}

/// Reads a file, across swaps of what it is reached by.
#[cfg(any(feature = "env", feature = "dotenv"))]
pub(crate) fn read(path: &Path, limit: usize) -> Result<Contents, ReadError> {
    let is_there = |read: &Result<_, ReadError>| !read.as_ref().is_err_and(ReadError::is_absent);
    let read = file::read(path, limit);
    if is_there(&read) {
        return read;
    }
    let look = |links: &mut Links| {
        links.on_the_way_to(path);
        file::read(path, limit)
    };
    settled(look, is_there).unwrap_or(Err(ReadError::Unsteady))
}

#[cfg(all(test, unix, feature = "directory"))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn point(link: &Path, target: &str) {
        let _ = fs::remove_file(link);
        assert!(symlink(target, link).is_ok());
    }

    /// How many looks it takes when the first one changes something meanwhile.
    fn looks(note: impl Fn(&mut Links), change: impl Fn()) -> u32 {
        let mut looks = 0;
        let settled = settled(
            |links| {
                note(links);
                if looks == 0 {
                    change();
                }
                looks += 1;
                looks
            },
            |_| false,
        );
        assert_eq!(settled, Some(looks));
        looks
    }

    #[test]
    fn a_change_of_any_link_on_the_way_is_another_look() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("mount/..1/db")).unwrap();
        for (link, target) in [
            ("mount/..data", "..1"),
            ("mount/db", "..data/db"),
            ("linked", "mount/db/key"),
            ("elsewhere", "mount"),
            ("unrelated", "mount"),
        ] {
            point(&at(link), target);
        }
        let changes = [
            (Some("mount/..data"), "..2"),
            (Some("mount/db"), "..2/db"),
            (Some("unrelated"), "..2"),
            (None, ""),
        ];
        let ways = [
            ("mount/db/key", [2, 2, 1, 1]),
            ("elsewhere/db/key", [2, 2, 1, 1]),
            ("linked", [2, 2, 1, 1]),
            ("elsewhere/key", [1, 1, 1, 1]),
        ];
        for (way, expected) in ways {
            for ((link, target), expected) in changes.into_iter().zip(expected) {
                let before = link.map(|link| (at(link), fs::read_link(at(link)).unwrap()));
                let note = |links: &mut Links| links.on_the_way_to(&at(way));
                let change = || link.iter().for_each(|link| point(&at(link), target));
                assert_eq!(looks(note, change), expected, "{way} while {link:?} is changed");
                let _ = before.map(|(link, target)| point(&link, target.to_str().unwrap()));
            }
        }
        // A link that comes or goes is a change, too.
        let note = |links: &mut Links| links.on_the_way_to(&at("mount/db"));
        assert_eq!(looks(note, || fs::remove_file(at("mount/db")).unwrap()), 2);
        assert_eq!(looks(note, || point(&at("mount/db"), "..data/db")), 2);
        let note = |links: &mut Links| links.of_mount(&at("mount"));
        assert_eq!(looks(note, || point(&at("mount/..data"), "..2")), 2);
    }

    #[test]
    fn links_without_end_are_not_followed_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        point(&at("loop"), "loop");
        point(&at("deeper"), "deeper/deeper");
        for way in ["loop", "deeper", "deeper/x"] {
            let mut links = Links::default();
            links.on_the_way_to(&at(way));
            assert!(links.are_unchanged());
        }
    }

    #[test]
    fn what_is_swapped_all_the_time_is_given_up_and_what_is_good_stands() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        let turn = std::cell::Cell::new(0);
        let look = |links: &mut Links| {
            links.on_the_way_to(&link);
            turn.set(turn.get() + 1);
            point(&link, &turn.get().to_string());
            turn.get()
        };
        assert_eq!(settled(look, |_| false), None);
        assert_eq!(turn.replace(0), LOOKS);
        assert_eq!(settled(look, |turn| *turn == 3), Some(3));
    }
}
