//! The order of things: one payment makes one request and one outcome, whatever an SDK says, repeats or leaves out.

use std::fmt;

use crate::interface::{
    LinkLoss, OutOfServiceReason, ReaderAbout, ReaderEvent, ReaderInput, ReaderOutput, ReaderSession, StartRequest,
    TimerId,
};
use crate::outcome::Outcome;
use crate::trouble::{Asked, Fault, LOW_BATTERY_PERCENT, ReaderError, Refusal};

use super::payment::{Card, Payment};
use super::{VendorAbout, VendorCard, VendorCommand, VendorEvent, VendorReceipt, checks};

/// How long the SDK may take to say that it runs the payment, in milliseconds.
const RESPONSE_MS: u64 = 20_000;
/// Beyond the cardholder's own time, in milliseconds.
const PAYMENT_GRACE_MS: u64 = 30_000;
/// How long the end may take once it was asked to stop, in milliseconds.
const CANCEL_GRACE_MS: u64 = 10_000;
/// How long what belongs to an ended payment may still come, in milliseconds.
const CLOSING_MS: u64 = 5_000;
/// More applications than any card has.
const MAX_CHOICES: usize = 16;
/// So many questions get time of their own: an SDK that asks for ever does not last for ever.
const MOST_OFFERS: u8 = 8;
const FULL_PERCENT: u32 = 100;

/// One session with one reader through a vendor's SDK. A new connection needs a new session.
pub struct VendorSession {
    /// What a start is known by.
    charge: String,
    phase: Phase,
    serial: String,
    payment: Option<Payment>,
    outputs: Vec<ReaderOutput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Ready,
    OutOfService,
    Over,
}

impl fmt::Debug for VendorSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorSession")
            .field("phase", &self.phase)
            .field("payment", &self.payment)
            .finish_non_exhaustive()
    }
}

impl ReaderSession for VendorSession {
    fn handle(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderOutput>, ReaderError> {
        match input {
            ReaderInput::VendorUp(about) => self.up(about)?,
            ReaderInput::Vendor(event) => self.said(event),
            ReaderInput::CommandFailed(asked) => self.failed(asked),
            ReaderInput::LinkDown => self.down(),
            ReaderInput::Timer(id) => self.timer(id),
            ReaderInput::Start(request) => self.start(request)?,
            ReaderInput::Cancel => self.cancel()?,
            ReaderInput::ChooseApplication(index) => self.choose(index)?,
            ReaderInput::LinkUp
            | ReaderInput::ValueLen(_)
            | ReaderInput::Bytes(_)
            | ReaderInput::WriteDone
            | ReaderInput::WriteFailed => {
                return Err(ReaderError::OtherKind);
            }
        }
        Ok(std::mem::take(&mut self.outputs))
    }
}

impl VendorSession {
    /// A session for one connection. `charge` is what the SDK is told with each start, and gives back when it runs it: it
    /// should never have been used for another amount.
    #[must_use]
    pub fn new(charge: &str) -> Self {
        Self { charge: charge.to_owned(), phase: Phase::New, serial: String::new(), payment: None, outputs: Vec::new() }
    }

    fn up(&mut self, about: &VendorAbout) -> Result<(), ReaderError> {
        match self.phase {
            Phase::New => {}
            Phase::Over => return Err(ReaderError::SessionOver),
            Phase::Ready | Phase::OutOfService => return Ok(()),
        }
        let serial = checks::serial(&about.serial);
        self.serial.clone_from(&serial);
        let checked = ReaderAbout {
            serial,
            model: checks::text(&about.model),
            firmware: checks::text(&about.firmware),
            battery_percent: about.battery_percent.and_then(percent),
            charging: about.charging,
            terminal_id: String::new(),
        };
        let unfit = match (about.tampered, about.keys_missing) {
            (true, _) => Some(OutOfServiceReason::Tampered),
            (false, true) => Some(OutOfServiceReason::KeysMissing),
            (false, false) => None,
        };
        if let Some(reason) = unfit {
            self.phase = Phase::OutOfService;
            self.tell(ReaderEvent::OutOfService { about: checked, reason });
            return Ok(());
        }
        self.phase = Phase::Ready;
        let low = checked.battery_percent.filter(|&left| left <= LOW_BATTERY_PERCENT);
        self.tell(ReaderEvent::Ready { about: checked });
        if let Some(percent) = low {
            self.tell(ReaderEvent::BatteryLow(percent));
        }
        Ok(())
    }

    fn start(&mut self, request: StartRequest) -> Result<(), ReaderError> {
        match self.phase {
            Phase::Ready => {}
            Phase::Over => return Err(ReaderError::SessionOver),
            Phase::New | Phase::OutOfService => return Err(ReaderError::NotReady),
        }
        if self.open().is_some() {
            return Err(ReaderError::Busy);
        }
        request.check()?;
        let timeout_ms = u64::from(request.timeout_s) * 1_000 + PAYMENT_GRACE_MS;
        self.payment = Some(Payment {
            timeout_ms,
            running: false,
            another: false,
            overdue: false,
            stopping: false,
            refused_to_stop: false,
            card: Card::Awaited,
            receipt_seen: false,
            choices: 0,
            offers: 0,
            held: None,
            ended: None,
        });
        self.clear_timer(TimerId::Closing);
        self.set_timer(TimerId::Response, RESPONSE_MS);
        self.set_timer(TimerId::Payment, timeout_ms);
        self.command(VendorCommand::Start(request));
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), ReaderError> {
        if self.phase == Phase::Over {
            return Err(ReaderError::SessionOver);
        }
        if self.open().is_none() {
            return Err(ReaderError::NoPayment);
        }
        self.ask_to_stop();
        Ok(())
    }

    fn choose(&mut self, index: u8) -> Result<(), ReaderError> {
        if self.phase == Phase::Over {
            return Err(ReaderError::SessionOver);
        }
        let payment = self.open().ok_or(ReaderError::NoPayment)?;
        if index >= payment.choices {
            return Err(ReaderError::NoSuchChoice);
        }
        payment.choices = 0;
        self.command(VendorCommand::ChooseApplication(index));
        Ok(())
    }

    /// What the SDK says by itself. After the connection is gone it has nothing to say any more.
    fn said(&mut self, event: &VendorEvent) {
        if matches!(self.phase, Phase::New | Phase::Over) {
            return;
        }
        // What it says of a payment that is not ours is not for the screen either.
        let of_the_screen = matches!(
            event,
            VendorEvent::Prompt { .. }
                | VendorEvent::CardSeen(_)
                | VendorEvent::CardRemoved
                | VendorEvent::SeveralCards
        );
        if (of_the_screen && !self.is_shown()) || (matches!(event, VendorEvent::Failed(_)) && self.is_of_another()) {
            return;
        }
        match event {
            VendorEvent::Started { charge } => self.started(charge),
            VendorEvent::Prompt { text, cancellable } => {
                self.tell(ReaderEvent::Prompt { prompt: checks::prompt(text), cancellable: *cancellable });
            }
            VendorEvent::ChooseApplication(items) => self.offered(items),
            VendorEvent::CardSeen(interface) => self.tell(ReaderEvent::CardSeen(*interface)),
            VendorEvent::CardRemoved => self.tell(ReaderEvent::CardRemoved),
            VendorEvent::SeveralCards => self.tell(ReaderEvent::SeveralCards),
            VendorEvent::Card(card) => self.card(card),
            VendorEvent::Ended(outcome) => self.ended(*outcome),
            VendorEvent::Failed(asked) => self.failed(*asked),
            VendorEvent::ReceiptData(receipt) => self.receipt(receipt),
            VendorEvent::BatteryLow(left) => {
                if let Some(left) = percent(*left) {
                    self.tell(ReaderEvent::BatteryLow(left));
                }
            }
            VendorEvent::RestartsSoon { minutes } => {
                let minutes = u8::try_from(*minutes).unwrap_or(u8::MAX);
                self.tell(ReaderEvent::ResetSoon { minutes });
            }
        }
    }

    /// It runs our payment, or ended it just now.
    fn is_shown(&self) -> bool {
        self.payment.as_ref().is_some_and(Payment::is_heard)
    }

    fn is_of_another(&self) -> bool {
        self.payment.as_ref().is_some_and(|payment| payment.another)
    }

    fn started(&mut self, charge: &str) {
        let ours = charge == self.charge;
        let Some(payment) = self.payment.as_mut() else { return };
        payment.another = !ours;
        if ours && !payment.running && payment.is_open() {
            payment.running = true;
            self.clear_timer(TimerId::Response);
            self.tell(ReaderEvent::Started);
        }
    }

    /// The cardholder is asked; that starts the time of a step anew.
    fn offered(&mut self, items: &[String]) {
        let Some(payment) = self.open().filter(|payment| payment.is_heard() && payment.card == Card::Awaited) else {
            return;
        };
        if items.is_empty() {
            return self.tell(ReaderEvent::Fault(Fault::Malformed));
        }
        let shown: Vec<String> = items.iter().take(MAX_CHOICES).map(|item| checks::text(item)).collect();
        payment.choices = u8::try_from(shown.len()).unwrap_or(0);
        payment.offers = payment.offers.saturating_add(1);
        let timeout_ms = payment.timeout_ms;
        if !payment.stopping && payment.offers <= MOST_OFFERS {
            self.set_timer(TimerId::Payment, timeout_ms);
        }
        self.tell(ReaderEvent::ChooseApplication(shown));
    }

    fn card(&mut self, card: &VendorCard) {
        let serial = self.serial.clone();
        let wanted = self.open().filter(|payment| payment.is_heard() && payment.card == Card::Awaited);
        let Some(payment) = wanted else { return self.tell(ReaderEvent::Fault(Fault::StrayCardData)) };
        let Some(request) = checks::online_request(card, &serial) else {
            payment.card = Card::Spoiled;
            self.tell(ReaderEvent::Fault(Fault::CardData));
            return self.ask_to_stop();
        };
        payment.card = Card::Told;
        payment.choices = 0;
        let held = payment.held.take();
        self.tell(ReaderEvent::OnlineRequest(request));
        if let Some(outcome) = held {
            self.conclude(outcome);
        }
    }

    /// Once, and only of a card that was read.
    fn receipt(&mut self, receipt: &VendorReceipt) {
        let wanted = |payment: &&mut Payment| payment.is_heard() && payment.card == Card::Told && !payment.receipt_seen;
        if let Some(payment) = self.payment.as_mut().filter(wanted) {
            payment.receipt_seen = true;
            self.tell(ReaderEvent::ReceiptData(checks::receipt(receipt)));
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        let Some(payment) = self.payment.as_mut().filter(|payment| payment.is_heard()) else { return };
        let needs_card = outcome.needs_card_data();
        match (payment.ended, payment.held) {
            (Some(first), _) if first != outcome => {
                self.tell(ReaderEvent::Fault(Fault::ContradictoryEnd { first, second: outcome }));
            }
            (Some(_), _) => {}
            (None, Some(held)) if held != outcome => {
                self.tell(ReaderEvent::Fault(Fault::ContradictoryEnd { first: held, second: outcome }));
                self.conclude(Outcome::Unknown);
            }
            // The card data may be on its way.
            (None, _) if needs_card && payment.card == Card::Awaited => {
                payment.held = Some(outcome);
                self.set_timer(TimerId::Closing, CLOSING_MS);
            }
            // What it was decided on could not be used.
            (None, _) if needs_card && payment.card == Card::Spoiled => self.conclude(Outcome::Unknown),
            (None, _) => self.conclude(outcome),
        }
    }

    /// The SDK did not do what it was asked, or nobody could ask it.
    fn failed(&mut self, asked: Asked) {
        let Some(payment) = self.open() else { return };
        match asked {
            // Card data that came counts, whatever became of the start.
            Asked::Start if payment.card == Card::Told => {}
            Asked::Start => self.never_began(Refusal::Failed),
            Asked::Cancel => {
                // It goes on; at the end of its time there is no second delay.
                let timeout_ms = payment.timeout_ms;
                if payment.stopping && !payment.overdue {
                    payment.stopping = false;
                    payment.refused_to_stop = true;
                    self.set_timer(TimerId::Payment, timeout_ms);
                }
                self.tell(ReaderEvent::Refused { asked, refusal: Refusal::Failed });
            }
            Asked::Choice => self.tell(ReaderEvent::Refused { asked, refusal: Refusal::Failed }),
        }
    }

    /// Given up before the card. If it runs after all, it is told to stop, and what it still says is dropped.
    fn never_began(&mut self, refusal: Refusal) {
        self.payment = None;
        for id in [TimerId::Response, TimerId::Payment, TimerId::Closing] {
            self.clear_timer(id);
        }
        self.tell(ReaderEvent::Refused { asked: Asked::Start, refusal });
        self.command(VendorCommand::Cancel);
    }

    fn ask_to_stop(&mut self) {
        let wanted = |payment: &&mut Payment| !payment.stopping && (payment.overdue || !payment.refused_to_stop);
        if let Some(payment) = self.open().filter(wanted) {
            payment.stopping = true;
            self.set_timer(TimerId::Payment, CANCEL_GRACE_MS);
        }
        self.command(VendorCommand::Cancel);
    }

    fn timer(&mut self, id: TimerId) {
        if self.phase == Phase::Over {
            return;
        }
        match id {
            TimerId::Response => {
                if self.open().is_some_and(|payment| !payment.running) {
                    self.never_began(Refusal::NoAnswer);
                }
            }
            TimerId::Payment => self.overdue(),
            TimerId::Closing => match self.open().map(|payment| payment.held) {
                // The card data that this end needs did not come.
                Some(Some(_)) => self.conclude(Outcome::Unknown),
                Some(None) => {}
                None => self.payment = None,
            },
        }
    }

    /// First it is asked to stop; if that brings no end either, the end is unknown.
    fn overdue(&mut self) {
        match self.open() {
            None => {}
            Some(payment) if payment.stopping => self.conclude(Outcome::Unknown),
            Some(payment) => {
                payment.overdue = true;
                self.ask_to_stop();
            }
        }
    }

    fn conclude(&mut self, outcome: Outcome) {
        let Some(payment) = self.payment.as_mut() else { return };
        payment.ended = Some(outcome);
        payment.choices = 0;
        payment.held = None;
        self.clear_timer(TimerId::Response);
        self.clear_timer(TimerId::Payment);
        self.set_timer(TimerId::Closing, CLOSING_MS);
        self.tell(ReaderEvent::Outcome { outcome, code: None });
    }

    fn down(&mut self) {
        let was_up = !matches!(self.phase, Phase::New | Phase::Over);
        self.phase = Phase::Over;
        let payment = self.payment.take();
        if was_up {
            for id in [TimerId::Response, TimerId::Payment, TimerId::Closing] {
                self.clear_timer(id);
            }
            let loss = match payment.filter(Payment::is_open) {
                None => LinkLoss::Idle,
                Some(payment) if payment.card == Card::Told => LinkLoss::AfterOnlineRequest,
                Some(_) => LinkLoss::BeforeOnlineRequest,
            };
            self.tell(ReaderEvent::LinkLost(loss));
        }
    }

    fn open(&mut self) -> Option<&mut Payment> {
        self.payment.as_mut().filter(|payment| payment.is_open())
    }

    fn tell(&mut self, event: ReaderEvent) {
        self.outputs.push(ReaderOutput::Event(event));
    }

    fn command(&mut self, command: VendorCommand) {
        self.outputs.push(ReaderOutput::Command(command));
    }

    fn set_timer(&mut self, id: TimerId, after_ms: u64) {
        self.outputs.push(ReaderOutput::SetTimer { id, after_ms });
    }

    fn clear_timer(&mut self, id: TimerId) {
        self.outputs.push(ReaderOutput::ClearTimer(id));
    }
}

fn percent(found: u32) -> Option<u8> {
    u8::try_from(found.min(FULL_PERCENT)).ok()
}
