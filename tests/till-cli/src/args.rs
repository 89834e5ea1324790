//! The command line.

use std::path::PathBuf;

use takings_till::texts::Language;
use zeroize::Zeroizing;

/// Start of the virtual clock without `--now-ms`: Saturday 2026-11-21, 08:00 in Shanghai.
const DEFAULT_START_MS: i64 = 1_795_219_200_000;

/// What `--help` prints.
pub const USAGE: &str =
    "till-cli --dir DIR --acquirer URL [--now-ms N | --real-clock] [--seed N] [--key HEX] [--lang zh|en] [--reboot] [--begin-anew] [--markers]

  --dir DIR       where the ledger is; made if it is not there
  --acquirer URL  base address of the acquirer, without /v1
  --now-ms N      start of the virtual clock, milliseconds since 1970 UTC
  --real-clock    the machine's clock instead; `advance` is then refused
  --seed N        seed of ids, nonces, the test device key and the simulated reader (default 1)
  --key HEX       key of the ledger file, 64 hex digits; only for builds with encryption
  --lang LANGUAGE language of receipts: zh or en (default)
  --reboot        the phone was restarted, not only the app
  --begin-anew    the ledger that is there is put aside first, and what it had unsent is told in a line of its own
  --markers       `mark ...` lines on standard error, for counting system calls between them
";

/// Parsed arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) dir: PathBuf,
    pub(crate) acquirer: String,
    pub(crate) now_ms: i64,
    pub(crate) real_clock: bool,
    pub(crate) seed: u64,
    pub(crate) key: Option<Zeroizing<[u8; 32]>>,
    pub(crate) language: Language,
    pub(crate) reboot: bool,
    pub(crate) begin_anew: bool,
    pub(crate) markers: bool,
}

impl Args {
    /// Where the till's own files are.
    pub(crate) fn ledger_dir(&self) -> PathBuf {
        self.dir.join("ledger")
    }
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Help,
    Run(Box<Args>),
}

impl Asked {
    /// Reads the arguments after the program's name; the error is one line.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let (mut dir, mut acquirer, mut key) = (None, None, None);
        let (mut now_ms, mut seed) = (None, 1);
        let mut language = Language::En;
        let (mut real_clock, mut reboot, mut begin_anew, mut markers) = (false, false, false, false);
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word}: a value is missing"));
            match word.as_str() {
                "--dir" => dir = Some(PathBuf::from(value()?)),
                "--acquirer" => acquirer = Some(value()?.trim_end_matches('/').to_owned()),
                "--now-ms" => now_ms = Some(number(&word, &value()?)?),
                "--seed" => seed = number(&word, &value()?)?,
                "--key" => key = Some(parse_key(&value()?)?),
                "--lang" => language = parse_language(&value()?)?,
                "--real-clock" => real_clock = true,
                "--reboot" => reboot = true,
                "--begin-anew" => begin_anew = true,
                "--markers" => markers = true,
                "--help" | "-h" => return Ok(Self::Help),
                _ => return Err(format!("{word}: unknown argument; see --help")),
            }
        }
        if real_clock && now_ms.is_some() {
            return Err("--real-clock and --now-ms exclude each other".to_owned());
        }
        Ok(Self::Run(Box::new(Args {
            dir: dir.ok_or("--dir is needed; see --help")?,
            acquirer: acquirer.ok_or("--acquirer is needed; see --help")?,
            now_ms: now_ms.unwrap_or(DEFAULT_START_MS),
            real_clock,
            seed,
            key,
            language,
            reboot,
            begin_anew,
            markers,
        })))
    }
}

fn number<T: std::str::FromStr>(word: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{word}: {value:?} is not a number it takes"))
}

fn parse_language(value: &str) -> Result<Language, String> {
    match value {
        "zh" => Ok(Language::Zh),
        "en" => Ok(Language::En),
        _ => Err(format!("--lang: zh or en, not {value:?}")),
    }
}

fn parse_key(text: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    hex_bytes(text).map(Zeroizing::new).ok_or_else(|| "--key: 64 hex digits are needed".to_owned())
}

/// `N` bytes from exactly twice as many hex digits.
pub(crate) fn hex_bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |at: usize| pair.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Asked, String> {
        Asked::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments() {
        let Ok(Asked::Run(args)) = parse("--dir d --acquirer http://a/ --now-ms 5 --seed 7 --lang zh --markers") else {
            panic!()
        };
        assert_eq!((args.now_ms, args.seed, args.acquirer.as_str(), args.markers), (5, 7, "http://a", true));
        assert_eq!(args.language, Language::Zh);
        let keyed = format!("--dir d --acquirer http://a --key {}", "0f".repeat(32));
        let Ok(Asked::Run(args)) = parse(&keyed) else { panic!() };
        assert_eq!(args.key.as_deref(), Some(&[15; 32]));
        assert_eq!(parse("--help"), Ok(Asked::Help));
    }

    #[test]
    fn a_wrong_argument_gets_one_clear_line() {
        for (line, says) in [
            ("", "--dir is needed"),
            ("--dir d", "--acquirer is needed"),
            ("--dir d --acquirer a --now-ms x", "--now-ms: \"x\" is not a number it takes"),
            ("--dir d --acquirer a --key 12", "64 hex digits"),
            ("--dir d --acquirer a --now-ms 1 --real-clock", "exclude each other"),
            ("--dir d --acquirer", "--acquirer: a value is missing"),
            ("--dir d --acquirer a --lang fr", "--lang: zh or en, not \"fr\""),
            ("--colour", "--colour: unknown argument"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(says) && !error.contains('\n'), "{line}: {error}");
        }
    }
}
