//! The blocks of a text: which braces and which section of an INI file a place stands in.

/// Where blocks begin and end, as far as that can be seen without parsing any one language.
#[derive(Debug)]
pub(crate) struct Structure {
    /// (offset, true for an opening brace), ascending.
    braces: Vec<(usize, bool)>,
    /// Offsets of the lines that begin a section: `[name]`, or `---` in YAML.
    sections: Vec<usize>,
}

impl Structure {
    pub(crate) fn new(text: &[u8]) -> Self {
        let braces = memchr::memchr2_iter(b'{', b'}', text)
            .map(|at| (at, text[at] == b'{'))
            .collect();
        let mut sections = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let trimmed = line.trim_ascii();
            if is_section(trimmed) || trimmed == b"---" {
                sections.push(start);
            }
            start += line.len();
        }
        Self { braces, sections }
    }

    /// The number of the section that holds `at`.
    pub(crate) fn section(&self, at: usize) -> usize {
        self.sections.partition_point(|&start| start <= at)
    }

    /// For each of `places`, ascending: the offsets of the opening braces round it, outermost
    /// first. A closing brace without an opening one begins a new outermost block, since text may
    /// be cut off in the middle.
    pub(crate) fn blocks(&self, places: &[usize]) -> Vec<Vec<usize>> {
        let mut open = vec![0];
        let mut braces = self.braces.iter().peekable();
        let block = |&place: &usize| {
            while let Some(&(brace, opens)) = braces.next_if(|&&(brace, _)| brace < place) {
                if opens {
                    open.push(brace);
                } else if open.len() > 1 {
                    open.pop();
                } else {
                    open[0] = brace;
                }
            }
            open.clone()
        };
        places.iter().map(block).collect()
    }
}

/// Whether a line is the header of an INI section: `[default]`, `[profile x]`.
fn is_section(line: &[u8]) -> bool {
    match line {
        [b'[', name @ .., b']'] => {
            !name.is_empty()
                && name
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b" _-.:@\"'[]".contains(byte))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_sections() {
        let text = b"{a{b}{c}}d";
        let structure = Structure::new(text);
        assert_eq!(
            structure.blocks(&[3, 6, 9]),
            [vec![0, 0, 2], vec![0, 0, 5], vec![0]]
        );
        let structure = Structure::new(b"x\n[one]\ny\n[profile two]\nz");
        assert_eq!([0, 8, 25].map(|at| structure.section(at)), [0, 1, 2]);
    }
}
