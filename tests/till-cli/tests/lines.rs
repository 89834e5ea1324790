//! What the program says to lines, right and wrong, without any acquirer.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its directory may panic")]

use std::io::Cursor;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a till over these lines; the address of the acquirer refuses every connection.
fn run(dir: &Dir, more: &[&str], lines: &str) -> (ExitCode, Vec<Value>) {
    let path = dir.0.display().to_string();
    let mut words = [&["--dir", &path, "--acquirer", "http://127.0.0.1:9"], more].concat();
    let key = "5c".repeat(32);
    if cfg!(feature = "sqlcipher") {
        words.extend(["--key", &key]);
    }
    let mut said = Vec::new();
    let code = till_cli::run(words.into_iter().map(str::to_owned), Cursor::new(lines.to_owned()), &mut said);
    (
        code,
        said.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect(),
    )
}

fn success(code: ExitCode) -> bool {
    code == ExitCode::SUCCESS
}

#[test]
fn wrong_lines_are_answered_one_by_one_and_the_till_goes_on() {
    let dir = Dir::new("wrong");
    let lines = "nonsense\n\n{\"cmd\":\"dance\"}\n{\"cmd\":\"status\",\"x\":1}\n{\"cmd\":\"advance\",\"ms\":-1}\n{\"cmd\":\"payment\",\"id\":\"no\"}\n\
        {\"cmd\":\"charge\",\"amount_minor\":5,\"card\":{\"last_four\":\"12\"}}\n{\"cmd\":\"charge\",\"amount_minor\":500}\n{\"cmd\":\"status\"}\n";
    let (code, said) = run(&dir, &[], lines);
    assert!(success(code));
    assert_eq!(said.len(), 10, "{said:?}");
    assert_eq!(said[0]["event"], "opened");
    let codes: Vec<&str> = said[1..8].iter().map(|line| line["error"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes[..4], ["not_json", "unknown_command", "bad_field", "bad_field"]);
    assert_eq!(codes[5..], ["bad_field", "never_signed_on"]);
    assert!(said[1..8].iter().all(|line| line["ok"] == false && line["error"]["detail"].is_string()));
    assert_eq!(said[7]["error"]["kind"], "sign_in");
    assert_eq!((&said[8]["ok"], &said[8]["cmd"]), (&Value::Bool(true), &Value::from("status")));
    assert_eq!(said[9]["cmd"], "shutdown");
}

#[test]
fn time_moves_only_when_told_to() {
    let dir = Dir::new("time");
    let lines = "{\"cmd\":\"status\"}\n{\"cmd\":\"advance\",\"ms\":5000}\n{\"cmd\":\"clock_jump\",\"ms\":-3600000}\n{\"cmd\":\"status\"}\n";
    let (_, said) = run(&dir, &["--now-ms", "1795219200000"], lines);
    let times: Vec<i64> = said.iter().map(|line| line["now_ms"].as_i64().unwrap()).collect();
    assert_eq!(times[..4], [1_795_219_200_000, 1_795_219_200_000, 1_795_219_205_000, 1_795_215_605_000]);
    let (_, said) = run(&dir, &["--real-clock"], "{\"cmd\":\"advance\",\"ms\":1}\n{\"cmd\":\"clock_jump\",\"ms\":1}\n");
    assert_eq!(
        (&said[1]["error"]["code"], &said[2]["error"]["code"]),
        (&Value::from("real_clock"), &Value::from("real_clock"))
    );
}

#[test]
fn a_till_opens_again_as_itself() {
    let dir = Dir::new("again");
    run(&dir, &[], "");
    let key = std::fs::read_to_string(dir.0.join("device-key")).unwrap();
    assert!(key.starts_with("TEST KEY "));
    let (code, said) = run(&dir, &["--seed", "9"], "{\"cmd\":\"verify\"}\n");
    assert!(success(code));
    assert_eq!(said[1]["report"]["sound"], true);
    assert_eq!(std::fs::read_to_string(dir.0.join("device-key")).unwrap(), key, "another seed makes no other key");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let dir = Dir::new("closed");
    let (code, said) = run(&dir, &["--acquirer", "http://example.com"], "{\"cmd\":\"status\"}\n");
    assert!(!success(code));
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["ok"], false);
    std::fs::write(dir.0.join("till-cli.json"), "{").unwrap();
    let (code, said) = run(&dir, &[], "");
    assert!(!success(code));
    assert_eq!(said[0]["error"]["kind"], "storage");
    assert_eq!(run(&dir, &["--bogus"], "").0, ExitCode::from(2));
}

#[test]
fn a_ledger_is_put_aside_when_asked_and_the_next_one_begins() {
    let dir = Dir::new("anew");
    let (code, said) = run(&dir, &["--begin-anew"], "");
    assert!(!success(code) && said.len() == 1, "{said:?}");
    assert_eq!(said[0]["error"]["kind"], "not_found");
    assert!(success(run(&dir, &[], "{\"cmd\":\"status\"}\n").0));
    let (code, said) = run(&dir, &["--begin-anew"], "{\"cmd\":\"status\"}\n");
    assert!(success(code), "{said:?}");
    assert_eq!(said[0]["begun_anew"]["unsent"].as_array().map(Vec::len), Some(0), "{said:?}");
    assert_eq!(said[1]["missing_events"], 1, "the new one knows of the old: {said:?}");
    assert!(dir.0.join("ledger/ledger.db.put-aside-1").exists());
}
