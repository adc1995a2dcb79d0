//! Colours of the reports for people.

use anstyle::{AnsiColor, Style};

/// What is coloured how: as rustc does it.
pub(crate) struct Styles {
    pub(crate) error: Style,
    pub(crate) warning: Style,
    pub(crate) gutter: Style,
    pub(crate) id: Style,
    pub(crate) hidden: Style,
    strong: Style,
}

impl Styles {
    pub(crate) fn new(colour: bool) -> Self {
        let shown = |style: Style| match colour {
            true => style.bold(),
            false => Style::new(),
        };
        let bold = |ansi: AnsiColor| shown(ansi.on_default());
        Self {
            error: bold(AnsiColor::BrightRed),
            warning: bold(AnsiColor::Yellow),
            gutter: bold(AnsiColor::BrightBlue),
            id: bold(AnsiColor::BrightRed),
            hidden: bold(AnsiColor::BrightBlue),
            strong: shown(Style::new()),
        }
    }

    pub(crate) fn strong(&self, text: &str) -> String {
        styled(self.strong, text)
    }
}

/// Text in a style, so that a line reads like what it prints.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
