//! Words in the bodies of payment events.

use serde::{Deserialize, Serialize};

use crate::axes::words;

words! {
    /// Fixed when the merchant accepts; screens, receipts and ledger keep them apart.
    Class {
        /// Authorised while the customer waited.
        Live => "live",
        /// The customer was let go; the bank may still decline.
        Deferred => "deferred",
        /// The chip itself approved.
        ChipOffline => "chip_offline",
    }
}

words! {
    /// How a charge may reach the acquirer.
    ChargeMode {
        /// Live if there is a line, else offline within the policy.
        PreferOnline => "prefer_online",
        /// Live or not at all.
        RequireOnline => "require_online",
        /// Straight to the queue, within the policy.
        Offline => "offline",
    }
}

words! {
    /// One of the lanes by which the phone talks to the acquirer, each with one request under way at most.
    Lane {
        /// Undoing unknown payments.
        Reversal => "reversal",
        /// The one payment whose customer waits.
        Live => "live",
        /// Batches of what was accepted offline.
        Drain => "drain",
    }
}

words! {
    /// How one send ended, when it did not bring a report.
    SendResult {
        /// Nothing left the phone.
        NotSent => "not_sent",
        /// It may have arrived.
        Maybe => "maybe",
        /// The acquirer has it and is not done.
        InProgress => "in_progress",
        /// An answer came that cannot be believed.
        Unverified => "unverified",
        /// The acquirer refused to take it; see the code.
        Refused => "refused",
    }
}

words! {
    /// Why a payment stands still until somebody acts.
    ParkReason {
        /// The acquirer refused the item; see the code.
        Refused => "refused",
        /// The acquirer says another payment has this STAN: the terminal's counter is broken.
        CounterBroken => "counter_broken",
        /// The response code is on no list: neither approved nor declined.
        UnlistedCode => "unlisted_code",
        /// A reversal found the payment already cleared: only a refund can undo it.
        AlreadyCleared => "already_cleared",
    }
}

words! {
    /// Why an attempt ended without a usable card.
    AttemptEnd {
        /// Nobody presented a card.
        TimedOut => "timed_out",
        /// Cancelled at the till or at the reader.
        Cancelled => "cancelled",
        /// The card could not be read.
        ReadError => "read_error",
        /// Chip or reader said no.
        Declined => "declined",
        /// The card or its interface is not accepted here.
        NotAccepted => "not_accepted",
        /// The reader failed or refused.
        ReaderFault => "reader_fault",
        /// The reader was opened, and takes no payments any more.
        ReaderTampered => "reader_tampered",
        /// The reader has no usable keys.
        ReaderKeysMissing => "reader_keys_missing",
        /// The reader's battery is all but empty.
        ReaderBatteryTooLow => "reader_battery_too_low",
        /// The reader restarts by itself in a moment: nothing was started.
        ReaderRestartsSoon => "reader_restarts_soon",
        /// The reader switches itself off in a moment: nothing was started.
        ReaderSwitchesOff => "reader_switches_off",
        /// The reader says that it is out of service.
        ReaderOutOfService => "reader_out_of_service",
        /// The reader runs something else.
        ReaderBusy => "reader_busy",
        /// The reader does not answer.
        ReaderNoAnswer => "reader_no_answer",
        /// The link to the reader was lost before the card was read.
        LinkLost => "link_lost",
        /// The app ended before the card was read.
        Interrupted => "interrupted",
        /// The reader ended with a code that is on no list, before any card data.
        Unknown => "unknown",
    }
}

words! {
    /// Why a reversal is asked for.
    ReversalReason {
        /// No answer within the customer's patience.
        Timeout => "timeout",
        /// An answer whose signature does not hold.
        BadResponseSignature => "bad_response_signature",
        /// Anything else.
        Other => "other",
    }
}

words! {
    /// What became of a reversal. Unknown words are not an answer.
    ReversalOutcome {
        /// Undone.
        Reversed => "reversed",
        /// The acquirer never had it, and will refuse it now.
        NothingToReverse => "nothing_to_reverse",
        /// Too late: only a refund can undo it.
        AlreadyCleared => "already_cleared",
        /// Undone before.
        AlreadyReversed => "already_reversed",
    }
}

words! {
    /// Why card data was erased.
    EraseReason {
        /// The final answer is here.
        Answered => "answered",
        /// The offline policy refused after reading.
        Refused => "refused",
        /// The merchant cancelled before anything was sent.
        Cancelled => "cancelled",
        /// Too late to send.
        Expired => "expired",
    }
}

words! {
    /// What the core noticed by itself.
    NoticeKind {
        /// The expected day, with a settlement day of grace, passed without the money.
        Overdue => "overdue",
        /// In doubt past its window.
        InDoubtTooLong => "in_doubt_too_long",
        /// Held back, by a report that told another fact.
        Held => "held",
    }
}

/// Which road a report came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The answer to our own send.
    Answer,
    /// An inquiry.
    Inquiry,
    /// Read after an event of the feed.
    Feed,
}

words! {
    /// What is wrong with a card reader, the worst of it.
    ReaderTrouble {
        /// It was opened: it destroys its keys and takes no payments any more.
        Tampered => "tampered",
        /// A key is missing or cannot be used.
        KeysMissing => "keys_missing",
        /// It is locked by its maker or its owner.
        Locked => "locked",
        /// It says that it cannot work, for a reason of its own.
        OutOfService => "out_of_service",
        /// It does not answer what must be known before a payment.
        NoAnswer => "no_answer",
        /// Too cold to work.
        TooCold => "too_cold",
        /// Too hot to work.
        TooHot => "too_hot",
        /// So little charge is left that a payment may not end: fifteen percent or less.
        BatteryLow => "battery_low",
    }
}

words! {
    /// How the cardholder was verified, from EMV tag `9F34` (EMV 4.3 book 4, annex A4).
    Verification {
        /// Nobody asked for anything.
        None => "none",
        /// A signature on the receipt.
        Signature => "signature",
        /// A PIN, checked by the chip.
        PinByChip => "pin_by_chip",
        /// A PIN, checked by the issuer.
        PinOnline => "pin_online",
        /// A PIN, and a signature too.
        PinAndSignature => "pin_and_signature",
        /// The phone or watch asked its owner.
        OnDevice => "on_device",
        /// What was asked for failed.
        Failed => "failed",
    }
}
