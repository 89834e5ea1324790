//! One payment: from the start to the outcome, and a short while longer for what belongs to it.

use takings_domain::{EntryMode, MaskedCard, Scheme};

use crate::dynaflex::card_data::{ArqcData, BLOB_FORMAT, CardKind, parse_arqc, parse_batch};
use crate::dynaflex::commands::{self, Command};
use crate::dynaflex::status::{Progress, Status};
use crate::interface::{LinkLoss, ReaderEvent, StartRequest, TimerId};
use crate::online_request::{BlobFormat, OnlineRequest};
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

/// So many technical failures of the chip allow a swipe.
const CHIP_FAILURES_FOR_SWIPE: u8 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The start was not answered yet: whatever ends now is something older.
    Starting,
    Running,
}

/// The payment of one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payment {
    timeout_ms: u64,
    phase: Phase,
    loss_seen: bool,
    overdue: bool,
    online_request_seen: bool,
    receipt_seen: bool,
    choices: Option<u8>,
    /// An end that needs card data which has not come yet.
    held: Option<[u8; 4]>,
    concluded: Option<(Outcome, Option<[u8; 4]>)>,
}

impl Payment {
    fn new(request: &StartRequest) -> Self {
        Self {
            timeout_ms: u64::from(request.timeout_s) * 1_000 + PAYMENT_GRACE_MS,
            phase: Phase::Starting,
            loss_seen: false,
            overdue: false,
            online_request_seen: false,
            receipt_seen: false,
            choices: None,
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

    /// Whether what the reader tells now can be about this payment. Its answer to the start comes
    /// first, unless that was lost.
    fn is_running(&self) -> bool {
        self.phase == Phase::Running || self.loss_seen
    }
}

/// Failures of the chip: without one, a chip card must not be swiped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ChipFailures {
    technical: u8,
    swipe_asked: bool,
}

impl ChipFailures {
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::FallbackChipRetry => self.technical = self.technical.saturating_add(1),
            Outcome::FallbackMagstripe => self.swipe_asked = true,
            _ => {}
        }
    }

    fn allow_swipe(self) -> bool {
        self.swipe_asked || self.technical >= CHIP_FAILURES_FOR_SWIPE
    }
}

impl Reader {
    pub(super) fn start(&mut self, request: StartRequest) -> Result<(), ReaderError> {
        match (self.session, &self.setup) {
            (Session::Over, _) => return Err(ReaderError::SessionOver),
            (Session::Up, Setup::Ready) => {}
            _ => return Err(ReaderError::NotReady),
        }
        if self.has_open_payment() || self.is_asking(commands::START) {
            return Err(ReaderError::Busy);
        }
        request.check()?;
        if self.payment.is_some() {
            self.clear_timer(TimerId::Closing);
        }
        let payment = Payment::new(&request);
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
            self.tell(ReaderEvent::Started);
            return;
        }
        self.payment = None;
        self.clear_timer(TimerId::Payment);
        self.clear_timer(TimerId::Closing);
        self.tell(ReaderEvent::Refused { asked: Asked::Start, refusal: status.refusal() });
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
        if !self.has_open_payment() {
            return Err(ReaderError::NoPayment);
        }
        if self.take_back(commands::START) {
            self.conclude(Outcome::Cancelled, None);
        } else {
            self.ask_cancel();
        }
        Ok(())
    }

    fn ask_cancel(&mut self) {
        if !self.is_asking(commands::CANCEL) {
            self.ask(Command::Cancel);
        }
    }

    pub(super) fn cancel_answered(&mut self, status: Status) {
        // A start that was not sent yet has nothing to do with this cancel.
        let ours = |payment: &Payment| payment.is_open() && payment.phase == Phase::Running;
        if status.is_ok() || !self.payment.as_ref().is_some_and(ours) {
            return;
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
        let timeout_ms = payment.timeout_ms;
        self.set_timer(TimerId::Payment, timeout_ms);
        self.tell(ReaderEvent::ChooseApplication(items));
    }

    pub(super) fn card_data(&mut self, technology: u8, body: &[u8]) {
        match self.payment.as_ref() {
            // Sent again: one payment makes one request.
            Some(payment) if payment.online_request_seen => return,
            Some(payment) if payment.is_open() && payment.is_running() => {}
            _ => return self.fault(Fault::StrayCardData),
        }
        let Ok(data) = parse_arqc(body, technology, self.mask) else {
            return self.fault(Fault::CardData);
        };
        let entry_mode = match data.kind {
            CardKind::Payment(mode) => mode,
            CardKind::ChipCardSwiped if self.chip_failures.allow_swipe() => EntryMode::Fallback,
            CardKind::ChipCardSwiped => {
                let prompt = Prompt::UseChipReader;
                self.tell(ReaderEvent::Prompt { prompt, cancellable: false });
                return self.conclude(Outcome::TryOtherInterface, None);
            }
            CardKind::NotAPaymentCard => return self.conclude(Outcome::NotAccepted, None),
        };
        self.chip_failures = ChipFailures::default();
        self.tell(ReaderEvent::OnlineRequest(online_request(data, entry_mode)));
        if let Some(payment) = self.payment.as_mut() {
            payment.online_request_seen = true;
            if let Some(code) = payment.held.take() {
                self.complete(code);
            }
        }
    }

    pub(super) fn batch_data(&mut self, body: &[u8]) {
        let mask = self.mask;
        let Some(payment) = self.payment.as_mut() else { return };
        if payment.receipt_seen || !payment.is_running() {
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
        self.chip_failures.note(outcome);
        self.clear_timer(TimerId::Payment);
        self.set_timer(TimerId::Closing, CLOSING_MS);
        self.tell(ReaderEvent::Outcome { outcome, code });
    }

    /// First ends the payment at the reader; if that brings no outcome either, it is unknown.
    pub(super) fn payment_overdue(&mut self) {
        // A start that never left must not leave later, when nobody waits for it any more.
        if self.has_open_payment() && self.take_back(commands::START) {
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
        match self.payment.as_ref() {
            Some(payment) if payment.is_open() => {
                let code = payment.held;
                self.conclude(Outcome::Unknown, code);
            }
            _ => self.payment = None,
        }
    }
}

fn online_request(data: ArqcData, entry_mode: EntryMode) -> OnlineRequest {
    let (masked_card, scheme) = data.card.unwrap_or_else(|| (MaskedCard::new("", ""), Scheme::Unknown));
    OnlineRequest {
        blob: data.blob,
        format: BlobFormat::of_ours(BLOB_FORMAT),
        ksn_hex: data.ksn_hex,
        key_id: data.key_id,
        device_serial: data.device_serial,
        masked_card,
        scheme,
        entry_mode,
    }
}
