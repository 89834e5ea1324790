//! The command line.

use std::path::PathBuf;

use takings_till::texts::Language;

/// The fewest payments with which every scene of the day has its customer.
pub(crate) const MIN_PAYMENTS: u32 = 24;
/// The most payments that fit into the sandbox's offline policy.
pub(crate) const MAX_PAYMENTS: u32 = 500;
const USUAL_PAYMENTS: u32 = 72;

/// What `--help` prints.
pub(crate) const USAGE: &str = "market-day [--payments N] [--seed N] [--json FILE] [--dir DIR] [--faults none|market] [--no-kill]
           [--lang zh|en] [--acquirer URL [--admin URL]]

A stallholder's Saturday and the days after: a card reader, no network, a bad network, and the money on its way to the bank.

  --payments N     how many sales, 24 to 500 (default 72)
  --seed N         everything that is left to chance; also which of six Saturdays (default 1)
  --json FILE      write the final account of every payment
  --dir DIR        keep everything here, and go on here after an interruption; else a new directory that is removed at the end
  --faults KIND    market: lost answers, 503, half answers, a returned and an overdue payout (default); none: a good day
  --no-kill        do not kill the till in the middle of a charge
  --lang LANGUAGE  zh: Chinese; en: English (default); what one sees, the files stay the same
  --acquirer URL   use this acquirer instead of starting one; it must be a fresh sandbox. With --faults none the till talks to
                   it directly and nothing takes the network away; else a relay stands between
  --admin URL      its administration, if it is somewhere else

Exit code: 0 if the account is right, 1 if anything was lost, charged twice or does not verify, 2 for a wrong argument,
3 if the day could not be played to its end.
";

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Faults {
    /// Nothing.
    None,
    /// What a market has.
    Market,
}

/// An acquirer that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct External {
    pub(crate) url: String,
    pub(crate) admin: String,
}

/// Parsed arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) payments: u32,
    pub(crate) seed: u64,
    pub(crate) json: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) faults: Faults,
    pub(crate) kill: bool,
    pub(crate) language: Language,
    pub(crate) external: Option<External>,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Help,
    Run(Box<Args>),
}

impl Asked {
    /// Reads the arguments after the program's name; the error is one line.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut args = Args {
            payments: USUAL_PAYMENTS,
            seed: 1,
            json: None,
            dir: None,
            faults: Faults::Market,
            kill: true,
            language: Language::En,
            external: None,
        };
        let (mut url, mut admin) = (None, None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or(format!("{word}: a value is missing"));
            match word.as_str() {
                "--payments" => args.payments = payments(&value()?)?,
                "--seed" => args.seed = number(word, &value()?)?,
                "--json" => args.json = Some(PathBuf::from(value()?)),
                "--dir" => args.dir = Some(PathBuf::from(value()?)),
                "--faults" => args.faults = faults(&value()?)?,
                "--no-kill" => args.kill = false,
                "--lang" => args.language = language(&value()?)?,
                "--acquirer" => url = Some(base(word, &value()?)?),
                "--admin" => admin = Some(base(word, &value()?)?),
                "--help" | "-h" => return Ok(Self::Help),
                _ => return Err(format!("{word}: unknown argument; see --help")),
            }
        }
        args.external = match (url, admin) {
            (None, None) => None,
            (None, Some(_)) => return Err("--admin needs --acquirer".to_owned()),
            (Some(url), admin) => Some(External { admin: admin.unwrap_or_else(|| url.clone()), url }),
        };
        Ok(Self::Run(Box::new(args)))
    }
}

fn number<T: std::str::FromStr>(word: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{word}: {value:?} is not a number it takes"))
}

fn payments(value: &str) -> Result<u32, String> {
    let count = number("--payments", value)?;
    if (MIN_PAYMENTS..=MAX_PAYMENTS).contains(&count) {
        Ok(count)
    } else {
        Err(format!("--payments: {MIN_PAYMENTS} to {MAX_PAYMENTS}, not {count}"))
    }
}

fn faults(value: &str) -> Result<Faults, String> {
    match value {
        "none" => Ok(Faults::None),
        "market" => Ok(Faults::Market),
        _ => Err(format!("--faults: none or market, not {value:?}")),
    }
}

fn language(value: &str) -> Result<Language, String> {
    match value {
        "zh" => Ok(Language::Zh),
        "en" => Ok(Language::En),
        _ => Err(format!("--lang: zh or en, not {value:?}")),
    }
}

/// `http://host:port`, nothing after it: the relay and the administration are plain HTTP.
fn base(word: &str, value: &str) -> Result<String, String> {
    let url = value.trim_end_matches('/');
    let host = url.strip_prefix("http://").filter(|host| {
        !host.contains('/')
            && host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok())
    });
    host.map(|_| url.to_owned()).ok_or(format!("{word}: {value:?} is not http://HOST:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Asked, String> {
        Asked::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let line = "--payments 80 --seed 9 --json o --dir d --faults none --no-kill --lang zh --acquirer http://a:1/ --admin http://b:2";
        let Ok(Asked::Run(args)) = parse(line) else { panic!() };
        assert_eq!((args.payments, args.seed, args.faults, args.kill), (80, 9, Faults::None, false));
        assert_eq!(args.language, Language::Zh);
        let external = External { url: "http://a:1".to_owned(), admin: "http://b:2".to_owned() };
        assert_eq!(args.external, Some(external));
        assert_eq!(parse("--seed 2 -h"), Ok(Asked::Help));
    }

    #[test]
    fn a_wrong_argument_gets_one_clear_line() {
        for (line, says) in [
            ("--payments 3", "24 to 500, not 3"),
            ("--payments many", "--payments: \"many\" is not a number"),
            ("--seed", "--seed: a value is missing"),
            ("--faults some", "none or market"),
            ("--lang fr", "--lang: zh or en, not \"fr\""),
            ("--lang", "--lang: a value is missing"),
            ("--admin http://a:1", "--admin needs --acquirer"),
            ("--acquirer https://a:1", "is not http://HOST:PORT"),
            ("--acquirer http://a", "is not http://HOST:PORT"),
            ("--loud", "--loud: unknown argument"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(says) && !error.contains('\n'), "{line}: {error}");
        }
    }
}
