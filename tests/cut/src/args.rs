//! What can be asked for.

use std::path::PathBuf;

use crate::Wrong;

/// How to call it.
pub(crate) const USAGE: &str =
    "usage: cut [--full] [--seed N] [--only NAME]… [--workers N] [--till FILE] [--sandbox FILE] [--dir DIR]";

/// The arguments.
#[derive(Debug, Clone)]
pub(crate) struct Args {
    /// Every byte of everything.
    pub(crate) full: bool,
    /// Seed of the samples.
    pub(crate) seed: u64,
    /// These kinds only, by the beginning of their names.
    pub(crate) only: Vec<String>,
    /// How many stalls at a time.
    pub(crate) workers: usize,
    /// The till.
    pub(crate) till: PathBuf,
    /// The acquirer.
    pub(crate) sandbox: PathBuf,
    /// Where tills live meanwhile.
    pub(crate) dir: PathBuf,
}

impl Args {
    /// Reads the words of the command line.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Wrong> {
        let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
        let beside = beside.unwrap_or_default();
        let mut args = Self {
            full: false,
            seed: 1,
            only: Vec::new(),
            workers: 2,
            till: beside.join("till-cli"),
            sandbox: beside.join("sandbox-acquirer"),
            dir: std::env::temp_dir(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| Wrong(format!("{word}: a value is missing")));
            match word.as_str() {
                "--full" => args.full = true,
                "--seed" => args.seed = number(value()?)?,
                "--only" => args.only.push(value()?.clone()),
                "--workers" => args.workers = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
                "--till" => args.till = value()?.into(),
                "--sandbox" => args.sandbox = value()?.into(),
                "--dir" => args.dir = value()?.into(),
                other => return Err(Wrong(format!("unknown argument {other}"))),
            }
        }
        Ok(args)
    }
}

fn number(text: &str) -> Result<u64, Wrong> {
    text.parse().map_err(|_| Wrong(format!("{text} is no number")))
}
