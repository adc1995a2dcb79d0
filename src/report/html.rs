//! `html`: one page for the security team, by credential. Everything is in the file: style, program
//! and data; a content security policy lets nothing else run or load.
//!
//! Names and lines of scanned files are data in JSON, and the program puts them into the page as
//! text. The first data block has a row for every credential; details come after it in blocks that
//! are read when one of them is opened, so that a page of 200,000 opens at once.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use data_encoding::BASE64;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::advice::Advice;
use super::view::{Entry, Place, View};
use super::{clock, excerpt, markup, sanitise, summary};

pub(super) const STYLE: &str = include_str!("html/page.css");
pub(super) const PROGRAM: &str = include_str!("html/page.js");
const FRAME: &str = include_str!("html/page.html");

/// Details in a block.
const BLOCK: usize = 250;
/// Places that are listed of one credential.
const MOST_PLACES: usize = 100;
/// Characters of an excerpt's line that are shown.
const MOST_CHARACTERS: usize = 400;
/// Paths that were not scanned which are named.
const MOST_UNREAD: usize = 200;

/// What a verdict means for what is to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Live,
    Unverified,
    Inactive,
}

impl Group {
    fn of(state: &str) -> Self {
        match state {
            "live" => Self::Live,
            "inactive" | "expired" => Self::Inactive,
            _ => Self::Unverified,
        }
    }
}

const STATES: [&str; 7] = [
    "live",
    "secret-mismatch",
    "unknown",
    "unchecked",
    "skipped",
    "expired",
    "inactive",
];

/// Words for [`STATES`].
const STATE_WORDS: [&str; 7] = [
    "live",
    "secret not its own",
    "no answer",
    "not verified",
    "not asked",
    "expired",
    "inactive",
];

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let page = Page::of(view);
    let mut frame = FRAME;
    while let Some((before, rest)) = frame.split_once("{{") {
        let (name, after) = rest.split_once("}}").unwrap_or((rest, ""));
        out.write_all(before.as_bytes())?;
        page.write_part(name, out)?;
        frame = after;
    }
    out.write_all(frame.as_bytes())
}

/// The page, with what must be known before its first row.
struct Page<'v> {
    view: &'v View<'v>,
    /// Findings in the order of the list.
    order: Vec<usize>,
    /// Rule and title, each pair once.
    titles: BTreeMap<(String, String), usize>,
    /// Advice by what it depends on: the rule, and whether the key is temporary.
    advice: BTreeMap<(String, bool), usize>,
    tiles: Tiles,
    /// When the first of them came into the history.
    since: Option<u64>,
}

/// The numbers on top.
#[derive(Default)]
struct Tiles {
    live: usize,
    unverified: usize,
    inactive: usize,
    suppressed: usize,
    blocking: usize,
}

impl<'v> Page<'v> {
    fn of(view: &'v View<'v>) -> Self {
        let mut page = Self {
            view,
            order: order(view),
            titles: BTreeMap::new(),
            advice: BTreeMap::new(),
            tiles: Tiles::default(),
            since: None,
        };
        for entry in view.all_entries() {
            page.count(&entry);
        }
        for (number, index) in page.titles.values_mut().enumerate() {
            *index = number;
        }
        for (number, index) in page.advice.values_mut().enumerate() {
            *index = number;
        }
        page
    }

    fn count(&mut self, entry: &Entry<'_>) {
        self.titles.insert(title(entry), 0);
        self.advice.insert(advice_key(entry), 0);
        let tile = match (entry.suppressed(), Group::of(entry.state())) {
            (true, _) => &mut self.tiles.suppressed,
            (false, Group::Live) => &mut self.tiles.live,
            (false, Group::Unverified) => &mut self.tiles.unverified,
            (false, Group::Inactive) => &mut self.tiles.inactive,
        };
        *tile += 1;
        self.tiles.blocking += usize::from(entry.blocks());
        let first = entry.first_seen();
        self.since = [self.since, first].into_iter().flatten().min();
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.order
            .iter()
            .filter_map(|&index| self.view.any_entry(index))
    }

    fn write_part(&self, name: &str, out: &mut dyn Write) -> io::Result<()> {
        match name {
            "policy" => write!(
                out,
                "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; \
                 base-uri 'none'; form-action 'none'",
                hash(PROGRAM),
                hash(STYLE)
            ),
            "title" => write!(out, "{}", self.title()),
            "style" => out.write_all(STYLE.as_bytes()),
            "program" => out.write_all(PROGRAM.as_bytes()),
            "version" => write!(out, "{}", env!("CARGO_PKG_VERSION")),
            "about" => write!(out, "{}", markup::escape(&self.about())),
            "notice" => self.write_notice(out),
            "tiles" => self.write_tiles(out),
            "meta" => write_json(&self.meta(), out),
            "index" => self.write_index(out),
            "details" => self.write_details(out),
            _ => Ok(()),
        }
    }

    fn title(&self) -> String {
        match self.order.len() as u64 {
            0 => "No leaked keys".to_owned(),
            number => summary::count(number, "leaked key"),
        }
    }

    /// What was scanned, when, and how much.
    fn about(&self) -> String {
        let view = self.view;
        let coverage = view.coverage();
        let repository = view.repository().map(|it| {
            let head = it.head.as_deref().unwrap_or_default();
            let head: String = head.chars().take(12).collect();
            let at = if head.is_empty() { "" } else { " at " };
            format!("{}{at}{head}", it.url())
        });
        let scanned = view
            .scanned_at()
            .map(|time| format!("scanned {}", clock::for_people(time)));
        let verified = view
            .verified_at()
            .map(|time| format!("verified with AWS {}", clock::for_people(time)));
        let files = format!(
            "{} ({})",
            summary::count(coverage.files, "file"),
            summary::size(coverage.bytes)
        );
        let parts = [repository, scanned, verified, Some(files)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        sanitise::line(view.clean_str(&parts.join(" · ")).as_bytes())
    }

    fn write_notice(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.view.complete() {
            return Ok(());
        }
        let unread = || self.view.not_scanned().filter(|it| it.incomplete());
        let number = unread().count();
        let interrupted = match self.view.interrupted() {
            true => " It was interrupted before its end.",
            false => "",
        };
        write!(
            out,
            "<details class=\"notice\"><summary>The scan is not complete: there may be more. \
             {} could not be read.{interrupted}</summary>\n<ul>\n",
            summary::count(number as u64, "path")
        )?;
        for entry in unread().take(MOST_UNREAD) {
            let text = |text: String| markup::escape(&sanitise::line(text.as_bytes()));
            writeln!(
                out,
                "<li><code>{}</code>: {}</li>",
                text(entry.path()),
                text(entry.reason())
            )?;
        }
        let more = number.saturating_sub(MOST_UNREAD);
        if more > 0 || number == 0 {
            writeln!(out, "<li>{}</li>", summary::count(more as u64, "more path"))?;
        }
        writeln!(out, "</ul></details>")
    }

    fn write_tiles(&self, out: &mut dyn Write) -> io::Result<()> {
        let tiles = &self.tiles;
        for (name, number, words) in [
            ("", self.order.len(), "credentials"),
            ("live", tiles.live, "live"),
            ("unverified", tiles.unverified, "unverified"),
            ("inactive", tiles.inactive, "inactive or expired"),
            ("suppressed", tiles.suppressed, "baselined or allowed"),
            ("blocking", tiles.blocking, "blocking"),
        ] {
            let class = if name.is_empty() { "all" } else { name };
            let some = if number > 0 { " some" } else { "" };
            writeln!(
                out,
                "<li><button type=\"button\" class=\"tile {class}{some}\" data-tile=\"{name}\" \
                 aria-pressed=\"false\" disabled><strong>{}</strong><span>{words}</span></button></li>",
                summary::thousands(number as u64)
            )?;
        }
        Ok(())
    }

    fn meta(&self) -> Value {
        let advice: Vec<Value> = self
            .advice
            .keys()
            .map(|(rule, temporary)| {
                let advice = Advice::of(rule, *temporary);
                json!({"what": advice.what, "why": advice.why, "steps": advice.steps})
            })
            .collect();
        let titles: Vec<_> = self.titles.keys().collect();
        let since = self.since.unwrap_or_default();
        json!({
            "block": BLOCK,
            "titles": titles,
            "states": STATE_WORDS,
            "suppressions": ["", "baselined", "allowed in the file", "excluded by path"],
            "advice": advice,
            "since": since,
            "now": self.view.scanned_at().unwrap_or_default().max(since),
        })
    }

    /// A row a credential; the program names its columns.
    fn write_index(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut between = "[\n";
        for entry in self.entries() {
            let state = STATES.iter().position(|it| *it == entry.state());
            let mut places = entry.places();
            let number = places.len();
            let first = places.next().map_or(String::new(), |it| shown_place(&it));
            let title = self.titles.get(&title(&entry));
            let row = (
                entry.severity() as u8,
                state.unwrap_or_default(),
                Group::of(entry.state()) as u8,
                title,
                entry.access_key_id().map(line),
                entry.account_id_partly().map(line),
                first,
                number,
                entry.first_seen(),
                entry.gone_since(),
                entry.first_author().map(line),
                u8::from(entry.blocks()),
                set_aside(&entry),
                entry.short_fingerprint(),
                u8::from(entry.live().is_some_and(|it| it.root)),
            );
            write!(out, "{between}")?;
            write_json(&row, out)?;
            between = ",\n";
        }
        out.write_all(match self.order.is_empty() {
            true => b"[]",
            false => b"\n]",
        })
    }

    fn write_details(&self, out: &mut dyn Write) -> io::Result<()> {
        for (number, block) in self.order.chunks(BLOCK).enumerate() {
            write!(
                out,
                "<script type=\"application/json\" id=\"d{number}\">\n["
            )?;
            for (position, &index) in block.iter().enumerate() {
                let Some(entry) = self.view.any_entry(index) else {
                    continue;
                };
                out.write_all(if position > 0 { b",\n" } else { b"\n" })?;
                write_json(&self.detail(&entry), out)?;
            }
            writeln!(out, "\n]</script>")?;
        }
        Ok(())
    }

    fn detail(&self, entry: &Entry<'_>) -> Value {
        let live = entry.live();
        let places: Vec<Value> = entry.places().take(MOST_PLACES).map(place).collect();
        json!({
            "fingerprint": entry.fingerprint(),
            "confidence": entry.confidence(),
            "key_type": entry.key_type(),
            "canary": entry.canary(),
            "verdict": entry.verdict_phrase().map(line),
            "owner": live.as_ref().map(|it| sanitise::line(it.owner.as_bytes())),
            "command": live.as_ref().and_then(|it| it.command.clone()).map(line),
            "notes": live.map(|it| it.notes).unwrap_or_default(),
            "suppression": entry.standing_line().map(line),
            "held": entry.provenance_lines().into_iter().next().map(line),
            "events": self.events(entry),
            "advice": self.advice.get(&advice_key(entry)),
            "places": places,
        })
    }

    /// What happened to a credential in its history: what, when, by whom, in which commit.
    fn events(&self, entry: &Entry<'_>) -> Vec<Value> {
        let Some(known) = entry.provenance() else {
            return Vec::new();
        };
        let came_in = match known.first_at_cut {
            true => "there at the cut of the history, came in then or earlier",
            false => "came in",
        };
        let last = Some(&known.last_commit).filter(|_| !known.in_head);
        let events = [
            (
                came_in,
                Some(&known.first_commit),
                &known.date,
                &known.author,
            ),
            ("last there", last, &known.last_date, &known.last_author),
            (
                "taken out",
                Some(&known.removed_commit),
                &known.removed_date,
                &known.removed_author,
            ),
        ];
        let event = |(what, commit, date, author): (
            _,
            Option<&Option<String>>,
            &Option<String>,
            &Option<String>,
        )| {
            let commit = commit?.as_ref()?;
            let time = date.as_deref().and_then(clock::parse);
            let url = entry.commit_url(commit);
            let author = author.clone().map(line);
            Some(json!([
                what,
                time,
                author,
                [sanitise::line(commit.as_bytes()), url]
            ]))
        };
        events.into_iter().filter_map(event).collect()
    }
}

/// Findings as the list has them: what was set aside last, live keys first, then by severity.
fn order(view: &View<'_>) -> Vec<usize> {
    let keys: Vec<_> = view
        .all_entries()
        .map(|entry| {
            let live = entry.state() == "live" && !entry.canary();
            let root = entry.live().is_some_and(|it| it.root);
            (entry.suppressed(), !live, !root, Reverse(entry.severity()))
        })
        .collect();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|&index| keys[index]);
    order
}

/// Which of the page's `suppressions` it is.
fn set_aside(entry: &Entry<'_>) -> u8 {
    match entry.standing().filter(|_| entry.suppressed()) {
        None => 0,
        Some(words) if words.by == "baseline" => 1,
        Some(words) if words.by == "path" => 3,
        Some(_) => 2,
    }
}

fn title(entry: &Entry<'_>) -> (String, String) {
    let text = |text: &str| sanitise::line(text.as_bytes());
    (text(entry.rule()), text(entry.title()))
}

fn advice_key(entry: &Entry<'_>) -> (String, bool) {
    let rule = sanitise::line(entry.rule().as_bytes());
    (rule, entry.key_type() == Some("temporary"))
}

fn line(text: String) -> String {
    sanitise::line(text.as_bytes())
}

fn shown_place(place: &Place<'_>) -> String {
    let path = sanitise::line(&place.path());
    match place.has_lines() {
        true => format!("{path}:{}", place.line_and_column().0),
        false => path,
    }
}

fn place(place: Place<'_>) -> Value {
    let shorten = |(number, text): (u64, String)| match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => (number, format!("{}…", &text[..end])),
        None => (number, text),
    };
    let lines: Vec<_> = excerpt::lines(&place).into_iter().map(shorten).collect();
    let line_number = place.has_lines().then(|| place.line_and_column().0);
    let commit = place.commit().map(|commit| {
        let shown = sanitise::line(commit.as_bytes());
        (shown, place.commit_url(commit))
    });
    json!([
        sanitise::line(&place.path()),
        line_number,
        place.kind(),
        commit,
        place.url(),
        lines
    ])
}

/// Writes JSON for the inside of a script element: no `<` in it can end that.
fn write_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('<') {
        out.write_all(before.as_bytes())?;
        out.write_all(b"\\u003c")?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// What a content security policy knows an inline element by.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text.as_bytes())))
}
