//! Customers and their cards.

use takings_domain::EntryMode;
use takings_readers::simulated::{BY_SIGNATURE, Behaviour, CardScript};

use crate::error::TakingsError;
use crate::records::ChargeOutcome;

/// How a card is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CardEntry {
    /// Inserted.
    Chip,
    /// Tapped.
    Contactless,
    /// Swiped.
    Stripe,
    /// Swiped because its chip failed.
    Fallback,
}

/// A simulated customer's card and what happens to it. The sandbox answers by amount and last four digits; its README
/// lists them.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DemoCard {
    /// Leading digits of the number: they say the scheme: `62` UnionPay, `4` Visa.
    #[uniffi(default = "6212")]
    pub leading: String,
    /// The last four digits.
    #[uniffi(default = "1232")]
    pub last_four: String,
    /// How many digits the number has, 14 to 19.
    #[uniffi(default = 16)]
    pub number_len: u32,
    /// How it is read.
    pub entry: CardEntry,
    /// What happens: `normal`, `removed_early`, `collision_then_normal`, `choose_application`, `user_cancels`,
    /// `card_data_twice`, `chip_card_swiped`, `ends_with` or `online_then_ends_with` (both with `code`).
    #[uniffi(default = "normal")]
    pub behaviour: String,
    /// The reader's completion code for the last two, eight hex digits.
    #[uniffi(default)]
    pub code: Option<String>,
    /// The applications of a card with several.
    #[uniffi(default = [])]
    pub applications: Vec<String>,
    /// Its holder has to sign.
    #[uniffi(default = false)]
    pub signs: bool,
}

impl DemoCard {
    /// The usual card, read so: what a host's language leaves out.
    #[must_use]
    pub fn usual(entry: CardEntry) -> Self {
        Self {
            leading: "6212".into(),
            last_four: "1232".into(),
            number_len: 16,
            entry,
            behaviour: "normal".into(),
            code: None,
            applications: Vec::new(),
            signs: false,
        }
    }

    pub(crate) fn script(&self) -> Result<CardScript, TakingsError> {
        let digits = |text: &str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let refused = |why: &str| TakingsError::fix_input("card", why);
        if !digits(&self.last_four) || !self.leading.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused("leading and last_four are digits"));
        }
        let entry_mode = match self.entry {
            CardEntry::Chip => EntryMode::Chip,
            CardEntry::Contactless => EntryMode::Contactless,
            CardEntry::Stripe => EntryMode::Stripe,
            CardEntry::Fallback => EntryMode::Fallback,
        };
        let code = || {
            let number = self.code.as_deref().filter(|code| code.len() == 8);
            number.and_then(|code| u32::from_str_radix(code, 16).ok()).map(u32::to_be_bytes)
        };
        let code = || code().ok_or_else(|| refused("code is eight hex digits"));
        let behaviour = match self.behaviour.as_str() {
            "normal" => Behaviour::Normal,
            "removed_early" => Behaviour::RemovedEarly,
            "collision_then_normal" => Behaviour::CollisionThenNormal,
            "choose_application" => Behaviour::ChooseApplication(self.applications.clone()),
            "user_cancels" => Behaviour::UserCancels,
            "card_data_twice" => Behaviour::CardDataTwice,
            "chip_card_swiped" => Behaviour::ChipCardSwiped,
            "ends_with" => Behaviour::EndsWith(code()?),
            "online_then_ends_with" => Behaviour::OnlineThenEndsWith(code()?),
            _ => return Err(refused("a behaviour of another name")),
        };
        let mut script = CardScript::new(&self.leading, &self.last_four, entry_mode).behaving(behaviour);
        script.number_len = usize::try_from(self.number_len).unwrap_or(16);
        Ok(if self.signs { script.verified(BY_SIGNATURE) } else { script })
    }
}

/// How a charge is played: the customer, and what happens to the link.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CardPlay {
    /// The card; null: nobody comes, and the reader gives up after its time.
    #[uniffi(default)]
    pub card: Option<DemoCard>,
    /// The cards that are presented after it, one each time the reader asks for a card again.
    #[uniffi(default = [])]
    pub next_cards: Vec<DemoCard>,
    /// Which application the customer chooses, counted from 0.
    #[uniffi(default = 0)]
    pub choose: u32,
    /// The link goes at this moment: `before_card`, `during_card_data`, `between_card_and_answer`, `after_answer`.
    #[uniffi(default)]
    pub lose_link_at: Option<String>,
    /// It comes back, and the card is read again.
    #[uniffi(default = false)]
    pub reconnect: bool,
    /// The merchant presses Cancel at this moment: `before_card`, `card_data` (too late: the reader has read it).
    #[uniffi(default)]
    pub cancel_at: Option<String>,
    /// The play ends here, with everything as it is then, for what a killed app leaves behind: `started`, `before_card`,
    /// `card_data`, `sent` (the acquirer has the payment and the phone no answer; time alone ends the wait for it), `saved`.
    #[uniffi(default)]
    pub stop_at: Option<String>,
}

/// How a play ended.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CardTaken {
    /// How the charge stands; null where the play stopped before.
    pub outcome: Option<ChargeOutcome>,
    /// The prompts that were shown, without repeats, in alphabetical order.
    pub prompts: Vec<String>,
    /// True where it ended at `stop_at`.
    pub stopped: bool,
    /// How often the reader's link called the till.
    pub calls: u32,
}
