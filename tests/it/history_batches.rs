//! A range of more commits than are held in memory at once: what was there before, and what was said
//! before, counts across its parts.

use std::fmt::Write as _;

use crate::git_kit::GitKit;
use crate::history_attribution::import;
use crate::history_places::{finding, report};
use crate::kit::keys;

/// More than two batches (`BATCH` in `source/changes/range.rs`).
const COMMITS: usize = 2_200;

/// What the commit of this number does.
fn actions(number: usize) -> String {
    let write = |path: &str, content: &str| {
        format!(
            "M 100644 inline {path}\ndata {}\n{content}\n",
            content.len()
        )
    };
    let key = |seed: u64, line: &str| format!("{}{line}\n", keys::exports(seed));
    match number {
        0 => write("known.sh", &key(5, "")),
        10 | 2000 => write("twice.sh", &key(1, "")),
        20 => "D twice.sh\n".to_owned(),
        30 => write("kept.sh", &key(2, "# one")),
        1500 => write("moved.sh", &key(4, "")),
        2050 => write("known.sh", &key(5, "# changed")),
        2100 => write("kept.sh", &key(2, "# two")),
        2150 => "R moved.sh other.sh\n".to_owned(),
        _ => write("number", &number.to_string()),
    }
}

fn author(number: usize) -> String {
    match number {
        40 | 1040 | 2040 => keys::access_key_id(3),
        _ => "Ada".to_owned(),
    }
}

#[test]
fn parts_of_a_range_know_of_each_other() {
    let mut stream = String::new();
    for number in 0..COMMITS {
        let date = 1_600_000_000 + number;
        write!(
            stream,
            "commit refs/heads/main\nmark :{}\nauthor {} <ada@example.com> {date} +0000\n\
             committer Ada <ada@example.com> {date} +0000\ndata 0\n{}\n",
            number + 1,
            author(number),
            actions(number),
        )
        .unwrap();
    }
    stream.push_str("reset refs/tags/start\nfrom :1\n\n");
    let kit = GitKit::init(&[]);
    import(&kit, stream.as_bytes());
    let (found, code) = report(kit.path(), &["start..main"]);
    assert_eq!(code, Some(1));
    assert_eq!(found["summary"]["commits"], COMMITS - 1);
    let expected = [(1, 10), (2, 30), (3, 40), (4, 1500)];
    assert_eq!(found["findings"].as_array().unwrap().len(), expected.len());
    for (seed, number) in expected {
        let back = format!("main~{}", COMMITS - 1 - number);
        let finding = finding(&found, seed);
        let places = finding["occurrences"].as_array().unwrap();
        assert_eq!(places.len(), 1, "{finding:#}");
        assert_eq!(places[0]["commit"], kit.line(&["rev-parse", &back]));
    }
    // Not the one that was made twice, and not the file that went; with the messages.
    let (changes, messages) = (COMMITS - 1 - 2, COMMITS - 1);
    assert_eq!(found["summary"]["files"], changes + messages);
}
