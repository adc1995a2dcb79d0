//! Annotated tags.

use super::commit::{Signature, header_line};
use super::{Kind, ObjectId};

/// A tag's fields, borrowed from its content.
#[derive(Clone, Debug)]
pub struct Tag<'t> {
    /// What it points at.
    pub target: ObjectId,
    /// What that is, where the tag says so.
    pub kind: Option<Kind>,
    /// Its name.
    pub name: &'t [u8],
    /// Who made it.
    pub tagger: Signature<'t>,
    /// What follows the first empty line.
    pub message: &'t [u8],
}

impl<'t> Tag<'t> {
    /// Reads the content of a tag object; `None` where it points at nothing.
    #[must_use]
    pub fn parse(content: &'t [u8]) -> Option<Self> {
        let (mut target, mut kind, mut name) = (None, None, &content[..0]);
        let mut tagger = Signature::default();
        let mut rest = content;
        while let Some((word, value)) = header_line(&mut rest) {
            match word {
                b"object" => target = ObjectId::from_hex(value),
                b"type" => kind = Kind::from_word(value),
                b"tag" => name = value,
                b"tagger" => tagger = Signature::parse(value),
                _ => {}
            }
        }
        Some(Self {
            target: target?,
            kind,
            name,
            tagger,
            message: rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read() {
        let id = "2".repeat(64);
        let text = format!("object {id}\ntype commit\ntag v1\ntagger T <t> 5 +0000\n\nNotes\n");
        let tag = Tag::parse(text.as_bytes()).expect("a tag");
        assert_eq!(tag.target.to_string(), id);
        assert_eq!((tag.kind, tag.name), (Some(Kind::Commit), &b"v1"[..]));
        assert_eq!(tag.message, b"Notes\n");
        assert!(Tag::parse(b"").is_none());
    }
}
