//! The last gate before output: the secrets of a report, taken out of any text that is shown with
//! it. A file may be *named* like the secret that it holds.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::finding::Finding;

/// What stands where a secret stood.
pub(super) const HIDDEN: &[u8] = b"[hidden]";

/// Shorter values are words like any other; hiding them would only garble paths.
const SHORTEST: usize = 8;

/// Knows every secret of a report and hides it in text.
#[derive(Default)]
pub(super) struct Redactor<'r> {
    values: HashSet<&'r [u8]>,
    /// Distinct lengths of the values, longest first: where one value starts with another, the
    /// longer one is hidden.
    lengths: Vec<usize>,
}

impl<'r> Redactor<'r> {
    /// A redactor for all secrets, session tokens and alternatives of `findings`.
    pub(super) fn new(findings: &'r [Finding]) -> Self {
        let values: HashSet<&[u8]> = findings
            .iter()
            .flat_map(|finding| {
                let credential = &finding.credential;
                credential
                    .secret
                    .iter()
                    .chain(&credential.session_token)
                    .chain(&credential.alternatives)
            })
            .map(crate::secret::Secret::expose)
            .filter(|value| value.len() >= SHORTEST)
            .collect();
        let mut lengths: Vec<usize> = values.iter().map(|value| value.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Self { values, lengths }
    }

    /// `text` with every known secret replaced by `[hidden]`.
    pub(super) fn hide<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        if self.lengths.last().is_none_or(|&least| text.len() < least) {
            return Cow::Borrowed(text);
        }
        let mut hidden = Vec::new();
        let mut copied = 0;
        let mut at = 0;
        while at < text.len() {
            let Some(length) = self.starts(&text[at..]) else {
                at += 1;
                continue;
            };
            hidden.extend_from_slice(&text[copied..at]);
            hidden.extend_from_slice(HIDDEN);
            at += length;
            copied = at;
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        hidden.extend_from_slice(&text[copied..]);
        Cow::Owned(hidden)
    }

    /// Length of the longest known value at the start of `text`.
    fn starts(&self, text: &[u8]) -> Option<usize> {
        self.lengths
            .iter()
            .copied()
            .find(|&length| length <= text.len() && self.values.contains(&text[..length]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn every_kind_of_secret_is_hidden() {
        let mut finding = samples::pair();
        finding.credential.secret = Some(Secret::new(b"first-secret"));
        finding.credential.session_token = Some(Secret::new(b"first-secret-and-token"));
        finding.credential.alternatives = vec![Secret::new(b"another-one"), Secret::new(b"src")];
        let findings = [finding];
        let redactor = Redactor::new(&findings);
        let hide =
            |text: &str| String::from_utf8(redactor.hide(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(hide("src/first-secret.txt"), "src/[hidden].txt");
        assert_eq!(hide("first-secretfirst-secret"), "[hidden][hidden]");
        assert_eq!(hide("a/first-secret-and-token"), "a/[hidden]");
        assert_eq!(hide("another-one/x"), "[hidden]/x");
        assert_eq!(hide("src/other"), "src/other");
        assert_eq!(hide(""), "");
    }

    #[test]
    fn a_report_without_secrets_hides_nothing() {
        let redactor = Redactor::new(&[]);
        assert_eq!(redactor.hide(b"any text"), &b"any text"[..]);
    }
}
