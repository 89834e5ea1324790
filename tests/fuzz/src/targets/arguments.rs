//! Command lines: of `till-cli`, `sandbox-acquirer`, `market-day`.

/// The input is a list of arguments, one a line.
pub fn arguments(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for (program, checked) in [
        ("till-cli", till_cli::check(words.clone())),
        ("sandbox-acquirer", sandbox_acquirer::check(words.clone())),
        ("market-day", market_day::check(&words)),
    ] {
        if let Err(line) = checked {
            assert!(!line.is_empty() && !line.contains('\n'), "{program} says what is wrong in one line: {line:?}");
        }
    }
}
