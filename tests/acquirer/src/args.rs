//! Command line of the binary.

use std::path::PathBuf;

/// Start of the virtual clock without `--now-ms`: Saturday 2026-11-21, 08:00 in Shanghai.
pub const DEFAULT_START_MS: i64 = 1_795_219_200_000;

/// What `--help` prints.
pub const USAGE: &str = "sandbox-acquirer [--port N] [--now-ms N] [--seed N] [--journal FILE] [--public-url URL] [--real-clock] [--print] [--stay]

  --port N          listen on 127.0.0.1:N (0, the default: a free port, printed)
  --now-ms N        start of the virtual clock, milliseconds since 1970 UTC
  --seed N          seed of keys, orders and faults (default 1)
  --journal FILE    keep and replay the accepted requests
  --public-url URL  address in front of it, if clients sign for another than they reach
  --real-clock      follow the machine's clock until PUT /admin/clock
  --print           one line on standard error for each request
  --stay            keep running when standard input closes
";

/// Parsed arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) port: u16,
    pub(crate) now_ms: i64,
    pub(crate) seed: u64,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) public_url: Option<String>,
    pub(crate) real_clock: bool,
    pub(crate) print: bool,
    pub(crate) stay: bool,
    pub(crate) help: bool,
}

impl Args {
    /// Reads the arguments after the program's name; the error is one line.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            port: 0,
            now_ms: DEFAULT_START_MS,
            seed: 1,
            journal: None,
            public_url: None,
            real_clock: false,
            print: false,
            stay: false,
            help: false,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word}: a value is missing"));
            match word.as_str() {
                "--port" => args.port = number(&word, &value()?)?,
                "--now-ms" => args.now_ms = number(&word, &value()?)?,
                "--seed" => args.seed = number(&word, &value()?)?,
                "--journal" => args.journal = Some(PathBuf::from(value()?)),
                "--public-url" => args.public_url = Some(value()?.trim_end_matches('/').to_owned()),
                "--real-clock" => args.real_clock = true,
                "--print" => args.print = true,
                "--stay" => args.stay = true,
                "--help" | "-h" => args.help = true,
                _ => return Err(format!("{word}: unknown argument; see --help")),
            }
        }
        Ok(args)
    }
}

fn number<T: std::str::FromStr>(word: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{word}: {value:?} is not a number it takes"))
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments() {
        let args = parse("--port 80 --seed 7 --public-url http://a:1/ --stay").unwrap();
        assert_eq!((args.port, args.seed, args.public_url.as_deref(), args.stay), (80, 7, Some("http://a:1"), true));
        assert!(parse("--port").unwrap_err().contains("missing"));
        assert!(parse("--port x").unwrap_err().contains("--port"));
        assert!(parse("--what").unwrap_err().contains("unknown"));
    }
}
