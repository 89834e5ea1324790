//! The phone in somebody's hand: which one it is, its files, its disk and its key store. An app has no such things in its
//! hand, so they are no calls of their own: days at the market reach them through `DemoWorld.admin`, under `/world/`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use takings_acquirers::{DeviceSigner, PublicJwk, SignError, SoftwareKey};
use takings_till::Till;
use zeroize::Zeroizing;

use super::moods;
use super::surroundings::{Surroundings, lock};
use crate::error::TakingsError;
use crate::key_vault::KeyVault;

/// The name of the phone that is there from the beginning.
const FIRST: &str = "first";
/// The size of a page of the ledger file.
const PAGE_BYTES: usize = 4_096;

/// What is free on each phone's disk, bytes, where somebody said so: the store asks with nothing but a directory.
static FREE_BYTES: Mutex<BTreeMap<PathBuf, u64>> = Mutex::new(BTreeMap::new());

/// What is free on the disk of a phone: much, if nobody said otherwise. The machine's own disk is asked by whoever writes.
pub(crate) fn free_bytes(dir: &Path) -> u64 {
    lock(&FREE_BYTES).get(dir).copied().unwrap_or(u64::MAX)
}

/// All phones of a world. Each directory an app named is one; the first has others beside it.
#[derive(Default)]
pub(crate) struct Phones {
    dirs: Vec<PathBuf>,
    openings: u64,
    /// Where the app says its files are, whatever phone it runs on.
    base: Option<PathBuf>,
    /// The phone in hand, if it is not the first.
    in_hand: Option<String>,
    others: BTreeMap<String, Other>,
}

/// Another phone than the first.
#[derive(Default)]
struct Other {
    /// Its till is to be this merchant's.
    merchant_id: Option<String>,
    /// Its vault holds the ledger key of this phone.
    vault_of: Option<String>,
}

/// Where a till is opened, and with what.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    /// Whose device key.
    pub(crate) phone: u64,
    /// Whose ledger key.
    pub(crate) vault: u64,
    /// The so-manieth opening of the world.
    pub(crate) opening: u64,
}

impl Phones {
    /// The app is opened on the phone in hand.
    pub(crate) fn open(&mut self, base: &Path) -> Place {
        self.openings = self.openings.wrapping_add(1);
        self.base = Some(base.to_owned());
        let dir = self.dir_of(base, self.in_hand.as_deref());
        let vault_of = self.in_hand.as_ref().and_then(|name| self.others.get(name)?.vault_of.clone());
        let vault = vault_of.map(|name| self.dir_of(base, Some(&name)));
        let phone = self.number_of(&dir);
        let vault = vault.map_or(phone, |dir| self.number_of(&dir));
        Place { dir, phone, vault, opening: self.openings }
    }

    /// The files of the app that calls its directory `base`, on the phone in hand.
    pub(crate) fn dir(&self, base: &Path) -> PathBuf {
        self.dir_of(base, self.in_hand.as_deref())
    }

    pub(crate) fn merchant_id(&self) -> Option<&str> {
        self.others.get(self.in_hand.as_ref()?)?.merchant_id.as_deref()
    }

    fn dir_of(&self, base: &Path, name: Option<&str>) -> PathBuf {
        // Only the files of the first lie in its directory itself, and only files are ever copied or removed.
        match name.filter(|name| *name != FIRST && self.base.as_deref() == Some(base)) {
            Some(name) => base.join(name),
            None => base.to_owned(),
        }
    }

    fn number_of(&mut self, dir: &Path) -> u64 {
        let known = self.dirs.iter().position(|known| known == dir);
        let number = known.unwrap_or_else(|| {
            self.dirs.push(dir.to_owned());
            self.dirs.len() - 1
        });
        number as u64
    }

    /// What the phone's owner does with it: the paths are listed with the days at the market.
    pub(crate) fn ask(&mut self, world: &Surroundings, path: &str, body: &str) -> Result<Value, TakingsError> {
        let asked: Value = serde_json::from_str(body).map_err(|_| refused("the body is no JSON"))?;
        let base = self.base.clone().ok_or_else(|| refused("no app was opened yet"))?;
        let dir = self.dir(&base);
        match path {
            "/world/phone" => self.take(&asked)?,
            "/world/key_store" => *lock(&world.key_store_is_locked) = flag(&asked, "locked")?,
            "/world/disk" => match asked.get("free_bytes").and_then(Value::as_u64) {
                Some(bytes) => drop(lock(&FREE_BYTES).insert(dir, bytes)),
                None => drop(lock(&FREE_BYTES).remove(&dir)),
            },
            "/world/files" => return files(&asked, &dir, |name| self.dir_of(&base, Some(name))),
            "/world/at_stake" => return at_stake(&dir),
            "/world/reader" => moods::set(&lock(&world.readers), &asked)?,
            "/world/lost_requests" => return Ok(world.deliver_lost_requests()),
            _ => return Err(refused("no such path")),
        }
        Ok(json!({}))
    }

    fn take(&mut self, asked: &Value) -> Result<(), TakingsError> {
        let word = |name: &str| asked.get(name).and_then(Value::as_str).map(str::to_owned);
        let name =
            word("name").filter(|name| is_plain(name)).ok_or_else(|| refused("name: small letters are needed"))?;
        if name == FIRST {
            self.in_hand = None;
            return Ok(());
        }
        let other = self.others.entry(name.clone()).or_default();
        other.merchant_id = word("merchant_id").or_else(|| other.merchant_id.take());
        other.vault_of = word("vault_of").or_else(|| other.vault_of.take());
        self.in_hand = Some(name);
        Ok(())
    }
}

pub(super) fn refused(why: &str) -> TakingsError {
    TakingsError::fix_input("admin", why)
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn flag(asked: &Value, name: &str) -> Result<bool, TakingsError> {
    asked.get(name).and_then(Value::as_bool).ok_or_else(|| refused("true or false is needed"))
}

/// What is done to the files of a phone whose app is shut; answers which there are, SQLite's own beside the ledger left
/// out: when those go is SQLite's affair.
fn files(asked: &Value, dir: &Path, dir_of: impl Fn(&str) -> PathBuf) -> Result<Value, TakingsError> {
    let word = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let done = match word("action") {
        "copy_to" if is_plain(word("phone")) => copy(dir, &dir_of(word("phone"))),
        "clear" => clear(dir),
        action @ ("cut" | "rot") => {
            let file = names(dir).ok().filter(|names| names.iter().any(|name| name == word("file")));
            file.ok_or_else(|| refused("no such file"))?;
            let percent = asked.get("percent").and_then(Value::as_u64).unwrap_or(50).min(99);
            spoil(&dir.join(word("file")), percent, action == "cut")
        }
        "" => Ok(()),
        _ => return Err(refused("action: one of copy_to, clear, cut, rot is needed")),
    };
    let found = done.and_then(|()| names(dir)).map_err(|error| TakingsError::storage("io", error))?;
    let kept = found.into_iter().filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    Ok(json!({ "files": kept.collect::<Vec<_>>() }))
}

/// The plain files of a directory, in order.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

fn clear(dir: &Path) -> io::Result<()> {
    names(dir)?.iter().try_for_each(|name| fs::remove_file(dir.join(name)))
}

/// As a backup does it: afterwards the other has these files and no others.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    clear(to)?;
    names(from)?.iter().try_for_each(|name| fs::copy(from.join(name), to.join(name)).map(drop))
}

/// Cuts the file off at this part of its length, or flips one bit of each page from there on.
fn spoil(file: &Path, percent: u64, cut: bool) -> io::Result<()> {
    let mut bytes = fs::read(file)?;
    let at = usize::try_from(bytes.len() as u64 * percent / 100).unwrap_or(usize::MAX);
    if cut {
        bytes.truncate(at);
    } else {
        bytes.iter_mut().skip(at).step_by(PAGE_BYTES).for_each(|byte| *byte ^= 1);
    }
    fs::write(file, bytes)
}

/// What the witness says of a ledger that nobody can open.
fn at_stake(dir: &Path) -> Result<Value, TakingsError> {
    let Some(found) = Till::at_stake(dir)? else { return Ok(Value::Null) };
    let sums = found.unsent.iter();
    let sums = sums.map(|sum| json!({"currency": sum.currency, "count": sum.count, "amount_minor": sum.amount_minor}));
    Ok(json!({"events": found.events, "unsent": sums.collect::<Vec<_>>()}))
}

/// The app's vault: locked with the phone's key store.
pub(crate) struct DemoVault {
    pub(crate) key: Zeroizing<[u8; 32]>,
    pub(crate) world: Arc<Surroundings>,
}

impl KeyVault for DemoVault {
    fn load(&self) -> Result<Option<Vec<u8>>, TakingsError> {
        if *lock(&self.world.key_store_is_locked) {
            let detail = "the phone was not unlocked since it was started".to_owned();
            return Err(TakingsError::RetryLater { code: "locked".to_owned(), detail });
        }
        Ok(Some(self.key.to_vec()))
    }

    fn store(&self, _: Vec<u8>) -> Result<(), TakingsError> {
        Ok(())
    }
}

/// The device key: locked with the phone's key store.
pub(crate) struct DemoKey {
    pub(crate) key: SoftwareKey,
    pub(crate) world: Arc<Surroundings>,
}

impl DeviceSigner for DemoKey {
    fn public_jwk(&self) -> PublicJwk {
        self.key.public_jwk()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if *lock(&self.world.key_store_is_locked) {
            return Err(SignError("locked: the phone was not unlocked since it was started".to_owned()));
        }
        self.key.sign(message)
    }
}
