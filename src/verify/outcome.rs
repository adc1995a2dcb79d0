//! What an answer of STS means: a pure table from status, error code and message.
//!
//! Codes as the STS API Reference ("Common errors", "GetCallerIdentity") and the services' answers
//! name them. Whatever is not listed is no statement about the credential, so it is a failure and
//! ends as `unknown`.

use crate::verdict::{Cause, CauseKind, Identity};
use crate::verify::arn;

/// What one question has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The signature was accepted; `None` where AWS refused to say whose it is.
    Live(Option<Identity>),
    /// The access key ID, or its session token, is not known there.
    UnknownId,
    /// The access key ID is active there, but the signature was made with another secret. STS
    /// sometimes answers so for the right one.
    Mismatch,
    /// The session is over.
    Expired,
    /// Too many requests.
    Throttled,
    /// Nothing to go by.
    Failed(Cause),
}

impl Answer {
    /// A failure of `kind`, told in one line.
    #[must_use]
    pub fn failed(kind: CauseKind, detail: impl Into<String>) -> Self {
        Self::Failed(Cause {
            kind,
            detail: detail.into(),
        })
    }
}

/// A response that is not a well-formed success.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusal<'r> {
    /// HTTP status.
    pub status: u16,
    /// The error code, where the client could read one.
    pub code: Option<&'r str>,
    /// The error message, where the client could read one.
    pub message: Option<&'r str>,
    /// The body, for implementations whose error documents the client cannot read.
    pub body: &'r [u8],
}

/// Reads a success: `arn` and `account` of the `GetCallerIdentity` result.
#[must_use]
pub fn accepted(arn: Option<&str>, account: Option<&str>) -> Answer {
    match arn.and_then(arn::identity) {
        Some(identity) if account == Some(identity.account.as_str()) => {
            Answer::Live(Some(identity))
        }
        _ => not_aws(200),
    }
}

/// Reads anything else.
#[must_use]
pub fn refused(refusal: &Refusal<'_>) -> Answer {
    let status = refusal.status;
    let code = refusal.code.or_else(|| element(refusal.body, "Code"));
    let message = refusal
        .message
        .or_else(|| element(refusal.body, "Message"))
        .unwrap_or_default();
    match code {
        _ if status < 400 => not_aws(status),
        Some(code) if is_throttling(code) => Answer::Throttled,
        None if status == 429 => Answer::Throttled,
        _ if status >= 500 => Answer::failed(
            CauseKind::ServerError,
            format!("STS answered HTTP {status}"),
        ),
        Some(code) if is_error_document(refusal.body) => coded(code, message),
        _ => not_aws(status),
    }
}

/// Whether `body` is what STS answers an error with. Gateways on the way, and other services, answer
/// with the same codes in documents of another kind (`<Error><Code>AccessDenied</Code>` of a block
/// page kept in S3): those say nothing of the credential.
fn is_error_document(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let root = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, root)| root),
        None => text,
    };
    root.trim_start()
        .strip_prefix("<ErrorResponse")
        .is_some_and(|rest| rest.starts_with(['>', ' ', '\n', '\r', '\t']))
}

/// A code of a 4xx answer.
fn coded(code: &str, message: &str) -> Answer {
    match code {
        "InvalidClientTokenId" | "InvalidAccessKeyId" | "UnrecognizedClientException" => {
            Answer::UnknownId
        }
        "SignatureDoesNotMatch" => signature_refused(message),
        "RequestExpired" | "RequestTimeTooSkewed" => clock_skew(),
        "ExpiredToken" | "ExpiredTokenException" => Answer::Expired,
        "AccessDenied" | "AccessDeniedException" => Answer::Live(denied_identity(message)),
        _ => other_error(code),
    }
}

fn other_error(code: &str) -> Answer {
    Answer::failed(
        CauseKind::OtherError,
        format!("STS answered {}", printable(code)),
    )
}

/// One code stands for several refusals, and only the message tells them apart: the secret is
/// another one; the clock is wrong; the request was signed for another region or service than this
/// endpoint's ("Credential should be scoped to a valid region"), which says nothing of the secret.
fn signature_refused(message: &str) -> Answer {
    if message.contains("signature we calculated does not match") {
        return Answer::Mismatch;
    }
    if message.starts_with("Signature expired") || message.starts_with("Signature not yet current")
    {
        return clock_skew();
    }
    if message.starts_with("Credential should be scoped") {
        return Answer::failed(
            CauseKind::OtherError,
            "the endpoint wants signatures for another region: use one whose name holds its region",
        );
    }
    other_error("SignatureDoesNotMatch")
}

fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl")
        || matches!(
            code,
            "RequestLimitExceeded" | "RequestThrottled" | "TooManyRequestsException" | "SlowDown"
        )
}

fn clock_skew() -> Answer {
    Answer::failed(
        CauseKind::ClockSkew,
        "STS refused the time of the request: check this machine's clock",
    )
}

fn not_aws(status: u16) -> Answer {
    Answer::failed(
        CauseKind::Unparsable,
        format!("the answer (HTTP {status}) is not one of STS: a captive portal or a proxy?"),
    )
}

/// The principal of "User: ARN is not authorized to perform: ...".
fn denied_identity(message: &str) -> Option<Identity> {
    let arn = message.strip_prefix("User: ")?.split(' ').next()?;
    arn::identity(arn)
}

/// The text of the first `<name>` element of an XML body. Only for answers that the SDK's own
/// parser does not understand (moto, LocalStack and others wrap `<Error>` in one more element).
fn element<'b>(body: &'b [u8], name: &str) -> Option<&'b str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    let value = value.trim();
    (!value.is_empty() && !value.contains('<')).then_some(value)
}

/// An error code as it may be printed: it comes from the network.
fn printable(code: &str) -> String {
    code.chars()
        .filter(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '_'))
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as STS writes it.
    fn read(status: u16, code: &str, message: &str) -> Answer {
        let body = format!(
            "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"x\"><Error><Code>{code}</Code>\
             <Message>{message}</Message></Error></ErrorResponse>"
        );
        refused(&Refusal {
            status,
            code: Some(code),
            message: Some(message),
            body: body.as_bytes(),
        })
    }

    fn kind(answer: &Answer) -> Option<CauseKind> {
        match answer {
            Answer::Failed(cause) => Some(cause.kind),
            _ => None,
        }
    }

    #[test]
    fn statements_about_the_credential() {
        for (status, code, expected) in [
            (403, "InvalidClientTokenId", Answer::UnknownId),
            (403, "InvalidAccessKeyId", Answer::UnknownId),
            (400, "UnrecognizedClientException", Answer::UnknownId),
            (403, "SignatureDoesNotMatch", Answer::Mismatch),
            (403, "ExpiredToken", Answer::Expired),
            (400, "ExpiredTokenException", Answer::Expired),
            (403, "AccessDenied", Answer::Live(None)),
            (400, "Throttling", Answer::Throttled),
            (400, "ThrottlingException", Answer::Throttled),
            (503, "RequestLimitExceeded", Answer::Throttled),
        ] {
            let message = "The request signature we calculated does not match the signature";
            assert_eq!(read(status, code, message), expected, "{code}");
        }
    }

    #[test]
    fn everything_else_says_nothing_of_it() {
        use CauseKind::{ClockSkew, OtherError, ServerError, Unparsable};
        for (status, code, message, expected) in [
            (
                403,
                "SignatureDoesNotMatch",
                "Signature expired: x",
                ClockSkew,
            ),
            (
                403,
                "SignatureDoesNotMatch",
                "Signature not yet current: x",
                ClockSkew,
            ),
            (
                403,
                "SignatureDoesNotMatch",
                "Credential should be scoped to a valid region.",
                OtherError,
            ),
            (
                403,
                "SignatureDoesNotMatch",
                "Date in Credential scope does not match",
                OtherError,
            ),
            (403, "SignatureDoesNotMatch", "", OtherError),
            (400, "RequestExpired", "", ClockSkew),
            (403, "RequestTimeTooSkewed", "", ClockSkew),
            (403, "RegionDisabledException", "", OtherError),
            (403, "OptInRequired", "", OtherError),
            (403, "MissingAuthenticationToken", "", OtherError),
            (400, "IncompleteSignature", "", OtherError),
            (500, "InternalFailure", "", ServerError),
            // A credential is never called dead by an answer that is not a refusal.
            (500, "InvalidClientTokenId", "", ServerError),
            (200, "InvalidClientTokenId", "", Unparsable),
            (302, "InvalidClientTokenId", "", Unparsable),
        ] {
            let answer = read(status, code, message);
            assert_eq!(kind(&answer), Some(expected), "{status} {code} {message}");
        }
    }

    #[test]
    fn without_a_code_only_the_body_can_tell() {
        let bare = |status, body: &'static str| {
            refused(&Refusal {
                status,
                body: body.as_bytes(),
                ..Refusal::default()
            })
        };
        let moto = "<ErrorResponse><Errors><Error><Code>SignatureDoesNotMatch</Code>\
                    <Message>The request signature we calculated does not match</Message>\
                    </Error></Errors></ErrorResponse>";
        assert_eq!(bare(403, moto), Answer::Mismatch);
        assert_eq!(bare(429, "slow"), Answer::Throttled);
        for (status, body) in [
            (403, "<html>blocked</html>"),
            (403, ""),
            (407, "x"),
            (200, "x"),
            // Of S3, of a gateway, of a page that quotes one.
            (403, "<Error><Code>AccessDenied</Code></Error>"),
            (
                403,
                "<AccessDeniedException><Code>AccessDenied</Code></AccessDeniedException>",
            ),
            (
                403,
                "<html><ErrorResponse><Code>InvalidClientTokenId</Code></ErrorResponse></html>",
            ),
            (
                403,
                "<ErrorResponses><Code>InvalidClientTokenId</Code></ErrorResponses>",
            ),
        ] {
            assert_eq!(
                kind(&bare(status, body)),
                Some(CauseKind::Unparsable),
                "{body}"
            );
        }
        assert_eq!(kind(&bare(502, "")), Some(CauseKind::ServerError));
    }

    #[test]
    fn success_must_be_whole() {
        let arn = "arn:aws:iam::123456789012:root";
        assert!(matches!(
            accepted(Some(arn), Some("123456789012")),
            Answer::Live(Some(_))
        ));
        for (arn, account) in [
            (None, Some("123456789012")),
            (Some(arn), None),
            (Some(arn), Some("999999999999")),
            (Some("hello"), Some("123456789012")),
        ] {
            assert_eq!(kind(&accepted(arn, account)), Some(CauseKind::Unparsable));
        }
    }

    #[test]
    fn a_denial_names_the_principal() {
        let message = "User: arn:aws:iam::123456789012:user/x is not authorized to perform: sts:y";
        let Answer::Live(Some(identity)) = read(403, "AccessDenied", message) else {
            panic!("no identity");
        };
        assert_eq!(identity.account, "123456789012");
    }

    #[test]
    fn codes_from_the_network_are_cleaned() {
        let answer = read(400, "Odd\u{1b}[31mCode", "");
        assert_eq!(
            answer,
            Answer::failed(CauseKind::OtherError, "STS answered Odd31mCode")
        );
    }
}
