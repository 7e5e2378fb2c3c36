//! Watching files: what a command has read is looked at again and again, and a change is told.
//!
//! Times and sizes are compared, a few files some times a second: that works on every file system, and needs no library.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at.
pub(crate) const PERIOD: Duration = Duration::from_millis(300);

/// How long a file stays as it is before it is taken for whole.
const MOMENT: Duration = Duration::from_millis(100);

/// A file's time and size; none when it is not there.
type Look = Option<(SystemTime, u64)>;

/// Files, and how they looked when they were last read.
#[derive(Debug, Default)]
pub(crate) struct Watched(BTreeMap<PathBuf, Look>);

impl Watched {
    /// These files as they are now.
    pub(crate) fn now(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let looks = paths.into_iter().map(|path| {
            let look = look(&path);
            (path, look)
        });
        Self(looks.collect())
    }

    /// The files that were read, of which these are some: those look as they did before, the others as they do now.
    pub(crate) fn read(mut self, paths: Vec<PathBuf>) -> Self {
        let looks = paths.into_iter().map(|path| {
            let seen = self.0.remove(&path).unwrap_or_else(|| look(&path));
            (path, seen)
        });
        Self(looks.collect())
    }

    /// The first file that looks different now.
    pub(crate) fn changed(&self) -> Option<&Path> {
        let different = |(path, seen): &(&PathBuf, &Look)| look(path) != **seen;
        self.0
            .iter()
            .find(different)
            .map(|(path, _)| path.as_path())
    }

    /// Whether that one looks different now.
    pub(crate) fn has_changed(&self, path: &Path) -> bool {
        self.0.get(path).is_some_and(|seen| look(path) != *seen)
    }

    /// Waits until a file changes.
    pub(crate) fn wait(&self) -> PathBuf {
        loop {
            std::thread::sleep(PERIOD);
            if let Some(path) = self.changed() {
                settle(path);
                return path.to_owned();
            }
        }
    }
}

fn look(path: &Path) -> Look {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Waits until a file stays as it is for a moment: who writes it may not be done with it.
pub(crate) fn settle(path: &Path) {
    let mut seen = look(path);
    for _ in 0..50 {
        std::thread::sleep(MOMENT);
        let now = look(path);
        if now.is_some() && now == seen {
            return;
        }
        seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_seen() {
        let folder = std::env::temp_dir().join(format!("host-test-watch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (there, missing) = (folder.join("a"), folder.join("b"));
        std::fs::write(&there, "1").unwrap();
        let watched = Watched::now([there.clone(), missing.clone()]);
        assert_eq!(watched.changed(), None);
        std::fs::write(&there, "12").unwrap();
        assert_eq!(watched.changed(), Some(there.as_path()));
        let watched = Watched::now([there, missing.clone()]);
        std::fs::write(&missing, "1").unwrap();
        assert_eq!(watched.changed(), Some(missing.as_path()));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_seen() {
        let folder = std::env::temp_dir().join(format!("host-test-read-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let [before, late, gone] = ["before", "late", "gone"].map(|name| folder.join(name));
        let watched = Watched::now([before.clone(), gone.clone()]);
        for file in [&before, &late, &gone] {
            std::fs::write(file, "1").unwrap();
        }
        let watched = watched.read(vec![before.clone(), late.clone()]);
        assert_eq!(watched.changed(), Some(before.as_path()));
        assert!(!watched.has_changed(&late) && !watched.has_changed(&gone));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
