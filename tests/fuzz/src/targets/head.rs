//! The witness beside a ledger that is whole.

use sha2::{Digest as _, Sha256};
use takings_store::{Head, HeadState, Ledger, Verification};
use takings_till::Till;

use crate::stall::{base, directory, put_files, store};
use crate::tape::Tape;

const SLOT: usize = 512;
const BODY: usize = SLOT - 32;

/// First byte: the file's bytes as they are, or slots with fields from the input under checksums that hold.
pub fn head(data: &[u8]) {
    let mut tape = Tape::new(data);
    let bytes = if tape.byte().is_multiple_of(4) { tape.rest().to_vec() } else { slots(&mut tape) };
    let dir = directory();
    put_files(&base().closed, dir.path());
    std::fs::write(dir.path().join("head"), &bytes).unwrap();

    let found = Head::read(dir.path()).expect("a file that is there is read");
    let stake = Till::at_stake(dir.path()).expect("what is at stake is read");
    assert_eq!(stake.is_some(), matches!(found, HeadState::Sound(_)));
    if let HeadState::Sound(head) = &found {
        assert!(head.unsent.len() <= BODY / 19, "more sums than fit a slot");
    }
    // Whatever a witness says, the ledger opens, and nothing of it is gone.
    let (ledger, report) = Ledger::open(store(dir.path())).expect("a sound ledger opens");
    let (seq, hash) = (ledger.last_seq(), ledger.last_hash());
    assert!(!report.created && report.read_only.is_none());
    if let HeadState::Sound(head) = found {
        assert_eq!(report.at_stake.is_some(), head.seq > seq, "a witness that knows more is heard");
        assert_eq!(report.missing_events > 0, head.seq > seq);
        assert!(head.seq != seq || head.hash == hash || report.differs_at == Some(seq), "another history is noticed");
    }
    drop(ledger);
    // Told again, and counted once.
    let (mut ledger, again) = Ledger::open(store(dir.path())).expect("it opens again");
    assert_eq!(again.missing_events, report.missing_events);
    let verified = ledger.verify().expect("it is checked");
    assert!(
        !matches!(verified, Verification::Sound { .. }) || report.at_stake.is_none(),
        "missing events are no sound ledger"
    );
}

fn slots(tape: &mut Tape<'_>) -> Vec<u8> {
    let genuine =
        base().closed.iter().find(|(name, _)| name == "head").map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    let mut file = genuine;
    file.resize(2 * SLOT, 0);
    for _ in 0..=tape.byte() % 8 {
        let slot = usize::from(tape.byte() % 2) * SLOT;
        // Magic, counter, sequence, hash, number of sums, sums.
        let at = slot + *tape.pick(&[0, 8, 12, 15, 16, 20, 23, 24, 55, 56, 57, 60, 68, 76]);
        let count = usize::from(tape.byte() % 12);
        let bytes = tape.bytes(count);
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }
    for slot in [0, SLOT] {
        let checksum = Sha256::digest(&file[slot..slot + BODY]);
        file[slot + BODY..slot + SLOT].copy_from_slice(&checksum);
    }
    file
}
