//! What is cut, and where.

use std::collections::BTreeSet;

use crate::args::Args;
use crate::random::Random;
use crate::stall::Way;

/// Every byte so far from the beginning; beyond it a sample, unless everything is asked for.
const DENSE: usize = 600;
/// Asked for everything, a scene that takes a second each is cut at every which byte.
const SLOW_STEP: usize = 16;
/// So many places of the sample.
const SAMPLE: usize = 40;

/// What is going on when the line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scene {
    /// One payment whose customer waits.
    Live,
    /// Stored payments on their way up.
    Batch,
    /// The question after a payment in doubt that the acquirer has.
    Inquiry,
    /// The same, and the acquirer never heard of it.
    InquiryUnheard,
    /// The undoing of a payment that nobody could confirm.
    Reversal,
    /// A sign-on.
    SignOn,
    /// A sign-on that a refused live payment waits for.
    Renewal,
    /// A till wakes after days and reads what happened: each of its questions is cut once.
    Waking,
    /// The same with pages of 200.
    WakingToPages,
}

/// A request that is cut: its name in reports, its method and its path.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
}

const fn target(name: &'static str, method: &'static str, path: &'static str) -> Target {
    Target { name, method, path }
}

/// The list of changed payments among the targets of [`Scene::Waking`].
pub(crate) const LIST: usize = 2;

const LIVE: [Target; 1] = [target("live payment", "POST", "/v1/payments")];
const BATCH: [Target; 1] = [target("batch", "POST", "/v1/payments/batch")];
const INQUIRY: [Target; 1] = [target("inquiry", "POST", "/v1/payments/inquiries")];
const UNHEARD: [Target; 1] = [target("inquiry, never heard of", "POST", "/v1/payments/inquiries")];
const REVERSAL: [Target; 1] = [target("reversal", "POST", "/v1/payments/*/reversals")];
const SIGN_ON: [Target; 1] = [target("sign-on", "POST", "/v1/terminals/*/sign-ons")];
const RENEWAL: [Target; 1] = [target("sign-on, a customer waits", "POST", "/v1/terminals/*/sign-ons")];
const WAKING: [Target; 6] = [
    target("waking: sign-on", "POST", "/v1/terminals/*/sign-ons"),
    target("waking: feed", "GET", "/v1/events"),
    target("waking: payments list", "GET", "/v1/payments"),
    target("waking: one payment", "GET", "/v1/payments/*"),
    target("waking: payout", "GET", "/v1/payouts/*"),
    target("waking: payout entries", "GET", "/v1/payouts/*/entries"),
];
const WAKING_TO_PAGES: [Target; 3] = [
    target("second page of the feed", "GET", "/v1/events?after=200"),
    target("second page of payments", "GET", "/v1/payments?cursor="),
    target("second page of entries", "GET", "/v1/payouts/*/entries?cursor="),
];

impl Scene {
    /// All of them, the longest first.
    pub(crate) const ALL: [Self; 9] = [
        Self::WakingToPages,
        Self::Waking,
        Self::Batch,
        Self::Reversal,
        Self::Inquiry,
        Self::Live,
        Self::SignOn,
        Self::Renewal,
        Self::InquiryUnheard,
    ];

    /// What is cut in it. The first one's name is the scene's for `--only`.
    pub(crate) fn targets(self) -> &'static [Target] {
        match self {
            Self::Live => &LIVE,
            Self::Batch => &BATCH,
            Self::Inquiry => &INQUIRY,
            Self::InquiryUnheard => &UNHEARD,
            Self::Reversal => &REVERSAL,
            Self::SignOn => &SIGN_ON,
            Self::Renewal => &RENEWAL,
            Self::Waking => &WAKING,
            Self::WakingToPages => &WAKING_TO_PAGES,
        }
    }

    /// Money moves in it.
    pub(crate) fn pays(self) -> bool {
        self <= Self::Renewal
    }

    /// Every which byte of the dense part is cut, and how many of the sample, unless everything is asked for.
    fn density(self, way: Way) -> (usize, usize) {
        match self {
            // Some seconds each.
            Self::WakingToPages => (200, 6),
            // Variants of what is cut at every byte elsewhere.
            Self::InquiryUnheard | Self::Renewal => (4, SAMPLE),
            // A request that is cut is never complete, wherever that is.
            _ if way == Way::Request => (4, SAMPLE),
            _ => (1, SAMPLE),
        }
    }
}

/// How long request and answer of one target are, bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lengths {
    pub(crate) request: usize,
    pub(crate) answer: usize,
}

impl Lengths {
    pub(crate) fn of(&self, way: Way) -> usize {
        match way {
            Way::Answer => self.answer,
            Way::Request => self.request,
        }
    }
}

/// Cuts of one scene and way, for one stall.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) scene: Scene,
    pub(crate) way: Way,
    pub(crate) places: Vec<usize>,
}

/// The jobs for a scene whose targets are so long.
pub(crate) fn jobs(scene: Scene, lengths: &[Lengths], args: &Args) -> Vec<Job> {
    let mut jobs = Vec::new();
    for way in [Way::Answer, Way::Request] {
        let places: Vec<usize> = places(scene, way, lengths, args).into_iter().collect();
        jobs.extend(places.chunks(100).map(|places| Job { scene, way, places: places.to_vec() }));
    }
    jobs
}

/// After how many bytes to cut: 0 is before the first one, the length is after the last one.
fn places(scene: Scene, way: Way, lengths: &[Lengths], args: &Args) -> BTreeSet<usize> {
    let longest = lengths.iter().map(|lengths| lengths.of(way)).max().unwrap_or(0);
    if args.full {
        let step = if scene == Scene::WakingToPages { SLOW_STEP } else { 1 };
        return (0..=longest).step_by(step).chain([longest]).collect();
    }
    let (step, sample) = scene.density(way);
    let mut random = Random::new(args.seed, &format!("{scene:?} {way:?}"));
    let mut places: BTreeSet<usize> = (random.below(step)..DENSE.min(longest)).step_by(step).collect();
    let beyond = longest.saturating_sub(DENSE);
    places.extend((0..sample.min(beyond)).map(|_| DENSE + random.below(beyond)));
    for lengths in lengths {
        let length = lengths.of(way);
        places.extend([length.saturating_sub(1), length]);
    }
    places
}
