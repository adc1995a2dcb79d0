//! What a commit or a tag says besides what it leads to: its message, who made it, its other fields.

use super::Text;
use crate::location::Origin;
use crate::source::git::Part;
use crate::source::git::header::headers;

/// The texts of the object `id`, whose content is `content`: its message first. `tag` is its name if
/// it is a tag.
pub(super) fn of(id: &str, tag: Option<&str>, content: &[u8], message: &[u8]) -> Vec<Text> {
    let text = |part: Part, bytes: &[u8]| Text {
        origin: Origin::Message {
            commit: Some(id.into()),
            name: part.name(tag).into(),
        },
        bytes: bytes.to_vec(),
        is_field: part != Part::Message,
    };
    let mut texts = vec![text(Part::Message, message)];
    let mut fields: Vec<&[u8]> = Vec::new();
    let mut person: &[u8] = b"";
    for header in headers(content) {
        match header.part {
            Part::Link | Part::Message => {}
            Part::Field => fields.push(header.value),
            // Mostly who wrote it has committed it, too.
            _ if header.value == person => {}
            part => {
                person = header.value;
                texts.push(text(part, person));
            }
        }
    }
    if !fields.is_empty() {
        texts.push(text(Part::Field, &fields.join(&b'\n')));
    }
    texts
}
