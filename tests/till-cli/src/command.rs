//! The lines a till understands. The README is their contract.

use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use takings_domain::EntryMode;
use takings_domain::event::ChargeMode;
use takings_readers::simulated::{BY_SIGNATURE, Behaviour, CardScript};
use takings_till::views::{PaymentQuery, PayoutQuery, ReceiptCopy};

use crate::answer::Refused;
use crate::args::hex_bytes;

/// One command.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Activate(Activate),
    SignOn,
    Charge(Box<Charge>),
    Find(Find),
    Payments(PaymentQuery),
    Payment(ById),
    Takings(Days),
    Payouts(PayoutQuery),
    Payout(ById),
    Sync(Sync),
    Advance(Shift),
    ClockJump(Shift),
    Cancel(Cancel),
    MarkService(MarkService),
    Status,
    Alerts(Alerts),
    Acknowledge(Acknowledge),
    Receipt(ReceiptOf),
    Verify,
    Background,
    Reader(ReaderSettings),
    Shutdown,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Activate {
    pub(crate) code: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Find {
    pub(crate) order: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ById {
    pub(crate) id: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Days {
    pub(crate) from: NaiveDate,
    pub(crate) to: NaiveDate,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sync {
    #[serde(default = "usual_budget_ms")]
    pub(crate) budget_ms: u64,
}

fn usual_budget_ms() -> u64 {
    600_000
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shift {
    pub(crate) ms: i64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    pub(crate) id: String,
    pub(crate) operator: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkService {
    pub(crate) id: String,
    pub(crate) given: bool,
    pub(crate) operator: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alerts {
    #[serde(default = "usual_alerts")]
    pub(crate) max: u32,
}

fn usual_alerts() -> u32 {
    50
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledge {
    pub(crate) upto: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptOf {
    pub(crate) id: String,
    pub(crate) copy: ReceiptCopy,
}

/// Settings of the simulated reader; what is not named stays.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReaderSettings {
    pub(crate) battery_percent: Option<u8>,
    pub(crate) tampered: Option<bool>,
    pub(crate) usable: Option<bool>,
    pub(crate) charging: Option<bool>,
    pub(crate) keys: Option<bool>,
    /// What goes wrong, each once: words of the simulated reader.
    #[serde(default)]
    pub(crate) fails: Vec<String>,
}

/// A charge with the customer, the card and the link that go with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Charge {
    pub(crate) amount_minor: i64,
    #[serde(default = "usual_currency")]
    pub(crate) currency: String,
    pub(crate) order: Option<String>,
    #[serde(default = "usual_mode")]
    pub(crate) mode: ChargeMode,
    pub(crate) operator: Option<String>,
    pub(crate) card: Option<Card>,
    /// Presented after it, one each time the reader asks for a card again.
    #[serde(default)]
    pub(crate) next_cards: Vec<Card>,
    pub(crate) cancel_at: Option<CancelAt>,
    pub(crate) link: Option<LinkPlan>,
    #[serde(default)]
    pub(crate) again: bool,
    pub(crate) hold_at: Option<Moment>,
}

fn usual_currency() -> String {
    "CNY".to_owned()
}

fn usual_mode() -> ChargeMode {
    ChargeMode::PreferOnline
}

/// When the merchant presses Cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancelAt {
    /// The reader waits for the card.
    BeforeCard,
    /// The reader has read the card: too late.
    CardData,
}

/// A moment of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Moment {
    /// The intent is on disk, the reader not yet started.
    Started,
    /// The reader waits for the card.
    BeforeCard,
    /// The reader has read the card; its data has not reached the till.
    CardData,
    /// The till has said how the charge stands.
    Saved,
}

impl Moment {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::BeforeCard => "before_card",
            Self::CardData => "card_data",
            Self::Saved => "saved",
        }
    }
}

/// The link to the reader goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkPlan {
    pub(crate) lose_at: Loss,
    #[serde(default)]
    pub(crate) then: Afterwards,
}

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Loss {
    /// The reader waits for the card.
    BeforeCard,
    /// The first piece of the card data is through, the rest is not.
    DuringCardData,
    /// The card data is through, the reader's answer is not.
    BetweenCardAndAnswer,
    /// The reader's answer is through, its receipt data is not.
    AfterAnswer,
}

/// What the merchant does if the charge is still open then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Afterwards {
    /// Gives up.
    #[default]
    GiveUp,
    /// Connects again; the customer presents the card again.
    Reconnect,
}

/// The customer's card.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    #[serde(default = "usual_first")]
    first: String,
    last_four: String,
    #[serde(default = "usual_entry_mode")]
    entry_mode: EntryMode,
    #[serde(default = "usual_number_len")]
    number_len: usize,
    #[serde(default)]
    behaviour: CardBehaviour,
    /// Which application the cardholder chooses, counted from 0.
    #[serde(default)]
    pub(crate) choose: u32,
    /// Its holder has to sign.
    #[serde(default)]
    signs: bool,
}

fn usual_first() -> String {
    "622200".to_owned()
}

fn usual_entry_mode() -> EntryMode {
    EntryMode::Chip
}

fn usual_number_len() -> usize {
    16
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CardBehaviour {
    #[default]
    Normal,
    RemovedEarly,
    CollisionThenNormal,
    UserCancels,
    CardDataTwice,
    ChipCardSwiped,
    ChooseApplication(Vec<String>),
    EndsWith(String),
    OnlineThenEndsWith(String),
}

impl Card {
    /// The card as the simulated reader takes it.
    pub(crate) fn script(&self) -> Result<CardScript, Refused> {
        let digits = |text: &str, least: usize, most: usize| {
            (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(&self.first, 4, 6) {
            return Err(Refused::field("card.first: four to six digits are needed"));
        }
        if !digits(&self.last_four, 4, 4) {
            return Err(Refused::field("card.last_four: four digits are needed"));
        }
        if !(14..=19).contains(&self.number_len) {
            return Err(Refused::field("card.number_len: 14 to 19"));
        }
        let code =
            |text: &str| hex_bytes(text).ok_or_else(|| Refused::field("card.behaviour: a code is eight hex digits"));
        let behaviour = match &self.behaviour {
            CardBehaviour::Normal => Behaviour::Normal,
            CardBehaviour::RemovedEarly => Behaviour::RemovedEarly,
            CardBehaviour::CollisionThenNormal => Behaviour::CollisionThenNormal,
            CardBehaviour::UserCancels => Behaviour::UserCancels,
            CardBehaviour::CardDataTwice => Behaviour::CardDataTwice,
            CardBehaviour::ChipCardSwiped => Behaviour::ChipCardSwiped,
            CardBehaviour::ChooseApplication(names) => Behaviour::ChooseApplication(names.clone()),
            CardBehaviour::EndsWith(text) => Behaviour::EndsWith(code(text)?),
            CardBehaviour::OnlineThenEndsWith(text) => Behaviour::OnlineThenEndsWith(code(text)?),
        };
        let mut script = CardScript::new(&self.first, &self.last_four, self.entry_mode).behaving(behaviour);
        script.number_len = self.number_len;
        Ok(if self.signs { script.verified(BY_SIGNATURE) } else { script })
    }
}

/// Reads one line: its command's name, and the command or why it is none.
pub(crate) fn read(line: &[u8]) -> (Option<String>, Result<Command, Refused>) {
    let mut value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return (None, Err(Refused::input("not_json", error.to_string()))),
    };
    let Some(name) = value.as_object_mut().and_then(|object| object.remove("cmd")) else {
        return (None, Err(Refused::input("no_command", "an object with \"cmd\" is needed")));
    };
    let Value::String(name) = name else {
        return (None, Err(Refused::input("no_command", "\"cmd\" is a text")));
    };
    let command = parse(&name, value);
    (Some(name), command)
}

fn parse(name: &str, rest: Value) -> Result<Command, Refused> {
    Ok(match name {
        "activate" => Command::Activate(fields(rest)?),
        "sign_on" => bare(&rest, Command::SignOn)?,
        "charge" => Command::Charge(Box::new(fields(rest)?)),
        "find" => Command::Find(fields(rest)?),
        "payments" => Command::Payments(fields(rest)?),
        "payment" => Command::Payment(fields(rest)?),
        "takings" => Command::Takings(fields(rest)?),
        "payouts" => Command::Payouts(fields(rest)?),
        "payout" => Command::Payout(fields(rest)?),
        "sync" => Command::Sync(fields(rest)?),
        "advance" => Command::Advance(fields(rest)?),
        "clock_jump" => Command::ClockJump(fields(rest)?),
        "cancel" => Command::Cancel(fields(rest)?),
        "mark_service" => Command::MarkService(fields(rest)?),
        "status" => bare(&rest, Command::Status)?,
        "alerts" => Command::Alerts(fields(rest)?),
        "acknowledge" => Command::Acknowledge(fields(rest)?),
        "receipt" => Command::Receipt(fields(rest)?),
        "verify" => bare(&rest, Command::Verify)?,
        "background" => bare(&rest, Command::Background)?,
        "reader" => Command::Reader(fields(rest)?),
        "shutdown" => bare(&rest, Command::Shutdown)?,
        _ => return Err(Refused::input("unknown_command", format!("{name:?} is no command"))),
    })
}

fn fields<T: DeserializeOwned>(rest: Value) -> Result<T, Refused> {
    serde_json::from_value(rest).map_err(|error| Refused::field(error.to_string()))
}

fn bare(rest: &Value, command: Command) -> Result<Command, Refused> {
    match rest.as_object().and_then(|object| object.keys().next()) {
        Some(field) => Err(Refused::field(format!("unknown field `{field}`: this command takes none"))),
        None => Ok(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> String {
        read(line.as_bytes()).1.unwrap_err().to_json().to_string()
    }

    #[test]
    fn a_charge_with_everything() {
        let line = r#"{"cmd":"charge","amount_minor":1250,"order":"S-1","mode":"offline","card":{"first":"6222","last_four":"0051",
            "entry_mode":"contactless","behaviour":"removed_early"},"link":{"lose_at":"between_card_and_answer"},"hold_at":"saved"}"#;
        let Command::Charge(charge) = read(line.as_bytes()).1.unwrap() else { panic!() };
        assert_eq!((charge.amount_minor, charge.currency.as_str(), charge.mode), (1250, "CNY", ChargeMode::Offline));
        let script = charge.card.unwrap().script().unwrap();
        assert_eq!(script.behaviour, Behaviour::RemovedEarly);
        assert_eq!(charge.link.unwrap(), LinkPlan { lose_at: Loss::BetweenCardAndAnswer, then: Afterwards::GiveUp });
    }

    #[test]
    fn a_line_that_is_wrong_says_what() {
        for (line, says) in [
            ("hello", "not_json"),
            ("[1]", "no_command"),
            (r#"{"cmd":5}"#, "no_command"),
            (r#"{"cmd":"dance"}"#, "unknown_command"),
            (r#"{"cmd":"status","now":1}"#, "unknown field `now`"),
            (r#"{"cmd":"advance"}"#, "missing field `ms`"),
            (r#"{"cmd":"advance","ms":1,"s":2}"#, "unknown field `s`"),
            (r#"{"cmd":"charge","amount_minor":"12"}"#, "invalid type"),
            (r#"{"cmd":"payments","limits":5}"#, "unknown field `limits`"),
        ] {
            assert!(refusal(line).contains(says), "{line}: {}", refusal(line));
        }
    }

    #[test]
    fn a_card_is_checked() {
        let card = |text: &str| serde_json::from_str::<Card>(text).unwrap().script();
        assert!(card(r#"{"last_four":"12"}"#).is_err());
        assert!(card(r#"{"first":"62","last_four":"1234"}"#).is_err());
        assert!(card(r#"{"last_four":"1234","number_len":12}"#).is_err());
        assert!(card(r#"{"last_four":"1234","behaviour":{"ends_with":"xyz"}}"#).is_err());
        assert_eq!(
            card(r#"{"last_four":"1234","behaviour":{"ends_with":"00010000"}}"#).unwrap().behaviour,
            Behaviour::EndsWith([0, 1, 0, 0])
        );
    }
}
