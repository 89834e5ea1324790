//! The till dies before its k-th system call of a kind: strace sends it SIGKILL as it enters the call.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::judge::Verdict;
use super::stall::{Customer, Deed, Stall, day};
use super::{About as _, Asked, KillError, Programs, Trouble};

/// The calls that sync.
pub(super) const SYNCS: &[&str] = &["fsync", "fdatasync", "sync_file_range", "msync"];
/// These, and those that write to a file of SQLite's.
pub(super) const WRITES: &[&str] = &["fsync", "fdatasync", "sync_file_range", "msync", "pwrite64"];

const HOUR_MS: i64 = 3_600_000;

/// Everything that writes: both kinds of charges, a lost answer of each, a decline that comes late, a queue, a payout.
fn short_day() -> Vec<Deed> {
    let charge = |number: u32, mode, last_four: &str| {
        Deed::Charge(Customer {
            order: format!("K-{number}"),
            amount_minor: i64::from(1_000 + 100 * number),
            first: "622200",
            last_four: last_four.to_owned(),
            mode,
            dies_at: None,
        })
    };
    vec![
        Deed::Activate,
        Deed::SignOn,
        charge(1, "offline", "2001"),
        charge(2, "prefer_online", "2002"),
        Deed::Pass(10_000),
        charge(3, "offline", "0051"),
        Deed::Sync,
        Deed::Pass(60_000),
        Deed::Sync,
        charge(4, "prefer_online", "2004"),
        Deed::Background,
        charge(5, "offline", "2005"),
        Deed::Pass(2 * 24 * HOUR_MS),
        Deed::SignOn,
        Deed::Sync,
        Deed::Acknowledge,
        Deed::Sync,
    ]
}

/// How often the short day makes each of these calls.
pub(super) fn count(
    asked: &Asked,
    programs: &Programs,
    calls: &'static [&'static str],
) -> Result<BTreeMap<String, u32>, KillError> {
    let mut counts = Ok(BTreeMap::new());
    let verdict = day(asked, programs, "the short day", asked.seed, |stall| {
        let log = tempfile::NamedTempFile::new().about("a file for strace")?;
        play_under(stall, &strace(log.path(), calls, None)?)?;
        counts = read(&std::fs::read_to_string(log.path()).about("the log of strace")?, calls);
        Ok(())
    })?;
    if verdict.kills > 0 || !verdict.wrong.is_empty() {
        return Err(KillError::Unfit(format!("the short day is not right by itself: {:?}", verdict.wrong)));
    }
    counts
}

/// The short day, killed before this call; not killed if it made fewer this time: a checkpoint finds a list being read or not.
pub(super) fn play(asked: &Asked, programs: &Programs, call: &str, k: u32) -> Result<Verdict, KillError> {
    let name = format!("killed before {call} number {k}");
    day(asked, programs, &name, asked.seed, |stall| {
        play_under(stall, &strace(Path::new("/dev/null"), &[call], Some(k))?)
    })
}

/// Where a charge can be held: its intent on disk, the reader waiting, the card read by the reader, saved and said so.
pub(super) const MOMENTS: [&str; 4] = ["started", "before_card", "card_data", "saved"];

/// One charge of each kind, killed at this moment; what it was said to be stands, and the merchant goes on.
pub(super) fn play_held(asked: &Asked, programs: &Programs, moment: &'static str) -> Result<Verdict, KillError> {
    let name = format!("killed at {moment}");
    day(asked, programs, &name, asked.seed, |stall| {
        if !stall.open(&[], None)? || !stall.perform(&Deed::Activate)? || !stall.perform(&Deed::SignOn)? {
            return Err(died_alone());
        }
        for (number, mode) in ["offline", "prefer_online"].into_iter().enumerate() {
            let customer = |dies_at| Customer {
                order: format!("H-{number}"),
                amount_minor: 1_000,
                first: "622200",
                last_four: format!("200{number}"),
                mode,
                dies_at,
            };
            if stall.perform(&Deed::Charge(customer(Some(moment))))? {
                return Err(Trouble::Wrong(format!("nothing was held at {moment}")));
            }
            // Asked again, it is charged unless it was.
            if !stall.open_again(None)? || !stall.perform(&Deed::Charge(customer(None)))? {
                return Err(died_alone());
            }
        }
        stall.close_till()
    })
}

/// The first till runs under strace; after its death another goes on where it was.
fn play_under(stall: &mut Stall<'_>, strace: &[OsString]) -> Result<(), Trouble> {
    for on in ["POST /v1/payments", "POST /v1/payments/batch"] {
        stall.acquirer.admin("POST", "/admin/faults", &json!({"on": on, "kind": "drop_answer", "count": 1}))?;
    }
    if !stall.open(strace, None)? && !stall.open_again(None)? {
        return Err(died_alone());
    }
    for deed in short_day() {
        if stall.perform(&deed)? {
            continue;
        }
        let again = matches!(deed, Deed::Pass(_)) || (stall.open_again(None)? && stall.perform(&deed)?);
        if !again {
            return Err(died_alone());
        }
    }
    stall.close_till()
}

fn died_alone() -> Trouble {
    Trouble::Wrong("a till that nobody killed died".to_owned())
}

/// strace with its arguments. Without seccomp-bpf: with it, the signal does not come.
fn strace(log: &Path, calls: &[&str], kill_at: Option<u32>) -> Result<Vec<OsString>, KillError> {
    let calls = calls.join(",");
    let mut words: Vec<OsString> =
        ["strace", "--follow-forks", "--quiet=all"].into_iter().map(OsString::from).collect();
    words.push(format!("--trace={calls}").into());
    if let Some(k) = kill_at {
        words.push(format!("--inject={calls}:signal=SIGKILL:when={k}").into());
    }
    words.extend(["--output".into(), log.into()]);
    let tried = Command::new(&words[0]).args(["--quiet=all", "--trace=none", "true"]).output().about("strace")?;
    if tried.status.success() {
        Ok(words)
    } else {
        let said = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
        Err(KillError::Unfit(format!("strace cannot attach here: {said}")))
    }
}

/// The calls in a log, of the thread that makes most of them: strace counts for each thread. Nearly all are the engine's, the
/// ledger's one writer; a reader's connection makes a few in the file of shared memory.
fn read(log: &str, calls: &[&str]) -> Result<BTreeMap<String, u32>, KillError> {
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if calls.contains(&call) {
            *counts.entry((call, thread)).or_insert(0) += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((call, _), count) in counts {
        let of_call: &mut u32 = most.entry(call.to_owned()).or_default();
        *of_call = count.max(*of_call);
    }
    if most.is_empty() {
        Err(KillError::Unfit("the short day never syncs, by the log of strace".to_owned()))
    } else {
        Ok(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_counted() {
        let log = "12  fsync(7) = 0\n12  pwrite64(7, \"fsync(\", 4) = 4\n13  close(3) = 0\n12  fsync(8) = 0\n12  +++ exited +++\n";
        assert_eq!(read(log, SYNCS).unwrap(), BTreeMap::from([("fsync".to_owned(), 2)]));
        assert_eq!(read(log, WRITES).unwrap().len(), 2);
        assert_eq!(read("1 fsync(7) = 0\n2 fsync(7) = 0\n2 fsync(8) = 0\n", SYNCS).unwrap()["fsync"], 2);
        assert!(read("", SYNCS).is_err());
    }
}
