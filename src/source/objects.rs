//! Every object of a repository as a [`Source`]: blobs, commits and tags, whatever leads to them
//! and whether anything does.

use std::io::{self, Read};
use std::ops::Range;

use super::git::{
    Kind, LargeBlob, NotRead, ObjectError, ObjectId, ObjectRef, ObjectStore, Selection, Visit,
};
use super::stdin::{Reader, pump, try_pump};
use super::text;
use super::{Blob, Coverage, NotScanned, Sink, Source};
use crate::location::Origin;

/// The objects of a store, each once.
pub struct Objects<'s> {
    store: &'s ObjectStore,
    selection: Selection<'s>,
    full_scan: bool,
    watch: Option<Watch<'s>>,
}

/// Sees objects.
type Watch<'s> = &'s (dyn Fn(&ObjectRef<'_>) + Sync);

/// The kinds that hold text of people; names of files are told by trees, see `provenance`.
const TEXTS: [Kind; 3] = [Kind::Blob, Kind::Commit, Kind::Tag];

impl<'s> Objects<'s> {
    /// All blobs, commits and tags of `store`.
    #[must_use]
    pub fn new(store: &'s ObjectStore) -> Self {
        Self {
            store,
            selection: Selection::of(&TEXTS),
            full_scan: false,
            watch: None,
        }
    }

    /// Shows the objects of the selection to `watch`, too, but for the large blobs that are read in
    /// windows. Trees are shown to it alone: the sink gets nothing of them. One walk for all kinds
    /// costs less than one for each, and who only looks on need not stand between source and sink.
    #[must_use]
    pub fn watched_by(mut self, watch: Watch<'s>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Only the objects of `selection`.
    #[must_use]
    pub fn selecting(mut self, selection: Selection<'s>) -> Self {
        self.selection = selection;
        self
    }

    /// Whether every object is scanned whole, though it is stored as a difference to another one
    /// that was scanned. The findings are the same; this is how that is shown.
    #[must_use]
    pub fn full_scan(mut self, full: bool) -> Self {
        self.full_scan = full;
        self
    }
}

impl Source for Objects<'_> {
    fn read(&self, sink: &dyn Sink) {
        let handed = Handed {
            sink,
            full_scan: self.full_scan,
            watch: self.watch,
        };
        self.store.for_each(self.selection, &handed);
    }
}

/// One blob, handed over as what stands at a path.
#[derive(Debug)]
pub struct ObjectAt<'s> {
    store: &'s ObjectStore,
    id: ObjectId,
    origin: &'s Origin,
}

impl<'s> ObjectAt<'s> {
    /// The blob `id` as `origin`.
    #[must_use]
    pub fn new(store: &'s ObjectStore, id: ObjectId, origin: &'s Origin) -> Self {
        Self { store, id, origin }
    }
}

impl Source for ObjectAt<'_> {
    fn read(&self, sink: &dyn Sink) {
        let mut content = Vec::new();
        let reason = match self.store.find(&self.id, &mut content) {
            Ok(Some(_)) => return pump(&mut Reader(&content[..]), self.origin, sink),
            Ok(None) => "it is not here".to_owned(),
            Err(error) => error.to_string(),
        };
        sink.not_scanned(NotScanned {
            path: format!("object {}", self.id),
            reason,
            incomplete: true,
        });
    }
}

/// Hands objects on to a sink.
struct Handed<'h> {
    sink: &'h dyn Sink,
    full_scan: bool,
    watch: Option<Watch<'h>>,
}

fn origin(kind: Kind, id: &ObjectId) -> Origin {
    Origin::Object {
        kind: kind.as_str(),
        id: id.to_hex(),
    }
}

impl Visit for Handed<'_> {
    fn object(&self, object: &ObjectRef<'_>) {
        if let Some(watch) = self.watch {
            watch(object);
        }
        if object.kind == Kind::Tree {
            return;
        }
        if text::utf16(object.bytes).is_some() {
            let origin = origin(object.kind, &object.id());
            // A version of it may be taken for something else by its first bytes.
            object.mark();
            // Reading from memory does not fail.
            let _ = try_pump(&mut Reader(object.bytes), &origin, self.sink);
            return;
        }
        let changed = object.changed.filter(|_| !self.full_scan);
        if self.hand(object, changed) {
            object.mark();
        }
        self.sink.covered(Coverage {
            files: 1,
            bytes: object.bytes.len() as u64,
            ..Coverage::default()
        });
    }

    fn large(&self, blob: &mut LargeBlob<'_>) -> Result<(), ObjectError> {
        let origin = origin(Kind::Blob, &blob.id());
        let mut reader = Reader(Large { blob, error: None });
        let result = try_pump(&mut reader, &origin, self.sink);
        match (result, reader.0.error) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(error)) => Err(error),
            (Err((source, _)), None) => Err(ObjectError::Io {
                path: origin.path().into_owned(),
                source,
            }),
        }
    }

    fn not_read(&self, what: NotRead) {
        self.sink.not_scanned(NotScanned {
            path: what.what,
            reason: what.reason,
            incomplete: true,
        });
    }

    fn stopped(&self) -> bool {
        self.sink.stopped()
    }
}

impl Handed<'_> {
    /// Hands an object over, without the byte order mark, which is no character of the text.
    fn hand(&self, object: &ObjectRef<'_>, changed: Option<&[Range<usize>]>) -> bool {
        let Some(text) = object.bytes.strip_prefix(text::UTF8_MARK) else {
            return self.hand_text(object, object.bytes, changed);
        };
        let mark = text::UTF8_MARK.len();
        let moved =
            |range: &Range<usize>| range.start.saturating_sub(mark)..range.end.saturating_sub(mark);
        let changed: Option<Vec<Range<usize>>> = changed.map(|it| it.iter().map(moved).collect());
        self.hand_text(object, text, changed.as_deref())
    }

    fn hand_text(
        &self,
        object: &ObjectRef<'_>,
        text: &[u8],
        changed: Option<&[Range<usize>]>,
    ) -> bool {
        self.sink.notices(text, changed) && {
            let origin = origin(object.kind, &object.id());
            self.sink.object(&Blob::whole(&origin, text), changed)
        }
    }
}

/// A large blob as a reader; its own error is kept beside.
struct Large<'l, 'b> {
    blob: &'l mut LargeBlob<'b>,
    error: Option<ObjectError>,
}

impl Read for Large<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.blob.read(buffer).map_err(|error| {
            let told = io::Error::other(error.to_string());
            self.error = Some(error);
            told
        })
    }
}
