//! The objects that a scan of a repository is handed are those that git prints.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use straykey::location::Origin;
use straykey::source::git::{ObjectStore, Repository};
use straykey::source::{Blob, Coverage, NotScanned, Objects, Sink, Source};

use crate::git_kit::GitKit;
use crate::git_objects::{all_objects, grow};
use crate::history_kit::History;

/// Kind and content of every object handed over, and how often each was.
#[derive(Default)]
struct Seen {
    objects: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    handed: Mutex<usize>,
    left_out: Mutex<Vec<NotScanned>>,
    coverage: Mutex<Coverage>,
}

impl Sink for Seen {
    fn blob(&self, blob: &Blob<'_>) {
        let Origin::Object { kind, id } = blob.origin else {
            panic!("{:?}", blob.origin);
        };
        *self.handed.lock().unwrap() += 1;
        let object = (kind.to_string(), blob.bytes.to_vec());
        self.objects.lock().unwrap().insert(id.to_string(), object);
    }

    fn not_scanned(&self, entry: NotScanned) {
        self.left_out.lock().unwrap().push(entry);
    }

    fn covered(&self, more: Coverage) {
        let mut total = self.coverage.lock().unwrap();
        total.files += more.files;
        total.bytes += more.bytes;
    }
}

pub(crate) fn store_of(folder: &Path) -> ObjectStore {
    let repository = Repository::discover(folder).expect("a repository");
    ObjectStore::open(&repository).expect("objects")
}

/// Whether a scan hands text over as it is stored: UTF-16 comes decoded, and without its mark.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !bytes.contains(&0) && !bytes.starts_with(b"\xEF\xBB\xBF")
}

/// Every object is handed over once; their number.
fn check(folder: &Path, story: &str) -> usize {
    let seen = Seen::default();
    Objects::new(&store_of(folder)).read(&seen);
    assert_eq!(*seen.left_out.lock().unwrap(), [], "{story}");
    let mut expected = all_objects(folder);
    expected.retain(|_, (kind, _)| kind != "tree");
    let coverage = seen.coverage.into_inner().unwrap();
    let bytes: usize = expected.values().map(|(_, content)| content.len()).sum();
    assert_eq!(coverage.files, expected.len() as u64, "{story}");
    assert_eq!(coverage.bytes, bytes as u64, "{story}");
    expected.retain(|_, (_, content)| is_plain(content));
    let objects = seen.objects.into_inner().unwrap();
    for (id, object) in &expected {
        assert!(objects.get(id) == Some(object), "{story}: {id}");
    }
    expected.len()
}

#[test]
fn every_object_is_handed_over_once() {
    for format in ["sha1", "sha256"] {
        let kit = GitKit::init(&["--object-format", format]);
        grow(&kit, 0, 12);
        assert!(check(kit.path(), format) > 20);
        kit.git(&["repack", "-q", "-d", "--depth=50"]);
        grow(&kit, 12, 24);
        kit.git(&["repack", "-q", "-d"]);
        kit.git(&["multi-pack-index", "write"]);
        // A pack that holds everything once more.
        kit.git(&["repack", "-q", "-a"]);
        check(kit.path(), format);
        kit.git(&["reset", "-q", "--hard", "HEAD~5"]);
        kit.git(&["reflog", "expire", "--expire=now", "--all"]);
        let all = check(kit.path(), format);
        kit.git(&["tag", "-d", "v24"]);
        kit.git(&["gc", "-q", "--cruft", "--prune=never"]);
        assert_eq!(check(kit.path(), format), all);
    }
}

#[test]
fn generated_histories_are_read_as_git_reads_them() {
    for seed in 0..12 {
        let history = History::new(seed, 30);
        check(&history.path, &history.story);
    }
}
