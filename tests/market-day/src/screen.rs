//! What one sees: a timeline, a bar, tables. Colour and movement only on a terminal; NO_COLOR is respected.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread;
use std::time::Duration;

use chrono::NaiveDate;
use takings_till::texts::Language;

use crate::weeks::local;
use crate::width::{width, wrap};
use crate::words;

const NARROWEST: usize = 40;
/// From here on a line has room for everything.
const ROOMY: usize = 100;
/// Time and sign before each line of the timeline.
const MARGIN: usize = 11;
/// On a terminal somebody watches: so long rests every line of the timeline, and a bar after each contact.
const LINE_PAUSE: Duration = Duration::from_millis(15);
const BAR_PAUSE: Duration = Duration::from_millis(120);
/// Where nobody says how wide it is: a file, a pipe.
const USUAL_WIDTH: usize = 120;

/// How something looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Good,
    Bad,
    Warn,
    Info,
    Dim,
    Bold,
}

/// Standard output.
pub(crate) struct Screen {
    language: Language,
    colour: bool,
    live: bool,
    width: usize,
    day: Option<NaiveDate>,
    bar_drawn: bool,
}

impl Screen {
    /// Looks at what standard output is.
    pub(crate) fn new(language: Language) -> Self {
        let live = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        let columns = set("COLUMNS").and_then(|text| text.to_str()?.parse().ok());
        let seen = live
            .then(|| rustix::termios::tcgetwinsize(io::stdout()).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col));
        let width = columns.or(seen).filter(|width| *width > 0).unwrap_or(USUAL_WIDTH).max(NARROWEST);
        Self {
            language,
            colour: live && !dumb && set("NO_COLOR").is_none(),
            live: live && !dumb,
            width,
            day: None,
            bar_drawn: false,
        }
    }

    /// In which language everything is said.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Whether a line of the timeline has room for what matters less.
    pub(crate) fn is_roomy(&self) -> bool {
        self.width >= ROOMY
    }

    /// The text with its colour, if there are colours.
    pub(crate) fn paint(&self, look: Look, text: &str) -> String {
        let code = match look {
            Look::Plain => return text.to_owned(),
            Look::Good => "32",
            Look::Bad => "1;31",
            Look::Warn => "33",
            Look::Info => "36",
            Look::Dim => "2",
            Look::Bold => "1",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// One line as it is.
    pub(crate) fn line(&mut self, text: &str) {
        self.wipe_bar();
        // A reader that went away (head, a closed terminal) does not end the day.
        let _ = writeln!(io::stdout(), "{text}");
    }

    /// A title over what follows.
    pub(crate) fn title(&mut self, text: &str) {
        let text = self.paint(Look::Bold, text);
        self.line("");
        self.line(&text);
    }

    /// Something that happened; a new day gets its own line.
    pub(crate) fn event(&mut self, at_ms: i64, look: Look, sign: &str, text: &str) {
        let Some(at) = local(at_ms) else { return };
        if self.day != Some(at.date_naive()) {
            self.day = Some(at.date_naive());
            self.title(&words::day(self.language, at.date_naive()));
        }
        let time = self.paint(Look::Dim, &at.format("%H:%M:%S").to_string());
        let sign = self.paint(look, sign);
        let calm = matches!(look, Look::Plain | Look::Good | Look::Info | Look::Dim);
        for (number, text) in wrap(text, self.width.saturating_sub(MARGIN)).into_iter().enumerate() {
            let text = if calm { text } else { self.paint(look, &text) };
            let line =
                if number == 0 { format!("{time} {sign} {text}") } else { format!("{}{text}", " ".repeat(MARGIN)) };
            self.line(&line);
        }
        if self.live {
            thread::sleep(LINE_PAUSE);
        }
    }

    /// How far something is; drawn over itself on a terminal, and nowhere else. It grows from where it was.
    pub(crate) fn bar(&mut self, label: &str, done: u64, of: u64) {
        if !self.live || of == 0 {
            return;
        }
        self.draw_bar(label, done, of);
        thread::sleep(BAR_PAUSE);
    }

    fn draw_bar(&mut self, label: &str, done: u64, of: u64) {
        let room = self.width.saturating_sub(width(label) + 16).clamp(8, 48);
        let full =
            room.saturating_mul(usize::try_from(done.min(of)).unwrap_or(0)) / usize::try_from(of.max(1)).unwrap_or(1);
        let (there, missing) = ("█".repeat(full), "░".repeat(room - full));
        let (there, missing) = (self.paint(Look::Good, &there), self.paint(Look::Dim, &missing));
        let mut out = io::stdout();
        let _ = write!(out, "\r\u{1b}[2K{label} {there}{missing} {done}/{of}");
        let _ = out.flush();
        self.bar_drawn = true;
    }

    /// The bar has come to its end: it stays where it is.
    pub(crate) fn keep_bar(&mut self) {
        if self.bar_drawn {
            let _ = writeln!(io::stdout());
        }
        self.bar_drawn = false;
    }

    fn wipe_bar(&mut self) {
        if self.bar_drawn {
            let _ = write!(io::stdout(), "\r\u{1b}[2K");
            self.bar_drawn = false;
        }
    }
}
