//! Results layer: single files that appear whole or not at all in a folder that others write to at
//! the same time, such as the records of a sweep.
//!
//! A file is written into a hidden sibling of the folder, onto the disk, and then renamed. What a
//! killed process leaves in its sibling is cleared away by the next one (see `staging`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ResultsError;
use super::staging::{Staging, clear_leftovers};
use super::writer::HashedFile;

/// Puts files into one folder; several threads and processes may do so at the same time.
#[derive(Debug)]
pub struct Drafts {
    folder: PathBuf,
    staging: Staging,
}

impl Drafts {
    /// Gets ready to put files into a folder, which is made with its parents if it is missing.
    ///
    /// # Errors
    /// [`ResultsError::Io`]; [`ResultsError::NoName`] for a path that ends in `..` or is a root.
    pub fn open(folder: &Path) -> Result<Self, ResultsError> {
        let (Some(_), Some(parent)) = (folder.file_name(), folder.parent()) else {
            return Err(ResultsError::NoName { path: folder.to_path_buf() });
        };
        fs::create_dir_all(folder).map_err(ResultsError::io("create the folder", folder))?;
        clear_leftovers(folder, parent)?;
        Ok(Self { folder: folder.to_path_buf(), staging: Staging::open(folder)? })
    }

    /// Where files are written before they appear.
    #[must_use]
    pub fn hidden(&self) -> &Path {
        self.staging.partial()
    }

    /// Writes a file and puts it in its place, over an earlier one of the same name. `name` may
    /// lead from the folder into another on the same file system.
    ///
    /// # Errors
    /// [`ResultsError::Io`]; an earlier file is then untouched.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ResultsError> {
        self.place(name, bytes, |draft, target| fs::rename(draft, target))
    }

    /// The same, but never over another file: false if there is one.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    pub fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool, ResultsError> {
        let mut is_new = true;
        self.place(name, bytes, |draft, target| match fs::hard_link(draft, target) {
            Ok(()) => fs::remove_file(draft),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                is_new = false;
                fs::remove_file(draft)
            }
            // Some file systems have no links.
            Err(_) => fs::rename(draft, target),
        })?;
        Ok(is_new)
    }

    fn place(
        &self,
        name: &str,
        bytes: &[u8],
        put: impl FnOnce(&Path, &Path) -> io::Result<()>,
    ) -> Result<(), ResultsError> {
        let target = self.folder.join(name);
        let draft = target.file_name().unwrap_or_default().to_string_lossy();
        let written = HashedFile::whole(self.hidden(), &draft, bytes);
        let draft = self.hidden().join(&*draft);
        let placed = written
            .and_then(|_| put(&draft, &target).map_err(ResultsError::io("put in place", &target)));
        if placed.is_err() {
            // On a full disk the half of a file that fitted is in the way of others.
            let _ = fs::remove_file(&draft);
        }
        placed
    }

    /// The bytes of a file; `None` if there is none.
    ///
    /// # Errors
    /// [`ResultsError::Io`] if there is one that cannot be read, or is no regular file: reading a
    /// named pipe would wait for ever.
    pub fn read(path: &Path) -> Result<Option<Vec<u8>>, ResultsError> {
        if fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
            return Err(ResultsError::io("read", path)(error));
        }
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ResultsError::io("read", path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_replaces_an_earlier_one_and_leaves_no_draft() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("sweep/records");
        let drafts = Drafts::open(&folder).expect("opened");
        drafts.put("a.json", b"one").expect("written");
        drafts.put("a.json", b"two").expect("written");
        drafts.put("../b.csv", b"three").expect("written");
        let read = |name: &str| Drafts::read(&folder.join(name)).expect("readable");
        assert!(drafts.put_new("c.json", b"first").expect("written"));
        assert!(!drafts.put_new("c.json", b"second").expect("left alone"));
        assert_eq!(read("c.json").as_deref(), Some(&b"first"[..]));
        fs::remove_file(folder.join("c.json")).expect("removed");
        assert_eq!(read("a.json").as_deref(), Some(&b"two"[..]));
        assert_eq!(read("../b.csv").as_deref(), Some(&b"three"[..]));
        assert_eq!(read("c.csv"), None);
        assert_eq!(fs::read_dir(drafts.hidden()).expect("a folder").count(), 0);
        drop(drafts);
        assert_eq!(fs::read_dir(place.path().join("sweep")).expect("a folder").count(), 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn on_a_full_disk_the_earlier_file_stays() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("records");
        let drafts = Drafts::open(&folder).expect("opened");
        drafts.put("a.json", b"one").expect("written");
        let link = || std::os::unix::fs::symlink("/dev/full", drafts.hidden().join("a.json"));
        link().expect("a link");
        match drafts.put("a.json", b"two") {
            Err(ResultsError::Io { action: "write", source, .. }) => {
                assert_eq!(source.kind(), io::ErrorKind::StorageFull);
            }
            other => panic!("the disk was full, but: {other:?}"),
        }
        assert_eq!(fs::read(folder.join("a.json")).expect("a file"), b"one");
        drafts.put("a.json", b"two").expect("there is room again");
    }
}
