//! Who we are to the acquirer: keys, activation, session, and the signed documents in force.

use sha2::{Digest, Sha256};
use takings_acquirers::report::{KeySet, LedgerHead, SignOnReport, TerminalReport};
use takings_acquirers::{Activation, ActivationCode, KeyRing, Operation, SignOn};
use takings_domain::event::{Activated, ActivationStarted, HistoryLost, SignedOn};
use takings_domain::settlement::business_date;
use takings_domain::{Now, OperationId};

use super::book::Book;
use super::documents::{DocumentKind, document_bytes};
use super::run::{Run, Wanted};
use super::trouble::Trouble;
use super::{Effect, Engine, Ticket};
use crate::error::TillError;
use crate::hex;
use crate::views::{ActivationView, SignOnView};

/// How long a contact for signing on may last, milliseconds.
pub(super) const SIGN_ON_BUDGET_MS: i64 = 60_000;
/// Where the kept list of the acquirer's keys is named.
pub(super) const KEYS_META: &str = "keys_digest";
/// What the list of keys is called among the documents that are kept.
pub(super) const KEYS: &str = "keys";

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
        let mut tx = self.ledger.begin()?;
        let (unsent, oldest_ms) = (tx.unsent()?, tx.oldest_unsent_ms()?);
        let count: u64 = unsent.iter().map(|(count, _)| count).sum();
        Ok(Operation::SignOn(SignOn {
            request_id,
            app_version: self.app_version.clone(),
            device_ms: now.wall_ms,
            queue_count: u32::try_from(count).unwrap_or(u32::MAX),
            queue_totals: unsent.iter().map(|(_, total)| *total).collect(),
            queue_oldest_captured_at_ms: oldest_ms,
            ledger_head: ledger_id.map(|ledger_id| LedgerHead { ledger_id, seq, hash }),
        }))
    }

    /// The list of keys, signed by the root: believed from now on, and kept.
    pub(super) fn on_keys(&mut self, set: KeySet) -> Result<(), TillError> {
        let Some(mut ring) = self.ring().cloned() else { return Ok(()) };
        ring.replace(set.keys);
        let bytes = document_bytes(&set.signed)?;
        let mut tx = self.ledger.begin()?;
        let digest = hex::encode(&Sha256::digest(&bytes));
        tx.put_reference(&digest, KEYS, &bytes)?;
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
        self.write_activated(activated, terminal, now)
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
        self.told_clock = None;
        self.session_refused = false;
        let ours = self.state.opened.as_ref().map(|opened| opened.ledger_id);
        #[cfg(feature = "planted")]
        let ours = ours.filter(|_| !takings_domain::planted::is("tail_loss_unnoticed"));
        if let Some(witness) = report.witness.filter(|witness| Some(witness.ledger_id) == ours) {
            self.hear_witness(&witness, now)?;
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

    /// The acquirer remembers this ledger as it was at an earlier sign-on. If that is not how it stands here, history was lost: the
    /// end of it, or, where others were written since, another end.
    fn hear_witness(&mut self, witness: &LedgerHead, now: Now) -> Result<(), TillError> {
        if witness.seq == 0 || self.ledger.hash_at(witness.seq)? == Some(witness.hash) {
            return Ok(());
        }
        let found_seq = self.ledger.last_seq();
        self.missing_events = self.missing_events.max(witness.seq.saturating_sub(found_seq).max(1));
        // Until our own end is the longest it says the same at every sign-on; said once is enough.
        if self.state.lost.as_ref().is_some_and(|(_, lost)| lost.witness_seq >= witness.seq) {
            return Ok(());
        }
        let lost = HistoryLost { witness_seq: witness.seq, found_seq, unsent: Vec::new() };
        self.append_ledger(now, lost.into())
    }

    /// Keys, activation or session could not be had: the run stops; the next one tries again.
    pub(super) fn control_trouble(&mut self, trouble: &Trouble) {
        let error = trouble.error();
        // A sign-on that is refused like an ended session is asked for once more, and not without end.
        let again = |run: &Run| (trouble.wants_sign_on() && run.signs_on_again()) || run.need_keys;
        let retried = (trouble.wants_sign_on() || trouble.wants_keys()) && self.run.as_ref().is_some_and(again);
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
