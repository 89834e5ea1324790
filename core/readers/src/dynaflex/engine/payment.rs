//! One payment: from the start to the outcome, and a short while longer for what belongs to it.

use takings_domain::EntryMode;

use crate::dynaflex::card_data::{BLOB_FORMAT, CardKind, parse_arqc, parse_batch};
use crate::dynaflex::commands::{self, Command};
use crate::dynaflex::status::{Progress, Status};
use crate::interface::{LinkLoss, ReaderEvent, StartRequest, TimerId};
use crate::online_request::{BlobFormat, MAX_BLOB_LEN, OnlineRequest};
use crate::outcome::{Completion, Outcome, completion};
use crate::prompt::Prompt;
use crate::trouble::{Asked, Fault, ReaderError, Refusal};

use super::setup::Setup;
use super::{Reader, Session};

/// Beyond the reader's own timeout, in milliseconds.
const PAYMENT_GRACE_MS: u64 = 30_000;
/// How long what belongs to an ended payment may still come, in milliseconds.
const CLOSING_MS: u64 = 5_000;
/// How long the end may take once an overdue payment was cancelled, in milliseconds.
const OVERDUE_GRACE_MS: u64 = 10_000;

/// How long a reader that is still at the payment before has to come to its end, in milliseconds.
const BUSY_MS: u64 = 1_000;
/// So often it is asked again.
const MOST_BUSY: u8 = 3;
/// So many questions get time of their own: a reader that asks for ever does not last for ever.
const MOST_OFFERS: u8 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The start was not answered yet: whatever ends now is something older.
    Starting,
    Running,
}

/// The payment of one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payment {
    request: StartRequest,
    timeout_ms: u64,
    /// It began before what belongs to the one before had all come.
    follows: bool,
    /// How often the reader was still at the one before.
    busy: u8,
    /// The reader is asked to start again once the timer is due.
    waits_to_start: bool,
    /// Somebody wants it to end: it is not begun any more.
    cancel_asked: bool,
    phase: Phase,
    loss_seen: bool,
    overdue: bool,
    online_request_seen: bool,
    receipt_seen: bool,
    choices: Option<u8>,
    offers: u8,
    /// How it ends instead of going to the host: the card was read in a way that is not taken.
    overruled: Option<Outcome>,
    /// An end that needs card data which has not come yet.
    held: Option<[u8; 4]>,
    concluded: Option<(Outcome, Option<[u8; 4]>)>,
}

impl Payment {
    fn new(request: StartRequest, follows: bool) -> Self {
        Self {
            request,
            follows,
            busy: 0,
            waits_to_start: false,
            cancel_asked: false,
            timeout_ms: u64::from(request.timeout_s) * 1_000 + PAYMENT_GRACE_MS,
            phase: Phase::Starting,
            loss_seen: false,
            overdue: false,
            online_request_seen: false,
            receipt_seen: false,
            choices: None,
            offers: 0,
            overruled: None,
            held: None,
            concluded: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.concluded.is_none()
    }

    pub(super) fn note_loss(&mut self) {
        self.loss_seen = true;
    }

    pub(super) fn link_loss(&self) -> LinkLoss {
        match (self.is_open(), self.online_request_seen) {
            (false, _) => LinkLoss::Idle,
            (true, false) => LinkLoss::BeforeOnlineRequest,
            (true, true) => LinkLoss::AfterOnlineRequest,
        }
    }

    /// The reader is at the payment before: in a moment it may not be.
    fn starts_later(&mut self, refusal: Refusal) -> bool {
        let later = refusal == Refusal::Busy && self.follows && !self.cancel_asked && self.busy < MOST_BUSY;
        if later {
            self.busy += 1;
            self.waits_to_start = true;
        }
        later
    }

    /// Whether what the reader tells now can be about this payment. Its answer to the start comes
    /// first, unless that was lost.
    fn is_running(&self) -> bool {
        self.phase == Phase::Running || self.loss_seen
    }
}

impl Reader {
    pub(super) fn start(&mut self, request: StartRequest) -> Result<(), ReaderError> {
        match (self.session, &self.setup) {
            (Session::Over, _) => return Err(ReaderError::SessionOver),
            (Session::Up, Setup::Ready) => {}
            _ => return Err(ReaderError::NotReady),
        }
        if self.has_open_payment() {
            return Err(ReaderError::Busy);
        }
        request.check()?;
        let follows = self.payment.is_some();
        if follows {
            self.clear_timer(TimerId::Closing);
        }
        let payment = Payment::new(request, follows);
        self.set_timer(TimerId::Payment, payment.timeout_ms);
        self.payment = Some(payment);
        self.ask(Command::Start(request));
        Ok(())
    }

    pub(super) fn start_answered(&mut self, status: Status) {
        let Some(payment) = self.payment.as_mut().filter(|payment| payment.is_open()) else {
            return;
        };
        if status.is_ok() {
            payment.phase = Phase::Running;
            // A timer that what came before had set is not about this one.
            if payment.held.is_none() && payment.overruled.is_none() {
                self.clear_timer(TimerId::Closing);
            }
            self.tell(ReaderEvent::Started);
            return;
        }
        let refusal = status.refusal();
        if payment.starts_later(refusal) {
            return self.set_timer(TimerId::Closing, BUSY_MS);
        }
        if payment.cancel_asked && refusal == Refusal::Busy {
            return self.conclude(Outcome::Cancelled, None);
        }
        self.payment = None;
        self.clear_timer(TimerId::Payment);
        self.clear_timer(TimerId::Closing);
        self.tell(ReaderEvent::Refused { asked: Asked::Start, refusal });
        if status.progress() == Progress::Unlisted {
            self.ask_cancel();
        }
    }

    /// Whether it started is not known: end it, and wait for what the reader says.
    pub(super) fn start_unanswered(&mut self) {
        if let Some(payment) = self.payment.as_mut() {
            payment.phase = Phase::Running;
            self.ask_cancel();
        }
    }

    pub(super) fn cancel(&mut self) -> Result<(), ReaderError> {
        if self.session == Session::Over {
            return Err(ReaderError::SessionOver);
        }
        let Some(payment) = self.payment.as_mut().filter(|payment| payment.is_open()) else {
            return Err(ReaderError::NoPayment);
        };
        payment.cancel_asked = true;
        if self.take_back_start() {
            self.conclude(Outcome::Cancelled, None);
        } else {
            self.ask_cancel();
        }
        Ok(())
    }

    /// A start that the reader did not hear must not reach it later, when nobody waits for it any more.
    fn take_back_start(&mut self) -> bool {
        let waited = self.payment.as_mut().is_some_and(|payment| std::mem::take(&mut payment.waits_to_start));
        self.take_back(commands::START) || waited
    }

    fn ask_cancel(&mut self) {
        if !self.is_asking(commands::CANCEL) {
            self.ask(Command::Cancel);
        }
    }

    pub(super) fn cancel_answered(&mut self, status: Status) {
        // A start that was not sent yet has nothing to do with this cancel.
        let ours = |payment: &&mut Payment| payment.is_open() && payment.phase == Phase::Running;
        let Some(payment) = self.payment.as_mut().filter(ours) else { return };
        if status.is_ok() {
            // Its end comes now, or was lost.
            payment.overdue = true;
            return self.set_timer(TimerId::Payment, OVERDUE_GRACE_MS);
        }
        let refusal = status.refusal();
        self.tell(ReaderEvent::Refused { asked: Asked::Cancel, refusal });
        // Nothing runs, and no end was told: give it a moment, then it is unknown.
        if refusal == Refusal::NoTransaction {
            self.set_timer(TimerId::Closing, CLOSING_MS);
        }
    }

    pub(super) fn choose(&mut self, index: u8) -> Result<(), ReaderError> {
        if self.session == Session::Over {
            return Err(ReaderError::SessionOver);
        }
        match self.payment.as_mut().filter(|payment| payment.is_open()) {
            None => Err(ReaderError::NoPayment),
            Some(payment) if payment.choices.is_some_and(|count| index < count) => {
                payment.choices = None;
                self.ask(Command::Select(index));
                Ok(())
            }
            Some(_) => Err(ReaderError::NoSuchChoice),
        }
    }

    pub(super) fn choice_answered(&mut self, status: Status) {
        if !status.is_ok() {
            self.tell(ReaderEvent::Refused { asked: Asked::Choice, refusal: status.refusal() });
        }
    }

    /// The reader asks the cardholder; that starts the time of a step anew.
    pub(super) fn offer_choice(&mut self, items: Vec<String>) {
        let Some(payment) = self.payment.as_mut().filter(|payment| payment.is_open() && payment.is_running()) else {
            return;
        };
        payment.choices = u8::try_from(items.len()).ok();
        payment.offers = payment.offers.saturating_add(1);
        let (timeout_ms, in_time) = (payment.timeout_ms, !payment.overdue && payment.offers <= MOST_OFFERS);
        if in_time {
            self.set_timer(TimerId::Payment, timeout_ms);
        }
        self.tell(ReaderEvent::ChooseApplication(items));
    }

    pub(super) fn card_data(&mut self, technology: u8, body: &[u8]) {
        let payment = match self.payment.as_ref() {
            // Sent again: one payment makes one request.
            Some(payment) if payment.online_request_seen || payment.overruled.is_some() => return,
            Some(payment) if payment.is_open() && payment.is_running() => payment,
            _ => return self.fault(Fault::StrayCardData),
        };
        let Ok(data) = parse_arqc(body, technology, self.mask) else {
            return self.fault(Fault::CardData);
        };
        let entry_mode = match data.kind {
            CardKind::Payment(mode) => mode,
            CardKind::ChipCardSwiped if payment.request.chip_failed => EntryMode::Fallback,
            CardKind::ChipCardSwiped => return self.chip_card_swiped(),
            CardKind::NotAPaymentCard => return self.conclude(Outcome::NotAccepted, None),
        };
        // Kept without either it would be said to be saved, and could never be sent.
        let Some((masked_card, scheme)) = data.card.filter(|(card, _)| card.last_four().len() == 4) else {
            return self.fault(Fault::CardData);
        };
        if data.blob.len() > MAX_BLOB_LEN {
            return self.fault(Fault::CardData);
        }
        self.tell(ReaderEvent::OnlineRequest(OnlineRequest {
            blob: data.blob,
            format: BlobFormat::of_ours(BLOB_FORMAT),
            ksn_hex: data.ksn_hex,
            key_id: data.key_id,
            device_serial: data.device_serial,
            masked_card,
            scheme,
            entry_mode,
        }));
        if let Some(payment) = self.payment.as_mut() {
            payment.online_request_seen = true;
            if let Some(code) = payment.held.take() {
                self.complete(code);
            }
        }
    }

    /// The card goes in instead, once the reader has come to the end of this: it takes no other start before.
    fn chip_card_swiped(&mut self) {
        self.tell(ReaderEvent::Prompt { prompt: Prompt::UseChipReader, cancellable: false });
        let Some(payment) = self.payment.as_mut() else { return };
        let instead = Outcome::TryOtherInterface;
        payment.overruled = Some(instead);
        if payment.held.take().is_some() {
            self.conclude(instead, None);
        } else {
            self.set_timer(TimerId::Closing, CLOSING_MS);
        }
    }

    pub(super) fn batch_data(&mut self, body: &[u8]) {
        let mask = self.mask;
        let Some(payment) = self.payment.as_mut() else { return };
        // Without card data it is about an earlier presentation.
        if payment.receipt_seen || !payment.online_request_seen {
            return;
        }
        match parse_batch(body, mask) {
            Ok(receipt) => {
                payment.receipt_seen = true;
                self.tell(ReaderEvent::ReceiptData(receipt));
            }
            Err(_) => self.fault(Fault::Malformed),
        }
    }

    pub(super) fn complete(&mut self, code: [u8; 4]) {
        let Some(payment) = self.payment.as_mut().filter(|payment| payment.is_running()) else {
            return;
        };
        let outcome = match completion(code) {
            Completion::Decided(outcome) => outcome,
            Completion::Confirmation if payment.is_open() => {
                return self.set_timer(TimerId::Closing, CLOSING_MS);
            }
            Completion::Confirmation | Completion::Interim | Completion::Irrelevant => return,
        };
        if let Some(instead) = payment.overruled.filter(|_| payment.is_open() && outcome.needs_card_data()) {
            return self.conclude(instead, None);
        }
        match (payment.concluded, payment.held) {
            (Some((first, Some(first_code))), _) if first != outcome => {
                self.fault(Fault::ContradictoryOutcome { first: first_code, second: code });
            }
            (Some(_), _) => {}
            (None, Some(held)) if completion(held) != Completion::Decided(outcome) => {
                self.conclude(Outcome::Unknown, Some(code));
            }
            // These need card data first; it may be on its way.
            (None, _) if outcome.needs_card_data() && !payment.online_request_seen => {
                payment.held = Some(code);
                self.set_timer(TimerId::Closing, CLOSING_MS);
            }
            (None, _) => self.conclude(outcome, Some(code)),
        }
    }

    fn conclude(&mut self, outcome: Outcome, code: Option<[u8; 4]>) {
        let Some(payment) = self.payment.as_mut() else { return };
        payment.concluded = Some((outcome, code));
        payment.choices = None;
        payment.waits_to_start = false;
        // An answer that was lost: what is begun next does not wait for it.
        self.stop_awaiting(commands::START);
        self.clear_timer(TimerId::Payment);
        self.set_timer(TimerId::Closing, CLOSING_MS);
        self.tell(ReaderEvent::Outcome { outcome, code });
    }

    /// First ends the payment at the reader; if that brings no outcome either, it is unknown.
    pub(super) fn payment_overdue(&mut self) {
        if self.has_open_payment() && self.take_back_start() {
            return self.conclude(Outcome::Cancelled, None);
        }
        match self.payment.as_mut().filter(|payment| payment.is_open()) {
            None => {}
            Some(payment) if payment.overdue => self.conclude(Outcome::Unknown, None),
            Some(payment) => {
                payment.overdue = true;
                self.set_timer(TimerId::Payment, OVERDUE_GRACE_MS);
                self.ask_cancel();
            }
        }
    }

    pub(super) fn closing_due(&mut self) {
        match self.payment.as_mut() {
            Some(payment) if payment.waits_to_start => {
                payment.waits_to_start = false;
                let request = payment.request;
                self.ask(Command::Start(request));
            }
            Some(payment) if payment.is_open() => {
                let (outcome, code) = match payment.overruled {
                    Some(instead) => (instead, None),
                    None => (Outcome::Unknown, payment.held),
                };
                self.conclude(outcome, code);
            }
            _ => self.payment = None,
        }
    }
}
