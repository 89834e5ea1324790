//! The signed documents the till lives by: policy, terms, calendar.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use sha2::{Digest, Sha256};
use takings_acquirers::{KeyRing, Operation, SignedDocument, Value, decode_keys};
use takings_domain::event::{CalendarAdopted, LedgerEvent, PolicyAdopted, TermsAdopted};
use takings_domain::settlement::local_date;
use takings_domain::{Calendar, Now, RiskPolicy, SettlementTerms};

use super::Engine;
use super::book::Book;
use super::exchange::Heard;
use super::session::KEYS_META;
use super::trouble::Trouble;
use crate::error::TillError;
use crate::hex;

/// The calendar asked for begins so many days before today …
const CALENDAR_BACK_DAYS: u64 = 40;

/// … and ends so many after it: together less than the contract's 400.
const CALENDAR_AHEAD_DAYS: u64 = 330;

/// Kinds of documents that changed at the acquirer and were not read since, by their words.
const STALE_META: &str = "documents_stale";

/// A signed document of the acquirer's that the till lives by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DocumentKind {
    Policy,
    Terms,
    Calendar,
}

impl DocumentKind {
    pub(super) const ALL: [Self; 3] = [Self::Policy, Self::Terms, Self::Calendar];

    /// The kind of this name, as the feed writes it, too.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Terms => "terms",
            Self::Calendar => "calendar",
        }
    }
}

/// The documents in force, read and verified.
#[derive(Default)]
pub(super) struct Documents {
    /// Changed at the acquirer, and not read since; also on disk, because the hint that said so is followed.
    stale: BTreeSet<DocumentKind>,
    pub(super) policy: Option<RiskPolicy>,
    pub(super) terms: Option<SettlementTerms>,
    calendar: Option<Calendar>,
    etags: [Option<String>; 3],
}

impl Documents {
    /// What was never heard, or changed since.
    pub(super) fn wanted(&self) -> BTreeSet<DocumentKind> {
        let wanted = |kind: &DocumentKind| self.etag(*kind).is_none() || self.stale.contains(kind);
        DocumentKind::ALL.into_iter().filter(wanted).collect()
    }

    /// From now on what the acquirer says of it is heard anew.
    pub(super) fn is_asked_for(&mut self, kind: DocumentKind) {
        self.stale.remove(&kind);
    }

    /// It could not be had: the next contact asks again.
    pub(super) fn is_still_wanted(&mut self, kind: DocumentKind) {
        self.stale.insert(kind);
    }

    pub(super) fn etag(&self, kind: DocumentKind) -> Option<&String> {
        self.etags[kind as usize].as_ref()
    }

    /// The acquirer's calendar, else the built-in one of its zone.
    pub(super) fn calendar(&self) -> Option<Calendar> {
        let terms = self.terms.as_ref()?;
        Some(self.calendar.clone().unwrap_or_else(|| Calendar::built_in(terms.timezone)))
    }
}

impl Engine {
    pub(super) fn document_question(&self, kind: DocumentKind, now: Now) -> Operation {
        let if_none_match = self.documents.etag(kind).cloned();
        match kind {
            DocumentKind::Policy => Operation::RiskPolicy { if_none_match },
            DocumentKind::Terms => Operation::Terms { if_none_match },
            DocumentKind::Calendar => {
                let (from, to) = self.calendar_range(now);
                Operation::Calendar { from, to, if_none_match }
            }
        }
    }

    fn calendar_range(&self, now: Now) -> (NaiveDate, NaiveDate) {
        let zone = self.documents.terms.as_ref().map(|terms| terms.timezone);
        let today = zone.and_then(|zone| local_date(zone, self.server_ms(now)).ok());
        let today = today.or_else(|| self.state.session.as_ref().map(|session| session.business_date));
        let today = today.unwrap_or_default();
        let from = today.checked_sub_days(Days::new(CALENDAR_BACK_DAYS)).unwrap_or(today);
        (from, today.checked_add_days(Days::new(CALENDAR_AHEAD_DAYS)).unwrap_or(today))
    }

    /// A document, or the word that it is the one we have.
    pub(super) fn on_document(&mut self, kind: DocumentKind, heard: Heard, now: Now) -> Result<(), TillError> {
        let done = self.read_new(kind, heard, now);
        match &done {
            Ok(()) => self.keep_stale(BTreeSet::new())?,
            Err(_) => self.documents.is_still_wanted(kind),
        }
        done
    }

    /// Documents that changed at the acquirer are on disk before the hint counts as followed.
    pub(super) fn keep_stale(&mut self, more: BTreeSet<DocumentKind>) -> Result<(), TillError> {
        self.documents.stale.extend(more);
        let words: Vec<&str> = self.documents.stale.iter().map(|kind| kind.as_str()).collect();
        let mut tx = self.ledger.begin()?;
        if tx.kept_text(STALE_META)?.unwrap_or_default() != words.join(",") {
            tx.set_meta(STALE_META, words.join(",").as_bytes())?;
            tx.commit()?;
        }
        Ok(())
    }

    fn read_new(&mut self, kind: DocumentKind, heard: Heard, now: Now) -> Result<(), TillError> {
        match heard {
            Heard::Value(Value::RiskPolicy(document)) => {
                let policy = &document.policy;
                self.belongs_to_us(&policy.merchant_id, Some(&policy.terminal_id))?;
                let (version, valid_until_ms) = (policy.version.clone(), Some(policy.valid_until_ms));
                let valid_from_ms = policy.valid_from_ms;
                self.adopt(kind, &document.signed, now, |digest| {
                    PolicyAdopted { version, digest, valid_from_ms, valid_until_ms }.into()
                })
            }
            Heard::Value(Value::Terms(document)) => {
                let terms = &document.terms;
                self.belongs_to_us(&terms.merchant_id, None)?;
                let (version, valid_from_ms) = (terms.version.clone(), terms.valid_from_ms);
                let valid_until_ms = terms.valid_until_ms;
                self.adopt(kind, &document.signed, now, |digest| {
                    TermsAdopted { version, digest, valid_from_ms, valid_until_ms }.into()
                })
            }
            Heard::Value(Value::Calendar(document)) => {
                let (version, valid_from_ms) = (document.version.clone(), day_ms(document.from));
                let valid_until_ms = Some(day_ms(document.to));
                self.adopt(kind, &document.signed, now, |digest| {
                    CalendarAdopted { version, digest, valid_from_ms, valid_until_ms }.into()
                })
            }
            Heard::Value(_) | Heard::NotModified => Ok(()),
        }
    }

    fn belongs_to_us(&self, merchant_id: &str, terminal_id: Option<&str>) -> Result<(), TillError> {
        let ours = self.state.activated.as_ref().is_some_and(|activated| {
            activated.merchant_id == merchant_id && terminal_id.is_none_or(|id| id == activated.terminal_id)
        });
        if ours { Ok(()) } else { Err(TillError::retry_later("unverified", "a document of another terminal")) }
    }

    /// Keeps a verified document under its digest, with the event that puts it in force if it is another one.
    fn adopt(
        &mut self,
        kind: DocumentKind,
        signed: &SignedDocument,
        now: Now,
        event: impl FnOnce(String) -> LedgerEvent,
    ) -> Result<(), TillError> {
        let digest = hex::encode(&Sha256::digest(signed.body.as_bytes()));
        let bytes = document_bytes(signed)?;
        let in_force = self.digest_in_force(kind);
        self.write_ledger(|tx| {
            tx.put_reference(&digest, kind.as_str(), &bytes)?;
            if in_force.as_deref() != Some(digest.as_str()) {
                tx.append_ledger(now, None, event(digest))?;
            }
            Ok(())
        })?;
        self.read_document(kind, signed)
    }

    pub(super) fn digest_in_force(&self, kind: DocumentKind) -> Option<String> {
        match kind {
            DocumentKind::Policy => self.state.policy.as_ref().map(|adopted| adopted.digest.clone()),
            DocumentKind::Terms => self.state.terms.as_ref().map(|adopted| adopted.digest.clone()),
            DocumentKind::Calendar => self.state.calendar.as_ref().map(|adopted| adopted.digest.clone()),
        }
    }

    fn read_document(&mut self, kind: DocumentKind, signed: &SignedDocument) -> Result<(), TillError> {
        let unreadable = |error: &dyn std::fmt::Display| TillError::storage("document", error);
        let body = signed.body.as_bytes();
        match kind {
            DocumentKind::Policy => {
                self.documents.policy = Some(RiskPolicy::parse(body).map_err(|error| unreadable(&error))?);
            }
            DocumentKind::Terms => {
                self.documents.terms = Some(SettlementTerms::parse(body).map_err(|error| unreadable(&error))?);
            }
            DocumentKind::Calendar => {
                self.documents.calendar = Some(Calendar::parse(body).map_err(|error| unreadable(&error))?);
            }
        }
        self.documents.etags[kind as usize].clone_from(&signed.etag);
        if let Some((terms, calendar)) = self.documents.terms.clone().zip(self.documents.calendar()) {
            self.outlook.set(terms, calendar);
        }
        Ok(())
    }

    /// At opening: the kept keys and documents, each verified again. What does not hold is asked for anew.
    pub(super) fn load_documents(&mut self) -> Result<(), TillError> {
        let Some(activated) = &self.state.activated else { return Ok(()) };
        let root = hex::decode(&activated.root_key).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let Some(root) = root else { return Err(TillError::storage("root_key", "the root key cannot be read")) };
        let mut ring = KeyRing::new(root);
        let mut tx = self.ledger.begin()?;
        let kept = match tx.kept_text(KEYS_META)? {
            Some(digest) => tx.reference(&digest)?.and_then(|bytes| document(&bytes)),
            None => None,
        };
        let mut documents = Vec::new();
        let stale = tx.kept_text(STALE_META)?.unwrap_or_default();
        for kind in DocumentKind::ALL {
            if stale.split(',').any(|word| word == kind.as_str()) {
                self.documents.stale.insert(kind);
            }
            let adopted = match kind {
                DocumentKind::Policy => self.state.policy.as_ref().map(|adopted| &adopted.digest),
                DocumentKind::Terms => self.state.terms.as_ref().map(|adopted| &adopted.digest),
                DocumentKind::Calendar => self.state.calendar.as_ref().map(|adopted| &adopted.digest),
            };
            if let Some(digest) = adopted {
                documents.extend(tx.reference(digest)?.and_then(|bytes| document(&bytes)).map(|kept| (kind, kept)));
            }
        }
        drop(tx);
        self.root_ring = Some(ring.clone());
        if let Some(keys) = kept.and_then(|kept| decode_keys(&kept, &ring).ok()) {
            ring.replace(keys);
            for (kind, signed) in documents.iter().filter(|(_, signed)| ring.verify(signed).is_ok()) {
                self.read_document(*kind, signed)?;
            }
            self.keys = Some(ring);
        }
        Ok(())
    }

    /// A document could not be had: this contact goes on without it, the next one asks again. Without it less may be
    /// accepted offline, but nothing that waits has to wait longer. Where new keys or a session come first, it is asked for
    /// once more after them.
    pub(super) fn forgo_document(&mut self, kind: DocumentKind, trouble: &Trouble) {
        self.documents.is_still_wanted(kind);
        if let Some(run) = &mut self.run
            && run.asks_again(trouble)
        {
            run.documents.insert(kind);
        }
    }
}

pub(super) fn document_bytes(signed: &SignedDocument) -> Result<Vec<u8>, TillError> {
    serde_json::to_vec(signed).map_err(|error| TillError::internal("document", error))
}

pub(super) fn document(bytes: &[u8]) -> Option<SignedDocument> {
    serde_json::from_slice(bytes).ok()
}

fn day_ms(date: NaiveDate) -> i64 {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}
