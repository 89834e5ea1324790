//! The witness beside the ledger: how long the history is, where its chain stands and how much is unsent.
//!
//! It is written after each commit without waiting for the disk, and read without the key. A witness ahead of the
//! ledger means that history was lost; if the ledger cannot be read at all, it still says how much was at stake.
//!
//! The file holds two slots of 512 bytes, written in place in turn, each with its own checksum: a torn write spoils
//! one of them at most. Numbers are big-endian: magic `TKHEAD01`, slot counter u64, sequence u64, hash, number of
//! sums u8, then per sum the currency's three letters, count u64 and amount i64; the last 32 bytes are the SHA-256
//! of those before.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::hash::Hash;

const MAGIC: &[u8; 8] = b"TKHEAD01";
const SLOT_LEN: usize = 512;
const BODY_LEN: usize = SLOT_LEN - 32;
const SUM_LEN: usize = 19;
/// As many currencies as fit a slot; a stall uses one.
const MOST_SUMS: usize = (BODY_LEN - 57) / SUM_LEN;

/// What is unsent in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// ISO 4217 code.
    pub currency: String,
    /// How many payments.
    pub count: u64,
    /// Their sum, minor units.
    pub amount_minor: i64,
}

/// What the witness says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest event.
    pub seq: u64,
    /// Its link of the chain.
    pub hash: Hash,
    /// What the acquirer has not confirmed, by currency, in alphabetical order.
    pub unsent: Vec<Unsent>,
    counter: u64,
}

/// What was found where the witness should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadState {
    /// No file.
    Absent,
    /// A file without a sound slot.
    Unreadable,
    /// The newest sound slot.
    Sound(Head),
}

impl HeadState {
    /// The witness, if there is a sound one.
    #[must_use]
    pub fn sound(self) -> Option<Head> {
        match self {
            Self::Sound(head) => Some(head),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

impl Head {
    /// Reads the witness in a ledger's directory. Needs neither key nor lock.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(dir: &Path) -> io::Result<HeadState> {
        let file = match File::open(dir.join("head")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HeadState::Absent),
            Err(error) => return Err(error),
        };
        let newest = read_slots(&file)?.into_iter().flatten().max_by_key(|head| head.counter);
        Ok(newest.map_or(HeadState::Unreadable, HeadState::Sound))
    }

    fn encode(&self) -> [u8; SLOT_LEN] {
        let mut bytes = Vec::with_capacity(SLOT_LEN);
        bytes.extend(MAGIC);
        bytes.extend(self.counter.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.hash);
        let sums = &self.unsent[..self.unsent.len().min(MOST_SUMS)];
        bytes.push(u8::try_from(sums.len()).unwrap_or(0));
        for sum in sums {
            let mut code = [b' '; 3];
            for (to, from) in code.iter_mut().zip(sum.currency.bytes()) {
                *to = from;
            }
            bytes.extend(code);
            bytes.extend(sum.count.to_be_bytes());
            bytes.extend(sum.amount_minor.to_be_bytes());
        }
        bytes.resize(BODY_LEN, 0);
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        let mut slot = [0; SLOT_LEN];
        slot.copy_from_slice(&bytes);
        slot
    }

    fn decode(slot: &[u8; SLOT_LEN]) -> Option<Self> {
        let (body, checksum) = slot.split_at(BODY_LEN);
        if Sha256::digest(body).as_slice() != checksum || !body.starts_with(MAGIC) {
            return None;
        }
        let mut unsent = Vec::new();
        for sum in body[57..].chunks_exact(SUM_LEN).take(usize::from(body[56])) {
            unsent.push(Unsent {
                currency: String::from_utf8(sum[..3].to_vec()).ok()?,
                count: u64::from_be_bytes(sum[3..11].try_into().ok()?),
                amount_minor: i64::from_be_bytes(sum[11..19].try_into().ok()?),
            });
        }
        Some(Self {
            counter: u64::from_be_bytes(body[8..16].try_into().ok()?),
            seq: u64::from_be_bytes(body[16..24].try_into().ok()?),
            hash: body[24..56].try_into().ok()?,
            unsent,
        })
    }
}

fn read_slots(file: &File) -> io::Result<[Option<Head>; 2]> {
    let mut heads = [None, None];
    for (at, head) in (0..).zip(&mut heads) {
        let mut slot = [0; SLOT_LEN];
        match file.read_exact_at(&mut slot, at * SLOT_LEN as u64) {
            Ok(()) => *head = Head::decode(&slot),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
    }
    Ok(heads)
}

/// Keeps the witness of an open ledger.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    counter: u64,
}

impl HeadFile {
    /// Opens the file, making it if there is none.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(dir.join("head"))?;
        let counter = read_slots(&file)?.into_iter().flatten().map(|head| head.counter).max().unwrap_or(0);
        Ok(Self { file, counter })
    }

    /// Writes the older slot. Not synced: the ledger is the truth, this only bears witness.
    pub(crate) fn write(&mut self, seq: u64, hash: Hash, unsent: Vec<Unsent>) -> io::Result<()> {
        let counter = self.counter.saturating_add(1);
        let head = Head { seq, hash, unsent, counter };
        self.file.write_all_at(&head.encode(), (counter % 2) * SLOT_LEN as u64)?;
        self.counter = counter;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsent(count: u64) -> Vec<Unsent> {
        vec![Unsent { currency: "CNY".into(), count, amount_minor: 1_234 }]
    }

    #[test]
    fn p5_one_spoiled_slot_leaves_the_other() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Head::read(dir.path()).unwrap(), HeadState::Absent);
        let mut file = HeadFile::open(dir.path()).unwrap();
        file.write(1, [1; 32], unsent(1)).unwrap();
        file.write(2, [2; 32], unsent(2)).unwrap();
        let newest = Head::read(dir.path()).unwrap().sound().unwrap();
        assert_eq!((newest.seq, newest.hash, newest.unsent), (2, [2; 32], unsent(2)));

        let path = dir.path().join("head");
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 1024);
        bytes[20] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Head::read(dir.path()).unwrap().sound().unwrap().seq, 1);
        bytes[600] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Head::read(dir.path()).unwrap(), HeadState::Unreadable);
    }

    #[test]
    fn more_currencies_than_fit_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = HeadFile::open(dir.path()).unwrap();
        file.write(1, [1; 32], vec![unsent(1).remove(0); 40]).unwrap();
        assert_eq!(Head::read(dir.path()).unwrap().sound().unwrap().unsent.len(), MOST_SUMS);
    }
}
