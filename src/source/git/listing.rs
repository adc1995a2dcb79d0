//! The names of everything a store holds, without reading any of it.

use super::{ObjectId, ObjectStore, loose};

impl ObjectStore {
    /// Names of the packs, as [`ObjectStore::pack_names`] gives them, and what `each` makes of the
    /// id of every object; an object that is stored twice comes twice. What is added afterwards is
    /// not among them.
    pub fn listing<T>(&self, each: impl Fn(&ObjectId) -> T) -> (Vec<String>, Vec<T>) {
        let set = self.pack_set();
        let mut made = Vec::new();
        for pack in &set.packs {
            let ids = (0..pack.index.count()).filter_map(|position| pack.index.id(position));
            made.extend(ids.map(|id| each(&id)));
        }
        for directory in self.directories() {
            let ids = loose::list(directory, self.hash());
            made.extend(ids.iter().map(&each));
        }
        (
            set.packs.iter().map(super::pack::Pack::name).collect(),
            made,
        )
    }
}
