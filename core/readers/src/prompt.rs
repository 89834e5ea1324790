//! What the reader wants shown. It has no display: its texts become ids the phone words itself.

use crate::masked_card::clean_text;

macro_rules! prompts {
    ($($(#[$doc:meta])* $variant:ident => $id:literal, $text:literal;)+) => {
        /// What the reader wants shown.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Prompt {
            $($(#[$doc])* $variant,)+
            /// Take the last prompt away.
            Clear,
            /// A text that is not on the list: show it as it is.
            Other(String),
        }

        impl Prompt {
            /// The id for translations; `other` for an unknown text.
            #[must_use]
            pub fn id(&self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)+
                    Self::Clear => "clear",
                    Self::Other(_) => "other",
                }
            }

            /// The reader's own English.
            #[must_use]
            pub fn text(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Clear => "",
                    Self::Other(text) => text,
                }
            }

            /// From the reader's text; lines are joined with a space, letter case does not matter.
            #[must_use]
            pub fn from_text(text: &[u8]) -> Self {
                let joined: Vec<u8> =
                    text.iter().map(|&byte| if matches!(byte, 0 | b'\n') { b' ' } else { byte }).collect();
                let shown = clean_text(joined.trim_ascii(), MAX_TEXT_LEN);
                match shown.to_ascii_uppercase().as_str() {
                    "" => Self::Clear,
                    $(known if known == $text.to_ascii_uppercase() => Self::$variant,)+
                    _ => Self::Other(shown),
                }
            }

            /// Every prompt that has an id of its own.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

/// The longest text kept, in characters.
const MAX_TEXT_LEN: usize = 96;

prompts! {
    /// The amount.
    Amount => "amount", "AMOUNT";
    /// Confirm the amount.
    AmountOk => "amount_ok", "AMOUNT OK?";
    /// Approved.
    Approved => "approved", "APPROVED";
    /// Call the bank.
    CallYourBank => "call_your_bank", "CALL YOUR BANK";
    /// The card failed.
    CardError => "card_error", "CARD ERROR";
    /// Declined.
    Declined => "declined", "DECLINED";
    /// Insert the card.
    InsertCard => "insert_card", "INSERT CARD";
    /// Not accepted.
    NotAccepted => "not_accepted", "NOT ACCEPTED";
    /// Wait.
    PleaseWait => "please_wait", "PLEASE WAIT";
    /// Something went wrong.
    ProcessingError => "processing_error", "PROCESSING ERROR";
    /// Take the card out.
    RemoveCard => "remove_card", "REMOVE CARD";
    /// Use the chip.
    UseChipReader => "use_chip_reader", "USE CHIP READER";
    /// Swipe.
    UseMagstripe => "use_magstripe", "USE MAGSTRIPE";
    /// Again.
    TryAgain => "try_again", "TRY AGAIN";
    /// Idle.
    Welcome => "welcome", "WELCOME";
    /// Any card, any way.
    PresentCard => "present_card", "PRESENT CARD";
    /// Working.
    Processing => "processing", "PROCESSING";
    /// Read; take the card away.
    CardReadOk => "card_read_ok", "CARD READ OK - REMOVE CARD";
    /// Insert or swipe.
    InsertOrSwipe => "insert_or_swipe", "INSERT OR SWIPE CARD";
    /// Several cards were held to the reader.
    PresentOneCard => "present_one_card", "PRESENT ONE CARD ONLY";
    /// Approved, with a signature.
    ApprovedPleaseSign => "approved_please_sign", "APPROVED PLEASE SIGN";
    /// Asking the bank.
    Authorizing => "authorizing", "AUTHORIZING PLEASE WAIT";
    /// Another card or another way.
    InsertSwipeOrOther => "insert_swipe_or_other", "INSERT, SWIPE, OR TRY ANOTHER CARD";
    /// Insert, politely.
    PleaseInsertCard => "please_insert_card", "PLEASE INSERT CARD";
    /// The customer's phone asks something.
    SeePhone => "see_phone", "SEE PHONE";
    /// Hold the card to the reader again.
    PresentCardAgain => "present_card_again", "PRESENT CARD AGAIN";
    /// Tap or swipe.
    TapOrSwipe => "tap_or_swipe", "TAP or SWIPE CARD";
    /// Tap or insert.
    TapOrInsert => "tap_or_insert", "TAP or INSERT CARD";
    /// Tap, insert or swipe.
    TapInsertOrSwipe => "tap_insert_or_swipe", "TAP, INSERT or SWIPE CARD";
    /// Tap.
    TapCard => "tap_card", "TAP CARD";
    /// Too late.
    Timeout => "timeout", "TIMEOUT";
    /// Over.
    Terminated => "terminated", "TRANSACTION TERMINATED";
    /// Chip or stripe.
    UseChipOrMagstripe => "use_chip_or_magstripe", "USE CHIP READER or MAGSTRIPE";
    /// Cancelled.
    Canceled => "canceled", "CANCELED";
    /// Another way.
    TryOtherInterface => "try_other_interface", "TRY ANOTHER INTERFACE";
    /// Failed; take the card out.
    ErrorRemoveCard => "error_remove_card", "ERROR REMOVE CARD";
}

/// Parts of texts that judge a payment, in a reader's own words.
const VERDICTS: &[&str] = &["APPROV", "DECLIN", "SUCCESS", "COMPLETE", "批准", "成功", "拒绝", "完成"];

impl Prompt {
    /// It says that the bank approved or declined. With Quick Chip no reader can know that, so it is not shown. Of texts
    /// that are not on the list the usual words are known, in English and Chinese.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        match self {
            Self::Approved | Self::ApprovedPleaseSign | Self::Declined | Self::CallYourBank => true,
            Self::Other(text) => {
                let text = text.to_uppercase();
                VERDICTS.iter().any(|word| text.contains(word))
            }
            _ => false,
        }
    }

    /// It is about the card in the reader, whatever became of the payment.
    #[must_use]
    pub const fn is_of_the_card(&self) -> bool {
        matches!(self, Self::RemoveCard | Self::Clear)
    }
}
