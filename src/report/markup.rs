//! Escaping for XML and HTML.

/// `text`, which has been sanitised, with every character that means something in markup escaped:
/// fit for text and for quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '`' => escaped.push_str("&#96;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_inert() {
        assert_eq!(
            escape("<a b='\"`'>&"),
            "&lt;a b=&#39;&quot;&#96;&#39;&gt;&amp;"
        );
        assert_eq!(escape("plain é"), "plain é");
    }
}
