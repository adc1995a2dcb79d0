//! The few settings of a repository's own configuration that say how it is stored.
//!
//! Includes are not followed: git does not follow them for these settings either
//! (`gitrepository-layout(5)`), and no value read here is ever run.

/// Settings: `section.key` in lower case, or `section.Subsection.key`, and the value.
#[derive(Debug, Default)]
pub(super) struct Config(Vec<(String, String)>);

impl Config {
    /// Reads the text of a configuration file. Lines that are none are passed over.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text)
            .replace("\\\r\n", "")
            .replace("\\\n", "");
        let mut section: Option<String> = None;
        let mut settings = Vec::new();
        for line in text.lines() {
            let mut line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                let Some((name, rest)) = header.split_once(']') else {
                    continue;
                };
                section = Some(section_name(name));
                line = rest.trim();
            }
            let (Some(section), false) = (&section, line.is_empty()) else {
                continue;
            };
            let (key, value) = line.split_once('=').unwrap_or((line, "true"));
            let key = key.trim().to_ascii_lowercase();
            if !key.starts_with(['#', ';']) {
                settings.push((format!("{section}.{key}"), unquote(value)));
            }
        }
        Self(settings)
    }

    /// The last value of `name` (`section.key`, lower case).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The last value of `name` as git reads a boolean.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?.to_ascii_lowercase();
        Some(matches!(value.as_str(), "true" | "yes" | "on" | "1"))
    }
}

/// `core` or `remote "origin"` as the beginning of a setting's name. Only the first part is without
/// case.
fn section_name(header: &str) -> String {
    match header.trim().split_once(char::is_whitespace) {
        None => header.trim().to_ascii_lowercase(),
        Some((name, subsection)) => {
            format!("{}.{}", name.to_ascii_lowercase(), unquote(subsection))
        }
    }
}

/// A value without its quotes, escapes and trailing comment.
fn unquote(value: &str) -> String {
    let mut text = String::new();
    let (mut quoted, mut kept) = (false, 0);
    let mut characters = value.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
        if quoted || !character.is_whitespace() {
            kept = text.len();
        }
    }
    text.truncate(kept);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_reads_them() {
        let config = Config::parse(
            b"[core]\n\tbare = TRUE ; why\n worktree = \"a # b\\\\c\"  # x\n[Remote \"o\"]\n Bare=false\n\
              [extensions] objectFormat = sha256\n[Core]\n lone\n# core = x\n",
        );
        assert_eq!(config.flag("core.bare"), Some(true));
        assert_eq!(config.get("core.worktree"), Some("a # b\\c"));
        assert_eq!(config.get("extensions.objectformat"), Some("sha256"));
        assert_eq!(config.flag("core.lone"), Some(true));
        assert_eq!(config.get("core.missing"), None);
        assert_eq!(config.get("remote.o.bare"), Some("false"));
    }
}
