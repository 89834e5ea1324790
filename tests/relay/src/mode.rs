//! What the line does.

/// How the relay treats bytes. `times` counts cuts; after the last one the line passes again; 0 cuts for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything passes.
    #[default]
    Pass,
    /// Connects are refused, open connections are reset.
    Refuse,
    /// After this many bytes of the answer the connection is reset.
    CutAnswer {
        /// Bytes of the answer that still arrive.
        after_bytes: usize,
        /// How often.
        times: u32,
    },
    /// After this many bytes of the request the connection is reset; the upstream sees the beginning only.
    CutRequest {
        /// Bytes of the request that still leave.
        after_bytes: usize,
        /// How often.
        times: u32,
    },
    /// Every piece of an answer waits this long.
    Delay {
        /// Milliseconds of real time.
        ms: u64,
    },
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Request,
    Answer,
}

/// The mode with its age: a connection that sees a new age counts from zero.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    pub(crate) mode: Mode,
    pub(crate) age: u64,
    pub(crate) cuts_left: Option<u32>,
}

impl Line {
    pub(crate) fn set(&mut self, mode: Mode) {
        self.mode = mode;
        self.age = self.age.wrapping_add(1);
        self.cuts_left = match mode {
            Mode::CutAnswer { times, .. } | Mode::CutRequest { times, .. } if times > 0 => Some(times),
            _ => None,
        };
    }

    /// How many bytes may still pass this way before the cut; none: all of them.
    pub(crate) fn limit(&self, way: Way) -> Option<usize> {
        match (self.mode, way) {
            (Mode::CutAnswer { after_bytes, .. }, Way::Answer)
            | (Mode::CutRequest { after_bytes, .. }, Way::Request) => Some(after_bytes),
            _ => None,
        }
    }

    /// Notes one cut; after the last the line passes.
    pub(crate) fn cut(&mut self) {
        if let Some(left) = self.cuts_left.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.set(Mode::Pass);
            }
        }
    }
}
