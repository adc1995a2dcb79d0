//! A stand-in for AWS STS on a loopback port: threads over `TcpListener`, SigV4 recomputed from
//! the documentation ("Signature Version 4 signing process"), answers shaped like AWS's.
//!
//! A request is checked in the order of the real service: access key ID, partition, session token,
//! signature, date, expiry. Everything that arrives is kept, byte by byte, so that a test can show
//! what did not.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};

/// Difference between the request's date and the server's that is tolerated.
const DATE_WINDOW: u64 = 15 * 60;

/// What the server makes of a request for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// As the request deserves.
    Active,
    /// As if the key were not there.
    Inactive,
    /// The session is over.
    Expired,
    /// Answers a good signature with a mismatch this many times.
    Flaky(u32),
    /// An error, in AWS's form, whatever the signature.
    Error(u16, &'static str, &'static str),
    /// These bytes as the body, with this status.
    Raw(u16, Cow<'static, str>),
    /// No answer at all.
    Hang,
    /// The connection is reset.
    Reset,
    /// 400 Throttling this many times.
    Throttle(u32),
}

/// A key that the server knows.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) arn: String,
    pub(crate) region: &'static str,
    pub(crate) state: State,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) key_id: String,
    pub(crate) region: String,
    pub(crate) user_agent: String,
    /// Head and body.
    pub(crate) raw: String,
    pub(crate) at: Instant,
}

struct World {
    keys: HashMap<String, Key>,
    log: Vec<Seen>,
    /// When a signature made with a wrong secret last came, by key ID.
    wrong_at: HashMap<String, Instant>,
    /// A good signature within this time after a wrong one is refused.
    quirk: Duration,
    /// Requests that are served in a second.
    rate: Option<u32>,
    second: (u64, u32),
    /// Number of the request, where requests are lost whatever their key: of fifty, one hangs, one
    /// is reset, one gets garbage.
    storms: Option<u32>,
    /// Seconds that the server's clock is ahead.
    ahead: i64,
    /// Whether answers carry a `Date`.
    dated: bool,
}

/// A running server. It ends with the test process.
#[derive(Clone)]
pub(crate) struct StandIn {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// One that speaks TLS.
    pub(crate) fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::start_with(Some(config))
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stand_in = Self {
            address: listener.local_addr().unwrap(),
            world: Arc::new(Mutex::new(World {
                keys: HashMap::new(),
                log: Vec::new(),
                wrong_at: HashMap::new(),
                quirk: Duration::from_secs(5),
                rate: None,
                storms: None,
                second: (0, 0),
                ahead: 0,
                dated: true,
            })),
        };
        let server = stand_in.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, tls) = (server.clone(), tls.clone());
                std::thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    match tls {
                        Some(config) => {
                            let session = ServerConnection::new(config).unwrap();
                            server.serve(StreamOwned::new(session, stream));
                        }
                        None => server.serve(stream),
                    }
                });
            }
        });
        stand_in
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn add(&self, key_id: &str, key: Key) {
        self.world().keys.insert(key_id.to_owned(), key);
    }

    pub(crate) fn forget(&self, key_id: &str) {
        let mut world = self.world();
        world.keys.remove(key_id);
        world.log.clear();
    }

    pub(crate) fn set_quirk(&self, quirk: Duration) {
        self.world().quirk = quirk;
    }

    pub(crate) fn set_rate(&self, rate: u32) {
        self.world().rate = Some(rate);
    }

    pub(crate) fn set_storms(&self) {
        self.world().storms = Some(0);
    }

    pub(crate) fn set_clock(&self, ahead: i64, dated: bool) {
        let mut world = self.world();
        (world.ahead, world.dated) = (ahead, dated);
    }

    pub(crate) fn log(&self) -> Vec<Seen> {
        self.world().log.clone()
    }

    pub(crate) fn calls(&self, key_id: &str) -> usize {
        let world = self.world();
        world.log.iter().filter(|it| it.key_id == key_id).count()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn serve(&self, mut stream: impl Read + Write) {
        while let Some(head) = read_head(&mut stream) {
            let Some(request) = Request::parse(&head) else {
                return;
            };
            let state = self.storm().or_else(|| self.state_of(&request.key_id()));
            // Closing with the body unread makes the kernel reset the connection.
            if state == Some(State::Reset) {
                self.note(&request, &head, b"");
                return;
            }
            let mut body = vec![0; request.length()];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
            self.note(&request, &head, &body);
            let (status, document) = match state {
                Some(State::Hang) => {
                    std::thread::sleep(Duration::from_secs(60));
                    return;
                }
                Some(State::Raw(status, body)) => (status, body.into_owned()),
                _ => self.answer(&request, &body),
            };
            if respond(&mut stream, status, &document, self.date().as_deref()).is_err() {
                return;
            }
        }
    }

    /// What befalls the next request, whatever its key.
    fn storm(&self) -> Option<State> {
        let mut world = self.world();
        let number = world.storms.as_mut()?;
        *number += 1;
        match *number % 50 {
            11 => Some(State::Hang),
            23 => Some(State::Reset),
            37 => Some(State::Raw(200, "<html>garbage</html>".into())),
            _ => None,
        }
    }

    fn state_of(&self, key_id: &str) -> Option<State> {
        self.world().keys.get(key_id).map(|key| key.state.clone())
    }

    fn note(&self, request: &Request, head: &str, body: &[u8]) {
        self.world().log.push(Seen {
            key_id: request.key_id(),
            region: request.scope(2),
            user_agent: request.header("user-agent"),
            raw: format!("{head}{}", String::from_utf8_lossy(body)),
            at: Instant::now(),
        });
    }

    fn date(&self) -> Option<String> {
        let world = self.world();
        world.dated.then(|| http_date(world.now()))
    }

    fn answer(&self, request: &Request, body: &[u8]) -> (u16, String) {
        let mut world = self.world();
        if world.is_over_rate() {
            return error(400, "Throttling", "Rate exceeded");
        }
        let now = world.now();
        let quirk = world.quirk;
        let key_id = request.key_id();
        let wrong_at = world.wrong_at.get(&key_id).copied();
        let Some(key) = world.keys.get_mut(&key_id) else {
            return unknown_id();
        };
        match &mut key.state {
            State::Error(status, code, message) => return error(*status, code, message),
            State::Throttle(times) if *times > 0 => {
                *times -= 1;
                return error(400, "Throttling", "Rate exceeded");
            }
            State::Inactive => return unknown_id(),
            _ => {}
        }
        let token = request.header("x-amz-security-token");
        if key.region != request.scope(2) || key.token.as_deref().unwrap_or_default() != token {
            return unknown_id();
        }
        if !request.is_signed_by(&key.secret, body) {
            world.wrong_at.insert(key_id, Instant::now());
            return mismatch();
        }
        if wrong_at.is_some_and(|at| at.elapsed() < quirk) {
            return mismatch();
        }
        if let State::Flaky(times) = &mut key.state
            && *times > 0
        {
            *times -= 1;
            return mismatch();
        }
        let date = request.header("x-amz-date");
        if parse_date(&date).is_none_or(|at| at.abs_diff(now) > DATE_WINDOW) {
            let word = if parse_date(&date) < Some(now) {
                "expired"
            } else {
                "not yet current"
            };
            return error(
                403,
                "SignatureDoesNotMatch",
                &format!("Signature {word}: {date}"),
            );
        }
        if key.state == State::Expired {
            return error(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            );
        }
        identity(&key.arn)
    }
}

impl World {
    fn now(&self) -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        now.checked_add_signed(self.ahead).unwrap()
    }

    fn is_over_rate(&mut self) -> bool {
        let Some(rate) = self.rate else {
            return false;
        };
        let second = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        self.second.1 > rate
    }
}

struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
}

impl Request {
    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.lines();
        let mut start = lines.next()?.split(' ');
        let (method, target) = (start.next()?.to_owned(), start.next()?);
        // A proxy gets the whole URL.
        let path = match target.strip_prefix("http://") {
            Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => target,
        };
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self {
            method,
            path: path.to_owned(),
            headers,
        })
    }

    fn header(&self, name: &str) -> String {
        self.headers.get(name).cloned().unwrap_or_default()
    }

    fn length(&self) -> usize {
        self.header("content-length").parse().unwrap_or(0)
    }

    /// A field of `Authorization: AWS4-HMAC-SHA256 Credential=.., SignedHeaders=.., Signature=..`.
    fn authorization(&self, field: &str) -> String {
        let header = self.header("authorization");
        header
            .split([' ', ','])
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default()
    }

    /// A field of the credential scope: id, date, region, service, terminator.
    fn scope(&self, index: usize) -> String {
        let credential = self.authorization("Credential");
        credential
            .split('/')
            .nth(index)
            .unwrap_or_default()
            .to_owned()
    }

    fn key_id(&self) -> String {
        self.scope(0)
    }

    fn is_signed_by(&self, secret: &str, body: &[u8]) -> bool {
        let signed = self.authorization("SignedHeaders");
        let headers: String = signed
            .split(';')
            .map(|name| format!("{name}:{}\n", self.header(name)))
            .collect();
        let canonical = format!(
            "{}\n{}\n\n{headers}\n{signed}\n{}",
            self.method,
            self.path,
            hex(&Sha256::digest(body))
        );
        let scope: Vec<String> = (1..5).map(|index| self.scope(index)).collect();
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.header("x-amz-date"),
            scope.join("/"),
            hex(&Sha256::digest(canonical.as_bytes()))
        );
        let key = scope
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
                sign(&key, part.as_bytes())
            });
        scope[2] == "sts"
            && scope[3] == "aws4_request"
            && hex(&sign(&key, to_sign.as_bytes())) == self.authorization("Signature")
    }
}

fn sign(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Byte by byte, so that nothing of the body is taken.
pub(super) fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}

fn respond(
    stream: &mut impl Write,
    status: u16,
    document: &str,
    date: Option<&str>,
) -> std::io::Result<()> {
    let date = date.map_or(String::new(), |date| format!("Date: {date}\r\n"));
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\n{date}Content-Length: {}\r\n\r\n{document}",
        document.len()
    );
    stream.write_all(answer.as_bytes())?;
    stream.flush()
}

fn unknown_id() -> (u16, String) {
    error(
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
}

fn mismatch() -> (u16, String) {
    error(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
    )
}

fn error(status: u16, code: &str, message: &str) -> (u16, String) {
    let document = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    \
         <Type>Sender</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>\n  \
         </Error>\n  <RequestId>00000000-0000-0000-0000-000000000000</RequestId>\n</ErrorResponse>\n"
    );
    (status, document)
}

fn identity(arn: &str) -> (u16, String) {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let document = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
         <GetCallerIdentityResult>\n    <Arn>{arn}</Arn>\n    <UserId>AIDAEXAMPLE</UserId>\n    \
         <Account>{account}</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata>\n    \
         <RequestId>00000000-0000-0000-0000-000000000000</RequestId>\n  </ResponseMetadata>\n\
         </GetCallerIdentityResponse>\n"
    );
    (200, document)
}

/// `20261123T194000Z` in seconds since 1970.
fn parse_date(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    let years = year - 1;
    let leaps = years / 4 - years / 100 + years / 400;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let in_year = before[usize::try_from(month - 1).ok()?] + i64::from(leap && month > 2) + day - 1;
    let days = years * 365 + leaps + in_year - 719_162;
    u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).ok()
}

/// `Mon, 23 Nov 2026 19:40:00 GMT`.
fn http_date(seconds: u64) -> String {
    let mut days = seconds / 86_400;
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let length = |year: u64| 365 + u64::from(is_leap(year));
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let name = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ][month];
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let day = days + 1;
    format!("{weekday}, {day:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[test]
fn dates() {
    assert_eq!(parse_date("20261123T194000Z"), Some(1_795_462_800));
    assert_eq!(parse_date("20000229T000001Z"), Some(951_782_401));
    assert_eq!(http_date(1_795_462_800), "Mon, 23 Nov 2026 19:40:00 GMT");
    assert_eq!(http_date(951_782_401), "Tue, 29 Feb 2000 00:00:01 GMT");
}

/// RFC 4231-style check of the keyed hash. That the whole signature is computed as AWS does is shown
/// by the SDK's own signer, whose requests are accepted.
#[test]
fn signing_is_keyed() {
    assert_eq!(
        hex(&sign(
            b"key",
            b"The quick brown fox jumps over the lazy dog"
        )),
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    );
}
