//! Who we are to the acquirer: keys, activation, session, and the signed documents in force.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use sha2::{Digest, Sha256};
use takings_acquirers::report::{KeySet, LedgerHead, SignOnReport, TerminalReport};
use takings_acquirers::{Activation, ActivationCode, KeyRing, Operation, SignOn, SignedDocument, Value, decode_keys};
use takings_domain::event::{
    Activated, ActivationStarted, CalendarAdopted, LedgerEvent, PolicyAdopted, SignedOn, TermsAdopted,
};
use takings_domain::settlement::{business_date, local_date};
use takings_domain::{Calendar, Now, OperationId, RiskPolicy, SettlementTerms};

use super::book::Book;
use super::exchange::{Heard, Trouble};
use super::run::{Run, Wanted};
use super::{Effect, Engine, Ticket};
use crate::error::TillError;
use crate::hex;
use crate::views::{ActivationView, SignOnView};

/// How long a contact for signing on may last, milliseconds.
pub(super) const SIGN_ON_BUDGET_MS: i64 = 60_000;
/// The calendar asked for begins so many days before today …
const CALENDAR_BACK_DAYS: u64 = 40;
/// … and ends so many after it: together less than the contract's 400.
const CALENDAR_AHEAD_DAYS: u64 = 330;
/// Where the kept list of the acquirer's keys is named.
const KEYS_META: &str = "keys_digest";

/// A signed document of the acquirer's that the till lives by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DocumentKind {
    Policy,
    Terms,
    Calendar,
}

impl DocumentKind {
    const ALL: [Self; 3] = [Self::Policy, Self::Terms, Self::Calendar];

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

/// Kinds of documents that changed at the acquirer and were not read since, by their words.
const STALE_META: &str = "documents_stale";

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

    fn etag(&self, kind: DocumentKind) -> Option<&String> {
        self.etags[kind as usize].as_ref()
    }

    /// The acquirer's calendar, else the built-in one of its zone.
    pub(super) fn calendar(&self) -> Option<Calendar> {
        let terms = self.terms.as_ref()?;
        Some(self.calendar.clone().unwrap_or_else(|| Calendar::built_in(terms.timezone)))
    }
}

impl Engine {
    /// A session is there and not over, by the acquirer's clock. With the cut-off another batch begins: a live payment
    /// of the old one would be refused.
    pub(super) fn session_valid(&self, now: Now) -> bool {
        let Some(session) = self.state.session.as_ref().filter(|_| !self.session_refused) else { return false };
        let now_ms = self.server_ms(now);
        let day = |at_ms| self.documents.terms.as_ref().and_then(|terms| business_date(terms, at_ms).ok());
        now_ms < session.sign_on_again_before_ms && day(session.server_ms) >= day(now_ms)
    }

    /// Whose signatures are believed: the listed keys, or while activating whatever the code's root signs.
    pub(super) fn ring(&self) -> Option<&KeyRing> {
        self.keys.as_ref().or(self.root_ring.as_ref())
    }

    /// Writes the activation down and sends it. The same code continues the same request.
    pub(super) fn activate(&mut self, ticket: Ticket, text: &str, now: Now) {
        match self.prepare_activation(text, now) {
            Ok(()) => self.begin_run(Wanted::Activate(ticket), SIGN_ON_BUDGET_MS, now),
            Err(error) => self.effects.push(Effect::Reply(ticket, Err(error))),
        }
    }

    fn prepare_activation(&mut self, text: &str, now: Now) -> Result<(), TillError> {
        self.writable()?;
        if self.state.activated.is_some() {
            return Err(TillError::fix_input("already_activated", "this ledger belongs to a terminal"));
        }
        if self.busy() {
            return Err(TillError::retry_later("busy", "another contact is under way"));
        }
        let code = ActivationCode::parse(text).map_err(|error| TillError::fix_input("activation_code", error))?;
        let code_sha256 = hex::encode(&Sha256::digest(code.to_text().as_bytes()));
        let known = self.state.activation.as_ref().is_some_and(|started| started.code_sha256 == code_sha256);
        if !known {
            let request_id = self.new_operation(now);
            self.append_ledger(now, ActivationStarted { request_id, code_sha256 }.into())?;
        }
        self.root_ring = Some(KeyRing::new(*code.root_key()));
        self.keys = None;
        self.pending = Some(code);
        Ok(())
    }

    /// A sign-on alone.
    pub(super) fn ask_sign_on(&mut self, ticket: Ticket, now: Now) {
        let refused = self.writable().err().or_else(|| match self.state.activated {
            None => Some(TillError::sign_in("not_activated", "activate first")),
            Some(_) if self.busy() => Some(TillError::retry_later("busy", "another contact is under way")),
            Some(_) => None,
        });
        match refused {
            Some(error) => self.effects.push(Effect::Reply(ticket, Err(error))),
            None => self.begin_run(Wanted::SignOn(ticket), SIGN_ON_BUDGET_MS, now),
        }
    }

    pub(super) fn activation(&self) -> Result<Operation, TillError> {
        let missing = || TillError::internal("activation", "no activation is under way");
        let code = self.pending.as_ref().ok_or_else(missing)?;
        let started = self.state.activation.as_ref().ok_or_else(missing)?;
        Ok(Operation::Activate(Activation {
            request_id: started.request_id,
            code: code.code().to_owned(),
            public_key: self.key.public_jwk(),
            app_version: self.app_version.clone(),
            platform: std::env::consts::OS.to_owned(),
        }))
    }

    pub(super) fn sign_on(&mut self, request_id: OperationId, now: Now) -> Result<Operation, TillError> {
        let ledger_id = self.state.opened.as_ref().map(|opened| opened.ledger_id);
        let (seq, hash) = (self.ledger.last_seq(), self.ledger.last_hash());
        let unsent = self.ledger.begin()?.unsent()?;
        let count: u64 = unsent.iter().map(|sum| u64::from(sum.count)).sum();
        Ok(Operation::SignOn(SignOn {
            request_id,
            app_version: self.app_version.clone(),
            device_ms: now.wall_ms,
            queue_count: u32::try_from(count).unwrap_or(u32::MAX),
            queue_totals: unsent.iter().map(|sum| sum.total).collect(),
            queue_oldest_captured_at_ms: unsent.iter().filter_map(|sum| sum.oldest_captured_at_ms).min(),
            ledger_head: ledger_id.map(|ledger_id| LedgerHead { ledger_id, seq, hash }),
        }))
    }

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

    /// The list of keys, signed by the root: believed from now on, and kept.
    pub(super) fn on_keys(&mut self, set: KeySet) -> Result<(), TillError> {
        let Some(mut ring) = self.ring().cloned() else { return Ok(()) };
        ring.replace(set.keys);
        let bytes = document_bytes(&set.signed)?;
        let mut tx = self.ledger.begin()?;
        let digest = hex::encode(&Sha256::digest(&bytes));
        tx.put_reference(&digest, "keys", &bytes)?;
        tx.set_meta(KEYS_META, digest.as_bytes())?;
        tx.commit()?;
        self.keys = Some(ring);
        if let Some(run) = &mut self.run {
            run.need_keys = false;
        }
        Ok(())
    }

    pub(super) fn on_activated(&mut self, terminal: &TerminalReport, now: Now) -> Result<(), TillError> {
        let Some(code) = self.pending.take() else { return Ok(()) };
        let activated = Activated {
            merchant_id: terminal.merchant_id.clone(),
            merchant_name: terminal.merchant_name.clone(),
            terminal_id: terminal.terminal_id.clone(),
            root_key: hex::encode(code.root_key()),
            alg: terminal.alg.clone(),
        };
        self.append_ledger(now, activated.into())
    }

    pub(super) fn on_signed_on(&mut self, report: &SignOnReport, now: Now) -> Result<(), TillError> {
        let ours = self.state.activated.as_ref().is_some_and(|activated| activated.terminal_id == report.terminal_id);
        if !ours {
            return Err(TillError::retry_later("unverified", "another terminal's session"));
        }
        let signed_on = SignedOn {
            session_id: report.session_id.clone(),
            batch_number: report.batch_number.clone(),
            business_date: report.business_date,
            server_ms: report.server_ms,
            offset_ms: report.server_ms.saturating_sub(now.wall_ms),
            sign_on_again_before_ms: report.sign_on_again_before_ms,
        };
        self.append_ledger(now, signed_on.into())?;
        self.correction_ms = 0;
        self.session_refused = false;
        let ours = self.state.opened.as_ref().map(|opened| opened.ledger_id);
        if let Some(witness) = report.witness.filter(|witness| Some(witness.ledger_id) == ours) {
            // Somebody else remembers more of this ledger than it holds: history was lost.
            let missing = witness.seq.saturating_sub(self.ledger.last_seq());
            self.missing_events = self.missing_events.max(missing);
        }
        self.feed.asked_for.extend(report.pending_inquiries.iter().copied());
        let etags = [&report.policy_etag, &report.terms_etag, &report.calendar_etag];
        if let Some(run) = &mut self.run {
            run.need_sign_on = false;
            run.signed_on = true;
            for (kind, etag) in DocumentKind::ALL.into_iter().zip(etags) {
                if self.documents.etag(kind) != Some(etag) {
                    run.documents.insert(kind);
                }
            }
        }
        Ok(())
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
        let mut tx = self.ledger.begin()?;
        tx.put_reference(&digest, kind.as_str(), &bytes)?;
        if in_force.as_deref() != Some(digest.as_str()) {
            tx.append_ledger(now, None, event(digest))?;
        }
        self.state = tx.ledger_state()?;
        tx.commit()?;
        self.read_document(kind, signed)
    }

    fn digest_in_force(&self, kind: DocumentKind) -> Option<String> {
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
    /// accepted offline, but nothing that waits has to wait longer.
    pub(super) fn forgo_document(&mut self, kind: DocumentKind, trouble: &Trouble) {
        self.documents.is_still_wanted(kind);
        let renewed = |run: &Run| (trouble.wants_sign_on() && run.need_sign_on) || run.need_keys;
        if let Some(run) = &mut self.run
            && !renewed(run)
        {
            run.documents.remove(&kind);
        }
    }

    /// Keys, activation or session could not be had: the run stops; the next one tries again.
    pub(super) fn control_trouble(&mut self, trouble: &Trouble) {
        let error = trouble.error();
        let again = |run: &Run| (trouble.wants_sign_on() && run.need_sign_on) || run.need_keys;
        let keys_are_old = matches!(trouble, Trouble::Unverified { unknown_key: true, .. });
        let retried = (trouble.wants_sign_on() || keys_are_old) && self.run.as_ref().is_some_and(again);
        if let Some(run) = &mut self.run
            && !retried
        {
            let why = if matches!(trouble, Trouble::Unverified { .. }) { "unverified" } else { "waiting" };
            run.stop(why, Some(error));
        }
    }

    pub(super) fn signed_on_view(&self) -> Result<SignOnView, TillError> {
        let session = self.state.session.as_ref();
        let session = session.ok_or_else(|| TillError::retry_later("no_answer", "the sign-on did not succeed"))?;
        Ok(SignOnView {
            business_date: session.business_date,
            batch_number: session.batch_number.clone(),
            policy_version: self.state.policy.as_ref().map(|adopted| adopted.version.clone()),
            terms_version: self.state.terms.as_ref().map(|adopted| adopted.version.clone()),
            calendar_version: self.state.calendar.as_ref().map(|adopted| adopted.version.clone()),
            offset_ms: session.offset_ms,
        })
    }

    pub(super) fn activation_view(&self) -> Result<ActivationView, TillError> {
        let activated = self.state.activated.as_ref();
        let activated =
            activated.ok_or_else(|| TillError::retry_later("no_answer", "the activation did not succeed"))?;
        Ok(ActivationView { merchant_id: activated.merchant_id.clone(), terminal_id: activated.terminal_id.clone() })
    }
}

fn document_bytes(signed: &SignedDocument) -> Result<Vec<u8>, TillError> {
    serde_json::to_vec(signed).map_err(|error| TillError::internal("document", error))
}

fn document(bytes: &[u8]) -> Option<SignedDocument> {
    serde_json::from_slice(bytes).ok()
}

fn day_ms(date: NaiveDate) -> i64 {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}
