//! A sink that remembers what it is given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use straykey::location::{Origin, Position};
use straykey::source::{Blob, Coverage, Files, NotScanned, Sink, Source};

/// What it does when a blob comes in, before anything else.
type Action<'r> = Box<dyn Fn(&Blob<'_>) + Send + Sync + 'r>;

#[derive(Default)]
pub(crate) struct Recorder<'r> {
    /// The cores of each file joined, of large ones only what `marker` asks for.
    texts: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    marks: Mutex<Vec<Position>>,
    left_out: Mutex<Vec<NotScanned>>,
    coverage: Mutex<Coverage>,
    largest: Mutex<usize>,
    /// Look for this and keep no text.
    marker: Option<&'r [u8]>,
    action: Option<Action<'r>>,
}

impl<'r> Recorder<'r> {
    /// One that notes only where `marker` starts in a core.
    pub(crate) fn of_marker(marker: &'r [u8]) -> Self {
        Self {
            marker: Some(marker),
            ..Self::default()
        }
    }

    /// One that does something at every blob.
    pub(crate) fn with_action(action: impl Fn(&Blob<'_>) + Send + Sync + 'r) -> Self {
        Self {
            action: Some(Box::new(action)),
            ..Self::default()
        }
    }

    /// The files that were read, relative to `root`, sorted; empty files are not among them.
    pub(crate) fn names(&self, root: &Path) -> Vec<String> {
        let texts = self.texts.lock().unwrap();
        let relative = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).to_owned();
        texts
            .keys()
            .map(|path| relative(path).to_string_lossy().into_owned())
            .collect()
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.texts.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn texts(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.texts.lock().unwrap().clone()
    }

    pub(crate) fn marks(&self) -> Vec<Position> {
        self.marks.lock().unwrap().clone()
    }

    /// Size of the largest blob.
    pub(crate) fn largest(&self) -> usize {
        *self.largest.lock().unwrap()
    }

    /// What was not scanned, sorted.
    pub(crate) fn left_out(&self) -> Vec<NotScanned> {
        let mut entries = self.left_out.lock().unwrap().clone();
        entries.sort();
        entries
    }

    /// The only entry that was not scanned: its path, its reason, and whether it matters.
    pub(crate) fn only_left_out(&self) -> (String, String, bool) {
        let mut entries = self.left_out();
        assert_eq!(entries.len(), 1, "{entries:?}");
        let NotScanned {
            path,
            reason,
            incomplete,
        } = entries.remove(0);
        (path, reason, incomplete)
    }

    pub(crate) fn coverage(&self) -> Coverage {
        *self.coverage.lock().unwrap()
    }
}

impl Sink for Recorder<'_> {
    fn blob(&self, blob: &Blob<'_>) {
        if let Some(action) = &self.action {
            action(blob);
        }
        let mut largest = self.largest.lock().unwrap();
        *largest = blob.bytes.len().max(*largest);
        if let Some(marker) = self.marker {
            let found = memchr::memmem::find_iter(blob.bytes, marker);
            let in_core = found.filter(|at| blob.core.contains(at));
            let places = in_core.map(|at| blob.start.after(&blob.bytes[..at]));
            self.marks.lock().unwrap().extend(places);
            return;
        }
        let path = match blob.origin {
            Origin::File(path) => path.clone(),
            other => PathBuf::from(other.path().into_owned()),
        };
        let mut texts = self.texts.lock().unwrap();
        let text = texts.entry(path).or_default();
        text.extend_from_slice(&blob.bytes[blob.core.clone()]);
    }

    fn not_scanned(&self, entry: NotScanned) {
        self.left_out.lock().unwrap().push(entry);
    }

    fn covered(&self, more: Coverage) {
        let mut total = self.coverage.lock().unwrap();
        total.files += more.files;
        total.bytes += more.bytes;
        total.git_ignored += more.git_ignored;
    }
}

/// Reads `files` and remembers.
pub(crate) fn scan(files: &Files) -> Recorder<'static> {
    let recorder = Recorder::default();
    files.read(&recorder);
    recorder
}

/// Reads `files` for `sink` on so many threads.
pub(crate) fn scan_with_threads(files: &Files, threads: usize, sink: &dyn Sink) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads").install(|| files.read(sink));
}
