//! Taking a card: intent on disk, then the reader; the reader's answer on disk, then the screen.

use std::collections::BTreeMap;

use takings_domain::event::{
    Abandoned, AttemptEnd, AttemptEnded, AttemptStarted, ChargeMode, ChargeStarted, DuplicateOverridden, EraseReason,
    OfflineRefused, PaymentEvent,
};
use takings_domain::payment::Stage;
use takings_domain::policy::{self, BeforeCard, Refusal};
use takings_domain::settlement::local_date;
use takings_domain::{Currency, EntryMode, Money, Now, PaymentId};
use takings_readers::{ReaderAbout, ReaderSession, TimerId};
use takings_store::Transaction;

use super::book::Book;
use super::live::known;
use super::offline::ClockFacts;
use super::presenting::Presenting;
use super::reader::ReaderWords;
use super::{Effect, Engine, Line, Reply, Ticket};
use crate::charge::{ChargeOutcome, ChargeRequest};
use crate::error::TillError;

/// The largest amount a reader takes, minor units: EMV writes it in twelve digits.
const MAX_READER_AMOUNT_MINOR: i64 = 999_999_999_999;
/// The longest order reference and operator's name that the contract carries, in bytes of UTF-8.
const MAX_TEXT_BYTES: usize = 64;

/// A charge whose card is still awaited, or whose outcome somebody waits for.
pub(super) struct OpenCharge {
    pub(super) operator: Option<String>,
    pub(super) amount: Money,
    /// The session with the reader, of whatever kind, and the generation of its link.
    pub(super) reader: Option<(u32, Box<dyn ReaderSession>)>,
    /// The largest generation so far.
    pub(super) last_generation: Option<u32>,
    pub(super) timers: BTreeMap<TimerId, i64>,
    pub(super) attempt_open: bool,
    /// How often the reader was lost before the card.
    pub(super) losses: u8,
    /// What of its reader's state was put on record while it was open.
    pub(super) reader_words: ReaderWords,
    /// Which presentation of a card this is, and what the next may use.
    pub(super) presenting: Presenting,
    /// The card, once it was read.
    pub(super) card_read: Option<ReadCard>,
    /// The reader took back an end, or told of another payment than this: said once.
    pub(super) contradicted: bool,
    /// Somebody asked to stop: no presentation begins any more.
    pub(super) cancel_asked: bool,
    /// The reader is driven by its vendor's SDK.
    pub(super) is_vendors: bool,
    /// What the reader of this charge said of itself.
    pub(super) about: Option<ReaderAbout>,
    /// What the reader said after the card, until it is written down: with the answer, or at the end.
    pub(super) last_words: Vec<PaymentEvent>,
    pub(super) outcome: Option<ChargeOutcome>,
    pub(super) waiting: Vec<Ticket>,
    /// Nobody holds it any more.
    pub(super) left: bool,
}

/// What is known of the card while its charge is open.
pub(super) struct ReadCard {
    pub(super) entry_mode: EntryMode,
    pub(super) last_four: String,
}

impl OpenCharge {
    /// Of the connection that is there.
    pub(super) fn generation(&self) -> Option<u32> {
        self.reader.as_ref().map(|(generation, _)| *generation)
    }

    pub(super) fn is_decided(&self) -> bool {
        self.outcome.is_some()
    }

    fn new(operator: Option<String>, amount: Money) -> Self {
        Self {
            operator,
            amount,
            reader: None,
            last_generation: None,
            timers: BTreeMap::new(),
            attempt_open: true,
            losses: 0,
            reader_words: ReaderWords::default(),
            presenting: Presenting::default(),
            card_read: None,
            contradicted: false,
            cancel_asked: false,
            is_vendors: false,
            about: None,
            last_words: Vec::new(),
            outcome: None,
            waiting: Vec::new(),
            left: false,
        }
    }
}

impl Engine {
    /// A charge that may go live belongs to the batch in force: where the session is over and there is reason to hope
    /// for a line, one is opened first, while the customer fetches the card.
    pub(super) fn ask_charge(&mut self, ticket: Ticket, request: ChargeRequest, now: Now) {
        let hopeful = self.line != Line::Down && self.state.session.is_some() && self.can_go_live(now);
        let hopeful = hopeful && !self.session_is_hopeless();
        if request.mode != ChargeMode::Offline && hopeful && !self.has_session(now) && self.writable().is_ok() {
            self.waiting_charges.push((ticket, request));
            return self.open_session(now);
        }
        let reply = self.charge(request, now).map(Reply::Charging);
        self.effects.push(Effect::Reply(ticket, reply));
    }

    /// There is a session, or there will be none: the charges that waited for it begin.
    pub(super) fn begin_waiting_charges(&mut self, now: Now) {
        for (ticket, request) in std::mem::take(&mut self.waiting_charges) {
            let reply = self.charge(request, now).map(Reply::Charging);
            self.effects.push(Effect::Reply(ticket, reply));
        }
    }

    /// Writes the intent down and opens a charge. What the policy refuses before the card is on record, too.
    pub(super) fn charge(&mut self, request: ChargeRequest, now: Now) -> Result<PaymentId, TillError> {
        self.writable()?;
        let amount = asked_amount(&request)?;
        self.ledger.room_for_charge()?;
        let session =
            self.state.session.clone().ok_or_else(|| TillError::sign_in("never_signed_on", "sign on first"))?;
        let terms = self.documents.terms.as_ref();
        let zone = terms.map(|terms| terms.timezone).ok_or_else(|| TillError::sign_in("no_terms", "sign on first"))?;
        let captured_on =
            local_date(zone, self.server_ms(now)).map_err(|error| TillError::fix_input("clock", error))?;
        let payment_id = PaymentId::from_parts(now.wall_ms, self.random());
        let attempt_id = self.new_attempt(now);
        let clock = self.clock_facts(now);
        let policy = self.documents.policy.as_ref();
        let mut tx = self.ledger.begin()?;
        let repeated = repeats(&mut tx, &request)?;
        let refused = (request.mode == ChargeMode::Offline)
            .then(|| before_card(&mut tx, policy, amount, &clock))
            .transpose()?
            .flatten();
        let stan = tx.next_stan()?;
        #[cfg(feature = "planted")]
        let stan = match std::mem::replace(&mut self.planted.numbered, true) {
            false if takings_domain::planted::is("stan_reused_after_restart") => stan.saturating_sub(1).max(1),
            _ => stan,
        };
        let operator = request.operator.as_deref();
        let mut append = |event| tx.append_payment(now, operator, payment_id, event);
        append(
            ChargeStarted {
                payment_id,
                amount,
                order_reference: request.order_reference.clone(),
                stan,
                batch_number: session.batch_number,
                captured_on,
                mode: request.mode,
                policy_version: policy.map(|policy| policy.version.clone()),
            }
            .into(),
        )?;
        if let Some(other) = repeated {
            append(DuplicateOverridden { other }.into())?;
        }
        match &refused {
            Some(refusal) => append(OfflineRefused { rule: refusal.rule.as_str().to_owned() }.into())?,
            None => append(AttemptStarted { attempt_id, reader_serial: None }.into())?,
        };
        tx.commit()?;
        let mut open = OpenCharge::new(request.operator, amount);
        open.outcome = refused.map(|refusal| refused_outcome(&refusal));
        self.charges.insert(payment_id, open);
        #[cfg(feature = "planted")]
        self.drop_batch_under_way();
        Ok(payment_id)
    }

    /// The presentation brought no card. Where it cannot go on, the charge is given up: nothing is charged.
    pub(super) fn end_attempt(
        &mut self,
        id: PaymentId,
        why: AttemptEnd,
        give_up: bool,
        now: Now,
    ) -> Result<(), TillError> {
        self.end_attempts(id, why, give_up.then_some(why), now)
    }

    /// The same, where the charge is given up for another reason than this attempt ended.
    pub(super) fn end_attempts(
        &mut self,
        id: PaymentId,
        why: AttemptEnd,
        given_up_for: Option<AttemptEnd>,
        now: Now,
    ) -> Result<(), TillError> {
        let Some(charge) = self.charges.get(&id) else { return Ok(()) };
        if charge.card_read.is_some() || charge.outcome.is_some() {
            return Ok(());
        }
        let (operator, open) = (charge.operator.clone(), charge.attempt_open);
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        if payment.is_closed() {
            // Its end is on record: the commit that failed was kept, or it was settled since.
            drop(tx);
            self.decide(id, given_up(payment.abandoned.unwrap_or(why)));
            return Ok(());
        }
        if open {
            tx.append_payment(now, operator.as_deref(), id, AttemptEnded { why }.into())?;
        }
        if let Some(why) = given_up_for {
            tx.append_payment(now, operator.as_deref(), id, Abandoned { why }.into())?;
        }
        tx.commit()?;
        if let Some(charge) = self.charges.get_mut(&id) {
            charge.attempt_open = false;
        }
        if let Some(why) = given_up_for {
            self.decide(id, given_up(why));
        }
        Ok(())
    }

    /// Tells everybody who waits how the charge stands. Only called after the commit that makes it so.
    pub(super) fn decide(&mut self, id: PaymentId, outcome: ChargeOutcome) {
        let Some(charge) = self.charges.get_mut(&id) else { return };
        charge.outcome = Some(outcome.clone());
        for ticket in std::mem::take(&mut charge.waiting) {
            self.effects.push(Effect::Reply(ticket, Ok(Reply::Outcome(outcome.clone()))));
        }
        self.forget_left(id);
    }

    /// Nobody knows yet how this charge ends, and somebody would like to.
    pub(super) fn waits_for_answer(&self, id: PaymentId) -> bool {
        let charge = self.charges.get(&id);
        charge.is_some_and(|charge| matches!(charge.outcome, None | Some(ChargeOutcome::NotConfirmed)))
    }

    /// The shell let go of the charge. Before the card it is given up; a card that was read takes its course.
    pub(super) fn leave(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        charge.left = true;
        let before_card = charge.card_read.is_none();
        let ended = if before_card { self.end_attempt(id, AttemptEnd::Cancelled, true, now) } else { Ok(()) };
        let done = ended.and_then(|()| self.write_held(id, now));
        if done.is_err() && before_card {
            // Nobody holds it any more, and that could not be written down: it is settled like what a crash left open.
            self.left_open = true;
            self.decide(id, ChargeOutcome::NotConfirmed);
        }
        self.forget_left(id);
        done
    }

    fn forget_left(&mut self, id: PaymentId) {
        if self.charges.get(&id).is_some_and(|charge| charge.left && charge.outcome.is_some()) {
            self.charges.remove(&id);
            self.repeated.remove(&id);
        }
    }

    /// Replies now if the charge is decided, else when it is.
    pub(super) fn ask_outcome(&mut self, ticket: Ticket, id: PaymentId) {
        let reply = match self.charges.get_mut(&id) {
            None => Err(TillError::not_found("charge", "this charge is over")),
            Some(charge) => match charge.outcome.clone() {
                Some(outcome) => Ok(Reply::Outcome(outcome)),
                None => return charge.waiting.push(ticket),
            },
        };
        self.effects.push(Effect::Reply(ticket, reply));
    }

    pub(super) fn operator_of(&self, id: PaymentId) -> Option<String> {
        self.charges.get(&id).and_then(|charge| charge.operator.clone())
    }
}

fn asked_amount(request: &ChargeRequest) -> Result<Money, TillError> {
    let currency = Currency::from_code(&request.currency).map_err(|error| TillError::fix_input("currency", error))?;
    if request.amount_minor <= 0 {
        return Err(TillError::fix_input("amount", "the amount must be above zero"));
    }
    if request.amount_minor > MAX_READER_AMOUNT_MINOR {
        return Err(TillError::fix_input("amount", "the amount has more than twelve digits"));
    }
    if let Some(order) = &request.order_reference
        && (order.is_empty() || order.len() > MAX_TEXT_BYTES || order.chars().any(char::is_control))
    {
        return Err(TillError::fix_input("order_reference", "1 to 64 bytes of printable text"));
    }
    if let Some(operator) = &request.operator
        && (operator.is_empty() || operator.len() > MAX_TEXT_BYTES || operator.chars().any(char::is_control))
    {
        return Err(TillError::fix_input("operator", "1 to 64 bytes of printable text"));
    }
    Money::new(request.amount_minor, currency).map_err(|error| TillError::fix_input("amount", error))
}

/// The guard against charging an order twice: the other payment, if the merchant insists.
fn repeats(tx: &mut Transaction<'_>, request: &ChargeRequest) -> Result<Option<PaymentId>, TillError> {
    let Some(order) = &request.order_reference else { return Ok(None) };
    for other in tx.payments_of_order(order)? {
        let Some(payment) = tx.payment(other)? else { continue };
        let stage = takings_domain::payment::base(&payment, None).stage;
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("duplicate_guard_sees_approved_only") && stage != Stage::Approved {
            continue;
        }
        if stage == Stage::NotCharged {
            continue;
        }
        if request.charge_again {
            return Ok(Some(other));
        }
        return Err(TillError::ask_merchant("order_already_charged", other));
    }
    Ok(None)
}

/// What the screen says of a charge without a card, as the lists call it.
fn given_up(why: AttemptEnd) -> ChargeOutcome {
    let interrupted = matches!(why, AttemptEnd::LinkLost | AttemptEnd::Interrupted);
    let cause = if interrupted { "interrupted" } else { "abandoned" };
    ChargeOutcome::NotCharged { cause: cause.to_owned(), detail: Some(why.as_str().to_owned()) }
}

/// The policy's first judgement; none means it allows.
pub(super) fn before_card(
    tx: &mut Transaction<'_>,
    policy: Option<&takings_domain::RiskPolicy>,
    amount: Money,
    clock: &ClockFacts,
) -> Result<Option<Refusal>, TillError> {
    let exposure = tx.exposure(amount.currency())?;
    let asked = BeforeCard {
        amount,
        open_count: exposure.count,
        open_total: exposure.total,
        oldest_open_age_ms: clock.oldest_age_ms(&exposure),
        trusted_age_ms: clock.trusted_age_ms,
        now_pessimistic_ms: clock.now_pessimistic_ms,
    };
    Ok(policy::before_card(policy, &asked).err())
}

pub(super) fn refused_outcome(refusal: &Refusal) -> ChargeOutcome {
    ChargeOutcome::NotCharged { cause: "offline_refused".to_owned(), detail: Some(refusal.rule.as_str().to_owned()) }
}

/// Erases the ciphertext with the event that says so, if any is held.
pub(super) fn erase_blob(
    tx: &mut Transaction<'_>,
    now: Now,
    operator: Option<&str>,
    id: PaymentId,
    why: EraseReason,
) -> Result<(), TillError> {
    if tx.payment(id)?.is_some_and(|payment| payment.blob_held) {
        tx.append_payment(now, operator, id, takings_domain::event::BlobErased { why }.into())?;
        tx.erase_card_blob(id)?;
    }
    Ok(())
}
