//! Who does it: some stalls at a time, each with a list of cuts; and what came of it.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::args::Args;
use crate::judge::Counted;
use crate::plan::{Job, Lengths, Scene, jobs};
use crate::stall::Way;
use crate::{During as _, Wrong, paying, reading};

/// So many failures are shown.
const MOST_SHOWN: usize = 10;

/// And so much of each, in characters.
const MOST_TOLD: usize = 1_000;

/// What a list of cuts came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Of each target.
    pub(crate) cuts: Vec<usize>,
    pub(crate) payments: Counted,
}

impl Tally {
    pub(crate) fn count(&mut self, cut: &[bool]) {
        self.cuts.resize(cut.len(), 0);
        for (count, cut) in self.cuts.iter_mut().zip(cut) {
            *count += usize::from(*cut);
        }
    }

    fn add(&mut self, other: &Self) {
        self.cuts.resize(self.cuts.len().max(other.cuts.len()), 0);
        for (mine, theirs) in self.cuts.iter_mut().zip(&other.cuts) {
            *mine += theirs;
        }
        let (mine, theirs) = (&mut self.payments, &other.payments);
        mine.charged += theirs.charged;
        mine.declined += theirs.declined;
        mine.reversed += theirs.reversed;
        mine.unheard += theirs.unheard;
    }
}

/// Measures, plans, cuts and reports. True if nothing was wrong.
pub(crate) fn everything(args: &Args) -> Result<bool, Wrong> {
    let began = Instant::now();
    let named = |scene: &Scene, name: &String| scene.targets().iter().any(|target| target.name.starts_with(name));
    let chosen = |scene: &Scene| args.only.is_empty() || args.only.iter().any(|name| named(scene, name));
    let scenes: Vec<Scene> = Scene::ALL.into_iter().filter(chosen).collect();
    if scenes.is_empty() {
        return Err(Wrong("there is no such scene".to_owned()));
    }
    say(&format!("seed {}, {}", args.seed, if args.full { "every byte" } else { "a sample beyond the first bytes" }))?;
    let measured = at_a_time(args.workers, scenes, |scene| (scene, measure(scene, args)));
    let mut lengths = BTreeMap::new();
    let mut wrong = Vec::new();
    for (scene, result) in measured {
        match result {
            Ok(result) => drop(lengths.insert(scene, result)),
            Err(error) => wrong.push(format!("{}, no cut: {error}", scene.targets()[0].name)),
        }
    }
    let planned = Scene::ALL.into_iter().filter_map(|scene| Some(jobs(scene, lengths.get(&scene)?, args)));
    let done = at_a_time(args.workers, planned.flatten().collect(), |job| (job.clone(), cut(&job, args)));
    let mut tallies: BTreeMap<(Scene, Way), Tally> = BTreeMap::new();
    for (job, result) in done {
        match result {
            Ok(tally) => tallies.entry((job.scene, job.way)).or_default().add(&tally),
            Err(error) => wrong.push(format!("{}, {:?}: {error}", job.scene.targets()[0].name, job.way)),
        }
    }
    report(&lengths, &tallies, began)?;
    for line in wrong.iter().take(MOST_SHOWN) {
        say(&format!("WRONG  {}", line.chars().take(MOST_TOLD).collect::<String>()))?;
    }
    if wrong.len() > MOST_SHOWN {
        say(&format!("… and {} more", wrong.len() - MOST_SHOWN))?;
    }
    Ok(wrong.is_empty())
}

fn measure(scene: Scene, args: &Args) -> Result<Vec<Lengths>, Wrong> {
    if scene.pays() { paying::lengths(scene, args) } else { reading::lengths(scene, args) }
}

fn cut(job: &Job, args: &Args) -> Result<Tally, Wrong> {
    if job.scene.pays() { paying::run(job, args) } else { reading::run(job, args) }
}

/// Does everything, some at a time; results in the order of their end.
fn at_a_time<J: Send, R: Send>(workers: usize, jobs: Vec<J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    let (queue, results) = (Mutex::new(VecDeque::from(jobs)), Mutex::new(Vec::new()));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let result = work(job);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn report(
    lengths: &BTreeMap<Scene, Vec<Lengths>>,
    tallies: &BTreeMap<(Scene, Way), Tally>,
    began: Instant,
) -> Result<(), Wrong> {
    say("what is cut                way      bytes   cuts   charged  declined  reversed  never heard of")?;
    let mut all = Tally::default();
    for ((scene, way), tally) in tallies {
        all.add(&Tally { cuts: vec![tally.cuts.iter().sum()], payments: tally.payments });
        let lengths = lengths.get(scene).into_iter().flatten();
        for ((target, cuts), lengths) in scene.targets().iter().zip(&tally.cuts).zip(lengths) {
            let (length, name) = (lengths.of(*way), target.name);
            let way = if *way == Way::Answer { "answer" } else { "request" };
            let ended = ended(*scene, &tally.payments);
            say(&format!("{name:<26} {way:<7} {length:>6} {cuts:>6} {ended}"))?;
        }
    }
    let (cuts, paid, seconds) = (all.cuts.iter().sum::<usize>(), all.payments, began.elapsed().as_secs());
    let Counted { charged, declined, reversed, unheard } = paid;
    say(&format!(
        "{cuts} cuts in {seconds} s: {charged} payments charged once, {declined} declined, {reversed} reversed, {unheard} never heard of"
    ))
}

fn ended(scene: Scene, payments: &Counted) -> String {
    if !scene.pays() {
        return "    each copy knows what its undisturbed twin knows".to_owned();
    }
    format!("{:>9} {:>9} {:>9} {:>15}", payments.charged, payments.declined, payments.reversed, payments.unheard)
}

fn say(line: &str) -> Result<(), Wrong> {
    writeln!(std::io::stdout(), "{line}").during("standard output")
}
