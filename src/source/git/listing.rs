//! The names of everything a store holds, without reading any of it.

use super::{ObjectId, ObjectStore, loose};

impl ObjectStore {
    /// Names of the packs, as [`ObjectStore::pack_names`] gives them. Shows the id of every object to
    /// `each`; an object that is stored twice comes twice. What is added afterwards is not among
    /// them.
    pub fn listing(&self, mut each: impl FnMut(&ObjectId)) -> Vec<String> {
        let set = self.pack_set();
        for pack in &set.packs {
            let ids = (0..pack.index.count()).filter_map(|position| pack.index.id(position));
            ids.for_each(|id| each(&id));
        }
        for directory in self.directories() {
            let ids = loose::list(directory, self.hash());
            ids.iter().for_each(&mut each);
        }
        set.packs.iter().map(super::pack::Pack::name).collect()
    }
}
