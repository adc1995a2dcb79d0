//! The lines of a commit or a tag before its message: who made it, signatures, links.

use super::commit::Signature;

/// What stands in a commit or tag object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Who wrote a commit.
    Author,
    /// Who committed it.
    Committer,
    /// Who made a tag.
    Tagger,
    /// Ids of other objects, and of what kind they are.
    Link,
    /// Any other field: a signature, the tag that was merged, the name of a tag.
    Field,
    /// The message.
    Message,
}

impl Part {
    /// What reports call it; `tag` is the name of the tag whose part it is, if it is not a commit's.
    #[must_use]
    pub fn name(self, tag: Option<&str>) -> String {
        match (self, tag) {
            (Self::Message, None) => "commit message".to_owned(),
            (Self::Message, Some(tag)) => format!("message of the tag {tag}"),
            (Self::Author, None) => "author of the commit".to_owned(),
            (Self::Committer, None) => "committer of the commit".to_owned(),
            (Self::Tagger, Some(tag)) => format!("tagger of the tag {tag}"),
            (_, None) => "header of the commit".to_owned(),
            (_, Some(tag)) => format!("header of the tag {tag}"),
        }
    }
}

/// A field, with the lines that continue it.
#[derive(Clone, Copy, Debug)]
pub struct Header<'c> {
    /// What it says.
    pub part: Part,
    /// Its first line, from 1.
    pub line: u64,
    /// Its value; of people without the time.
    pub value: &'c [u8],
}

/// The fields of the content of a commit or a tag.
#[must_use]
pub fn headers(content: &[u8]) -> Vec<Header<'_>> {
    let mut found: Vec<Header<'_>> = Vec::new();
    let (mut at, mut start) = (0, 0);
    for line in 1.. {
        let rest = &content[at..];
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let text = &rest[..length];
        if text.is_empty() {
            break;
        }
        match (text.strip_prefix(b" "), found.last_mut()) {
            (Some(_), Some(last)) => last.value = &content[start..at + length],
            _ => {
                let space = memchr::memchr(b' ', text).unwrap_or(text.len());
                start = at + length.min(space + 1);
                let part = part(&text[..space]);
                let value = &content[start..at + length];
                found.push(Header { part, line, value });
            }
        }
        at = content.len().min(at + length + 1);
    }
    for header in &mut found {
        if matches!(header.part, Part::Author | Part::Committer | Part::Tagger) {
            header.value = Signature::parse(header.value).person;
        }
    }
    found
}

fn part(word: &[u8]) -> Part {
    match word {
        b"author" => Part::Author,
        b"committer" => Part::Committer,
        b"tagger" => Part::Tagger,
        b"tree" | b"parent" | b"object" | b"type" => Part::Link,
        _ => Part::Field,
    }
}

/// What stands at `line`, from 1, of the content of a commit or a tag.
#[must_use]
pub fn part_at(content: &[u8], line: u64) -> Part {
    let headers = headers(content);
    let mut lines = content.split(|&byte| byte == b'\n');
    let end = lines.position(<[u8]>::is_empty).unwrap_or(usize::MAX) as u64;
    if line > end {
        return Part::Message;
    }
    let before = headers.iter().rfind(|header| header.line <= line);
    before.map_or(Part::Message, |header| header.part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart() {
        let text = b"tree 12\nparent 34\nauthor A <a@b> 12 +0130\ncommitter C <c> 13 -0200\ngpgsig x\n y\n\n z\nencoding k\n\nHi\n\nauthor";
        let told: Vec<(Part, u64, &[u8])> = headers(text)
            .iter()
            .map(|it| (it.part, it.line, it.value))
            .collect();
        let expected: [(Part, u64, &[u8]); 5] = [
            (Part::Link, 1, b"12"),
            (Part::Link, 2, b"34"),
            (Part::Author, 3, b"A <a@b>"),
            (Part::Committer, 4, b"C <c>"),
            (Part::Field, 5, b"x\n y"),
        ];
        assert_eq!(told, expected);
        let parts: Vec<Part> = (1..=9).map(|line| part_at(text, line)).collect();
        let message = Part::Message;
        let [author, committer] = [Part::Author, Part::Committer];
        let (link, field) = (Part::Link, Part::Field);
        assert_eq!(
            parts,
            [
                link, link, author, committer, field, field, message, message, message
            ]
        );
        assert!(headers(b"").is_empty() && headers(b"\n\nx").is_empty());
        assert_eq!(part_at(b"", 1), Part::Message);
        assert_eq!(part_at(b"\nx", 2), Part::Message);
        assert_eq!(part_at(b"author A <a>", 1), Part::Author);
    }
}
