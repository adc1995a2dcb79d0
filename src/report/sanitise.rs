//! Makes text from outside harmless to show.
//!
//! Paths and source lines are chosen by whoever wrote the scanned files. Shown as they stand they
//! could move the cursor, recolour or rewrite what a terminal shows, reorder text (bidirectional
//! controls), or hide something in it (zero-width characters). Every such character is replaced by
//! a visible escape; nothing is dropped, so that no two parts of a text can close up.

use std::fmt::Write;

/// `text` on one line: control, bidirectional and invisible characters and bytes that are not
/// UTF-8 are shown as `\n`, `\x1b`, `\u{202e}`, `\xff`.
#[must_use]
pub fn line(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(&mut shown, character);
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    match shown.contains("##") {
        true => without_commands(&shown),
        false => shown,
    }
}

/// Services that run jobs take `##[…]`, `##vso[…]` and the like in a log for commands.
fn without_commands(text: &str) -> String {
    let mut pieces = text.split("##");
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let word = piece.trim_start_matches(|it: char| it == '#' || it.is_ascii_alphanumeric());
        let (word, rest) = piece.split_at(piece.len() - word.len());
        let escape = if rest.starts_with('[') { "\\" } else { "" };
        shown.extend(["##", word, escape, rest]);
    }
    shown
}

/// As [`line()`], with tabs shown as four spaces: for source lines.
#[must_use]
pub fn source_line(text: &str) -> String {
    line(text.replace('\t', "    ").as_bytes())
}

fn push(shown: &mut String, character: char) {
    let code = u32::from(character);
    // Writing to a String cannot fail.
    let _ = match character {
        '\n' => write!(shown, "\\n"),
        '\r' => write!(shown, "\\r"),
        '\t' => write!(shown, "\\t"),
        _ if !is_unsafe(character) => write!(shown, "{character}"),
        _ if code < 0x100 => write!(shown, "\\x{code:02x}"),
        _ => write!(shown, "\\u{{{code:x}}}"),
    };
}

/// Whether `character` acts on the display instead of being shown, or cannot be seen at all.
///
/// The lists are the Unicode control characters (Cc), `Bidi_Control`, the line and paragraph
/// separators, and what of `Default_Ignorable_Code_Point` has no place in a path or in code.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Soft hyphen, combining grapheme joiner, Hangul and Khmer fillers.
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            // Mongolian variation selectors and vowel separator.
            | '\u{180b}'..='\u{180f}'
            // Arabic letter mark, zero-width characters, marks, embeddings, overrides, isolates,
            // separators, invisible operators, deprecated format characters.
            | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Variation selectors, byte order mark, interlinear annotation, what XML
            // does not take, tags.
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_stays() {
        for text in [
            "src/main.rs",
            "naïve/日本語/файл.txt",
            "a b\\c\"'",
            "e\u{301}",
        ] {
            assert_eq!(line(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_acts_on_a_terminal_is_escaped() {
        assert_eq!(line(b"a\x1b[31mb\x07"), "a\\x1b[31mb\\x07");
        assert_eq!(line(b"a\nb\rc\td"), "a\\nb\\rc\\td");
        assert_eq!(line("\u{9b}2J\u{7f}".as_bytes()), "\\x9b2J\\x7f");
        assert_eq!(line("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(
            line("a\u{200b}b\u{feff}".as_bytes()),
            "a\\u{200b}b\\u{feff}"
        );
        assert_eq!(
            line("a\u{2028}b\u{e0041}".as_bytes()),
            "a\\u{2028}b\\u{e0041}"
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_told_apart() {
        assert_eq!(line(b"a\xff\xc3b\xe2\x82"), "a\\xff\\xc3b\\xe2\\x82");
    }

    #[test]
    fn commands_of_job_logs_are_escaped() {
        assert_eq!(line(b"##[error]a ###vso[x]y"), "##\\[error]a ###vso\\[x]y");
        assert_eq!(line(b"## [a] ##"), "## [a] ##");
    }

    #[test]
    fn tabs_of_source_lines_are_spaces() {
        assert_eq!(source_line("\ta\tb\r"), "    a    b\\r");
    }

    #[test]
    fn no_character_at_all_comes_through_unsafe() {
        for character in '\0'..=char::MAX {
            let shown = line(character.to_string().as_bytes());
            assert!(
                !shown.is_empty() && !shown.chars().any(is_unsafe),
                "{character:?}"
            );
        }
    }
}
