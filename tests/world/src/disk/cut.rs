//! What a power cut leaves of a disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::medium::{Change, Content, HEAD, Medium, put};

/// What a disk writes whole or not at all, bytes.
const SECTOR: usize = 512;
/// The file of ballast: written without SQLite and never synced.
const BALLAST: &str = "ballast";

type Choose<'a> = &'a mut dyn FnMut(u64) -> u64;

/// See [`super::Disk::cut_power`].
pub(super) fn cut(medium: &mut Medium, choose: Choose<'_>) {
    medium.counts.cuts += 1;
    let names: BTreeSet<String> = medium.names.keys().chain(medium.durable_names.keys()).cloned().collect();
    for name in &names {
        let now = medium.node(name);
        let then = medium.durable_names.get(name).copied();
        // Until the directory is synced either name may be what the medium holds.
        let node = if now == then || choose(2) == 0 { now } else { then };
        medium.counts.names_lost += u64::from(now.is_some() && node != now);
        medium.counts.names_back += u64::from(node.is_some() && node != now);
        let path = medium.dir.join(name);
        let Some(content) = node.and_then(|node| medium.contents.remove(&node)) else {
            let _ = fs::remove_file(path);
            continue;
        };
        // Where the directory lies is memory: what cannot be written there stops the run by itself.
        let _ = fs::write(path, survive(content, medium, choose));
    }
    medium.contents.clear();
    medium.names.clear();
    medium.durable_names.clear();
    // What survived is on the medium now: it is taken up again when SQLite opens it.
    remove_shared_memory(&medium.dir);
    cut_head(medium, choose);
    cut_ballast(&medium.dir, choose);
    medium.revive();
}

/// One file: each step since the last sync kept, torn or dropped, in any order.
fn survive(content: Content, medium: &mut Medium, choose: Choose<'_>) -> Vec<u8> {
    let Content { mut durable, mut since } = content;
    if since.is_empty() {
        return durable;
    }
    // Whole cuts are as likely as mixed ones: all gone, all there, or each by itself.
    let mood = choose(6);
    if mood >= 4 && since.len() > 1 {
        shuffle(&mut since, choose);
        medium.counts.reordered += 1;
    }
    for change in &since {
        let fate = match mood {
            0 => 0,
            1 => 1,
            _ => choose(3),
        };
        match (fate, change) {
            (0, _) => medium.counts.dropped += 1,
            (2, Change::Write { offset, bytes }) => {
                medium.counts.torn += 1;
                tear(&mut durable, *offset, bytes, choose);
            }
            _ => {
                medium.counts.kept += 1;
                change.apply(&mut durable);
            }
        }
    }
    durable
}

fn shuffle(changes: &mut [Change], choose: Choose<'_>) {
    for last in (1..changes.len()).rev() {
        let with = usize::try_from(choose(last as u64 + 1)).unwrap_or(0);
        changes.swap(last, with);
    }
}

/// Some of the sectors that a write touches. What lies beside it in its first and last sector stays: this is what
/// SQLite takes for granted too (powersafe overwrite).
fn tear(to: &mut Vec<u8>, offset: u64, bytes: &[u8], choose: Choose<'_>) {
    let mut at = 0;
    while at < bytes.len() {
        let place = offset + at as u64;
        let in_sector = usize::try_from(place % SECTOR as u64).unwrap_or(0);
        let until = bytes.len().min(at + SECTOR - in_sector);
        if choose(2) == 0
            && let Some(piece) = bytes.get(at..until)
        {
            put(to, place, piece);
        }
        at = until;
    }
}

fn remove_shared_memory(dir: &Path) {
    for file in fs::read_dir(dir).into_iter().flatten().flatten() {
        if file.file_name().to_string_lossy().ends_with("-shm") {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// The witness: the newest version, an older one, or sectors of two.
fn cut_head(medium: &mut Medium, choose: Choose<'_>) {
    medium.note_beside();
    let path = medium.dir.join(HEAD);
    let Some(newest) = medium.beside.back().filter(|_| path.exists()).cloned() else { return };
    let pick = |choose: Choose<'_>| {
        let back = usize::try_from(choose(medium.beside.len() as u64)).unwrap_or(0);
        medium.beside.iter().rev().nth(back).cloned().unwrap_or_default()
    };
    let left = match choose(4) {
        0 | 1 => newest.clone(),
        2 => pick(choose),
        _ => {
            let (mut one, other) = (pick(choose), pick(choose));
            for (number, piece) in other.chunks(SECTOR).enumerate() {
                if choose(2) == 0 {
                    put(&mut one, (number * SECTOR) as u64, piece);
                }
            }
            one
        }
    };
    if left != newest {
        medium.counts.old_heads += 1;
        let _ = fs::write(&path, &left);
    }
    medium.beside.clear();
    medium.beside.push_back(left);
}

/// Ballast may be gone, or shorter than it was made.
fn cut_ballast(dir: &Path, choose: Choose<'_>) {
    let path = dir.join(BALLAST);
    if !path.exists() {
        return;
    }
    match choose(8) {
        0 => drop(fs::remove_file(&path)),
        1 => {
            // A new file: the old one may be shared with another directory.
            drop(fs::remove_file(&path));
            drop(fs::write(&path, [0; 4 * SECTOR]));
        }
        _ => {}
    }
}
