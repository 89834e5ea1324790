//! Whole days.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::{Acquirer, Dir, PROGRAM, day};

fn right(output: &std::process::Output) {
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}\n{complained}");
}

#[test]
fn a_small_day_is_right_and_a_pipe_gets_no_colours() {
    let dir = Dir::new("small");
    let output = day(&["--payments", "24", "--seed", "3", "--dir", &dir.path("day"), "--json", &dir.path("out.json")]);
    right(&output);
    assert!(!output.stdout.contains(&0x1b), "an escape sequence in a pipe");
    let out = dir.json("out.json");
    assert_eq!(out, dir.json("day/out.json"));
    assert_eq!(
        (&out["verified"], &out["totals"]["lost"], &out["totals"]["charged_twice"]),
        (&json!(true), &json!(0), &json!(0))
    );
    assert_eq!(out["seed"], 3);
    let needed = "payment_id captured_at_ms accepted_at_ms amount_minor currency class delivery authorization clearing arrival stage \
        expected_date evidence payout_id gross_minor fee_minor net_minor cause";
    for name in needed.split_whitespace() {
        assert!(out["payments"][0].get(name).is_some(), "{name}");
    }
}

#[test]
fn a_day_that_was_killed_goes_on_and_one_that_is_over_says_the_same() {
    let dir = Dir::new("killed");
    let path = dir.path("day");
    let words = ["--payments", "40", "--seed", "12", "--dir", &path];
    let journal = dir.0.join("day/progress.jsonl");
    for lines in [30, 150, 260] {
        let mut child = Command::new(PROGRAM).args(words).stdout(Stdio::null()).spawn().unwrap();
        // Its till and its acquirer end with it: their standard input closes.
        while child.try_wait().unwrap().is_none() {
            let seen = std::fs::read_to_string(&journal).unwrap_or_default().lines().count();
            if seen >= lines {
                child.kill().unwrap();
                child.wait().unwrap();
                break;
            }
            std::thread::yield_now();
        }
    }
    right(&day(&words));
    let first = dir.json("day/out.json");
    assert_eq!(first["totals"]["lost"], 0);
    right(&day(&words));
    let again = dir.json("day/out.json");
    assert_eq!((&first["totals"], &first["payments"]), (&again["totals"], &again["payments"]));
    let other = day(&["--payments", "40", "--seed", "13", "--dir", &path]);
    assert_eq!(other.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&other.stderr).contains("holds another day: --seed 12"));
}

#[test]
fn somebody_elses_acquirer_will_do() {
    for faults in ["none", "market"] {
        let dir = Dir::new(&format!("external-{faults}"));
        let acquirer = Acquirer::start(&dir);
        let words = [
            "--payments",
            "24",
            "--faults",
            faults,
            "--acquirer",
            &acquirer.url,
            "--admin",
            &acquirer.url,
            "--no-kill",
        ];
        let path = dir.path("day");
        right(&day(&[&words[..], &["--dir", &path]].concat()));
        let late = day(&words);
        assert_eq!(late.status.code(), Some(3), "its clock is past this day");
        assert!(String::from_utf8_lossy(&late.stderr).contains("must be fresh"));
    }
}

#[test]
fn a_wrong_argument_gets_one_clear_line() {
    for (words, says) in
        [(&["--payments", "1"][..], "24 to 500"), (&["--bogus"], "unknown argument"), (&["--dir"], "missing")]
    {
        let output = day(words);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(complained.contains(says) && complained.trim_end().lines().count() == 1, "{complained}");
    }
}
