//! The acquirer's three axes, never merged: was it authorised, was it cleared, has the money arrived.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it stands in JSON, in the ledger and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The variant with this word, or none: callers apply the contract's documented default.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What the issuer, or whoever stands in for it, said. Unknown words count as `processing`.
    Authorization {
        /// Not decided yet.
        Processing => "processing",
        /// Approved in full.
        Approved => "approved",
        /// Approved for less than was asked.
        PartiallyApproved => "partially_approved",
        /// Declined.
        Declined => "declined",
        /// The issuer wants to be called.
        Referred => "referred",
        /// Undone by a reversal.
        Reversed => "reversed",
        /// Undone the same day by a void.
        Voided => "voided",
    }
}

words! {
    /// Where the payment stands on its way through clearing. Unknown words count as `none`.
    Clearing {
        /// Not in clearing.
        None => "none",
        /// Accepted for clearing.
        Accepted => "accepted",
        /// In a batch.
        InBatch => "in_batch",
        /// Cleared.
        Cleared => "cleared",
        /// Refused by clearing.
        Rejected => "rejected",
    }
}

words! {
    /// Where the money is. Unknown words count as `unknown`. Nothing here is terminal.
    Arrival {
        /// The acquirer has not said.
        Unknown => "unknown",
        /// Approved, in no payout yet.
        Pending => "pending",
        /// A payout is planned, its day known.
        Scheduled => "scheduled",
        /// Held back.
        Held => "held",
        /// In a payout that was not handed to the bank.
        InPayout => "in_payout",
        /// The bank has the instruction.
        Sent => "sent",
        /// Credited, on the word of the evidence.
        Arrived => "arrived",
        /// The bank sent it back.
        Returned => "returned",
        /// The payout was refused.
        Failed => "failed",
        /// Consumed by refunds, chargebacks or fees.
        Netted => "netted",
        /// Declined, reversed, voided: no money is expected.
        NotEligible => "not_eligible",
    }
}

words! {
    /// Who says that the money arrived, weakest first.
    Evidence {
        /// Nobody yet.
        None => "none",
        /// The acquirer says so.
        Acquirer => "acquirer",
        /// The bank told the acquirer.
        BankNotification => "bank_notification",
        /// A line of the merchant's statement matched.
        BankStatement => "bank_statement",
        /// The merchant said so.
        Merchant => "merchant",
    }
}

words! {
    /// The state of one payout.
    PayoutStatus {
        /// Made, not handed to the bank.
        Created => "created",
        /// Handed to the bank.
        Sent => "sent",
        /// Credited.
        Arrived => "arrived",
        /// Refused.
        Failed => "failed",
        /// Sent back by the bank.
        Returned => "returned",
        /// Held back by the acquirer.
        Held => "held",
    }
}

words! {
    /// Which way a payout goes.
    Direction {
        /// To the merchant.
        Credit => "credit",
        /// From the merchant.
        Debit => "debit",
    }
}

words! {
    /// What one line of a payout is for.
    EntryType {
        /// A payment.
        Payment => "payment",
        /// A refund.
        Refund => "refund",
        /// A chargeback.
        Chargeback => "chargeback",
        /// A chargeback undone.
        ChargebackReversal => "chargeback_reversal",
        /// A fee on a payment.
        Fee => "fee",
        /// A fee for a service: annual, SIM, rental, deposit.
        ServiceFee => "service_fee",
        /// Tax.
        Tax => "tax",
        /// Kept back as a reserve.
        Reserve => "reserve",
        /// A reserve let go.
        ReserveRelease => "reserve_release",
        /// Held back.
        Hold => "hold",
        /// A hold let go.
        HoldRelease => "hold_release",
        /// Repayment of a loan.
        Loan => "loan",
        /// A correction. Unknown words count as this.
        Adjustment => "adjustment",
        /// An earlier payout that came back.
        ReturnedPayout => "returned_payout",
    }
}

impl PayoutStatus {
    /// What a payment inside a payout of this status says of its money.
    #[must_use]
    pub fn arrival(self) -> Arrival {
        match self {
            Self::Created => Arrival::InPayout,
            #[cfg(feature = "planted")]
            Self::Sent if crate::planted::is("sent_shown_as_arrived") => Arrival::Arrived,
            Self::Sent => Arrival::Sent,
            Self::Arrived => Arrival::Arrived,
            Self::Failed => Arrival::Failed,
            Self::Returned => Arrival::Returned,
            Self::Held => Arrival::Held,
        }
    }
}
