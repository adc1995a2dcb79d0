//! `jsonl`: one finding a line, in the form of `json`, then a line with the summary.

use std::io::{self, Write};

use super::json::{FindingObject, Trailer, write_line};
use super::view::View;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    for entry in view.all_entries() {
        write_line(&FindingObject(entry), out)?;
    }
    write_line(&Trailer::of(view), out)
}
