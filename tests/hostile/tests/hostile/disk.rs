//! Directories that cannot be written and disks that are full.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Process, Stall, till_process};

/// The one line of a till that does not open.
fn refusal(mut command: Command) -> Value {
    let (lines, stderr, code) = Process::start(&mut command).end();
    assert_eq!((lines.len(), stderr.as_str(), code), (1, "", Some(1)), "{lines:?}");
    lines[0]["error"].clone()
}

#[test]
fn a_directory_that_cannot_be_written_is_a_storage_error() {
    let stall = Stall::in_business();
    // /proc refuses root, too; a file where the directory should be refuses everybody.
    let file = tempfile::NamedTempFile::new().unwrap();
    for dir in [Path::new("/proc/takings"), Path::new("/proc/self"), file.path()] {
        let error = refusal(till_process(dir, stall.acquirer.url(), &[]));
        assert_eq!(error["kind"], "storage", "{}: {error}", dir.display());
    }
}

/// A shell that runs `setup` in a mount namespace of its own, then the till; none if this machine does not allow it.
fn in_own_namespace(setup: &str, till: &Command) -> Option<Command> {
    let unshare = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(words);
        command
    };
    let ways: [&[&str]; 2] = [&["-m"], &["-r", "-m"]];
    let way = ways.iter().find(|way| {
        let tried = unshare(way).args(["sh", "-c", "mount -t tmpfs none /mnt"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    })?;
    let mut command = unshare(way);
    command.args(["sh", "-c", &format!("{setup} && exec \"$0\" \"$@\"")]).arg(till.get_program()).args(till.get_args());
    Some(command)
}

/// Said past the test's captured output: nobody is to believe that it was checked.
fn not_checked(instead: &str) {
    let _ = writeln!(std::io::stderr(), "NOT CHECKED here: this machine allows no mount namespace; {instead}");
}

#[test]
fn a_read_only_disk_under_a_kept_ledger_is_a_storage_error_and_nothing_is_lost() {
    let stall = Stall::in_business();
    let dir = tempfile::tempdir().unwrap();
    let id = with_one_kept(dir.path(), &stall);
    let till = till_process(dir.path(), stall.acquirer.url(), &["--seed", "9"]);
    let at = dir.path().display();
    if let Some(command) = in_own_namespace(&format!("mount --bind {at} {at} && mount -o remount,bind,ro {at}"), &till)
    {
        let error = refusal(command);
        assert_eq!(error["kind"], "storage", "{error}");
    } else {
        not_checked("the directory's files are checked one by one");
    }
    // The same by hand, without a mount: the place of each file is taken by a directory.
    for name in ["lock", "head"] {
        let path = dir.path().join("ledger").join(name);
        let aside = path.with_extension("aside");
        fs::rename(&path, &aside).unwrap();
        fs::create_dir(&path).unwrap();
        let error = refusal(till_process(dir.path(), stall.acquirer.url(), &["--seed", "9"]));
        assert_eq!((&error["kind"], &error["code"]), (&json!("storage"), &json!("io")), "{name}: {error}");
        fs::remove_dir(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &["--seed", "9"]));
    assert_eq!(till.hear().unwrap()["missing_events"], 0);
    approved(&mut till, &id);
}

fn with_one_kept(dir: &Path, stall: &Stall) -> String {
    let mut till = Process::start(&mut till_process(dir, stall.acquirer.url(), &["--seed", "9"]));
    till.hear();
    till.must(&json!({"cmd": "activate", "code": stall.acquirer.activation_code()}));
    till.must(&json!({"cmd": "sign_on"}));
    let id = kept(&mut till, 500);
    till.must(&json!({"cmd": "shutdown"}));
    id
}

fn kept(till: &mut Process, amount_minor: i64) -> String {
    let answer = till.charge(amount_minor, "offline");
    assert_eq!(answer["outcome"]["outcome"], "saved", "{answer}");
    answer["payment_id"].as_str().unwrap().to_owned()
}

fn approved(till: &mut Process, id: &str) {
    till.must(&json!({"cmd": "sync"}));
    let payment = till.must(&json!({"cmd": "payment", "id": id}));
    assert_eq!(payment["payment"]["authorization"], "approved", "{payment}");
}

/// Charges until the disk refuses; what was saved until then, and the refusal.
fn charge_until_full(till: &mut Process) -> (Vec<String>, Value) {
    let mut saved = Vec::new();
    loop {
        let answer = till.charge(500, "offline");
        if answer["ok"] == false {
            return (saved, answer["error"].clone());
        }
        assert_eq!(answer["outcome"]["outcome"], "saved", "after {}: {answer}", saved.len());
        saved.push(answer["payment_id"].as_str().unwrap().to_owned());
        assert!(saved.len() < 2_000, "the disk is never full");
    }
}

#[test]
fn p1_kept_a_full_disk_takes_no_new_charge_but_every_answer_and_loses_nothing() {
    let stall = Stall::in_business();
    // Many small payments must be allowed offline.
    let limit =
        json!({"currency": "CNY", "max_amount": 50_000, "max_count_open": 100_000, "max_total_open": 900_000_000});
    let dir = tempfile::tempdir().unwrap();
    let till = till_process(&dir.path().join("phone"), stall.acquirer.url(), &["--seed", "9"]);
    let at = dir.path().display();
    let Some(mut command) = in_own_namespace(&format!("mount -t tmpfs -o size=4m none {at}"), &till) else {
        not_checked("a limit on file sizes takes the disk's place");
        return;
    };
    stall.acquirer.admin("POST", "/admin/policy", &policy_with(&limit));
    let mut till = Process::start(&mut command);
    till.hear();
    till.must(&json!({"cmd": "activate", "code": stall.acquirer.activation_code()}));
    till.must(&json!({"cmd": "sign_on"}));
    let (saved, error) = charge_until_full(&mut till);
    assert_eq!(
        (&error["kind"], &error["code"]),
        (&json!("storage"), &json!("disk_full")),
        "after {}: {error}",
        saved.len()
    );
    assert!(saved.len() > 30, "{} were saved", saved.len());
    // Full: but every answer fits.
    let report = till.must(&json!({"cmd": "sync"}));
    assert_eq!(report["report"]["approved"], saved.len(), "{report}");
    let verified = till.must(&json!({"cmd": "verify"}));
    assert_eq!(verified["report"]["sound"], true, "{verified}");
    let book = stall.acquirer.book();
    for id in &saved {
        let theirs = book["payments"].as_array().unwrap().iter().find(|payment| payment["payment_id"] == id.as_str());
        assert_eq!(theirs.unwrap()["authorizations"], 1);
    }
    till.must(&json!({"cmd": "shutdown"}));
}

fn policy_with(limit: &Value) -> Value {
    json!({"limits": [limit]})
}

#[test]
fn p1_kept_files_that_may_not_grow_refuse_charges_and_lose_nothing() {
    let stall = Stall::in_business();
    let dir = tempfile::tempdir().unwrap();
    let first = with_one_kept(dir.path(), &stall);
    let plain = till_process(dir.path(), stall.acquirer.url(), &["--seed", "9"]);
    let mut limited = Command::new("sh");
    // Blocks of 512 bytes, in dash and bash as sh alike; the signal of the limit is ignored, so that writes fail.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1400 && exec \"$0\" \"$@\""]);
    limited.arg(plain.get_program()).args(plain.get_args());
    let mut till = Process::start(&mut limited);
    till.hear();
    let (saved, error) = charge_until_full(&mut till);
    assert_eq!(error["kind"], "storage", "{error}");
    assert!(!saved.is_empty());
    let listed = till.must(&json!({"cmd": "payments", "limit": 200}));
    let listed: Vec<&str> =
        listed["payments"].as_array().unwrap().iter().map(|payment| payment["payment_id"].as_str().unwrap()).collect();
    assert!(saved.iter().rev().take(100).all(|id| listed.contains(&id.as_str())), "lists are still read");
    till.kill();
    // Room again.
    let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &["--seed", "9"]));
    assert_eq!(till.hear().unwrap()["missing_events"], 0);
    till.must(&json!({"cmd": "sync"}));
    for id in saved.iter().chain([&first]) {
        let payment = till.must(&json!({"cmd": "payment", "id": id}));
        assert_eq!(payment["payment"]["authorization"], "approved", "{payment}");
    }
    assert_eq!(till.must(&json!({"cmd": "verify"}))["report"]["sound"], true);
}
