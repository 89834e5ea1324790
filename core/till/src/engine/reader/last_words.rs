//! What the reader says of a card that was read: how it ended there, and what the receipt needs. It adds nothing that a
//! customer should wait for, so it shares the commit of the answer; where that is over, it has one of its own.

use takings_domain::event::{PaymentEvent, ReaderConcluded, ReceiptDataRead};
use takings_domain::{EntryMode, Money, Now, PaymentId};
use takings_readers::{Outcome, ReceiptData, emv};
use takings_store::Transaction;

use crate::engine::Engine;
use crate::engine::book::Book;
use crate::engine::charging::{OpenCharge, ReadCard};
use crate::engine::live::known;
use crate::error::TillError;

/// The reader says that the cardholder's signature is needed.
const SIGNATURE_NEEDED: u8 = 0x01;

impl Engine {
    /// The reader's completion code after the card.
    pub(super) fn reader_concluded(&mut self, id: PaymentId, outcome: Outcome, code: Option<[u8; 4]>, now: Now) {
        let unexpected = outcome != Outcome::Deferred;
        let concluded = ReaderConcluded {
            outcome: outcome.as_str().to_owned(),
            code: code.map(|code| crate::hex::encode(&code)).unwrap_or_default(),
            unexpected,
        };
        self.keep_word(id, concluded.into());
        // A flag on the payment is for whoever looks now. It adds to a payment and takes nothing back: where it cannot be
        // written, it waits for the next commit.
        if unexpected && let Err(error) = self.write_held(id, now) {
            self.note(&error);
        }
    }

    /// What the receipt needs: the last thing a reader says of a card. What cannot be written now is kept for the next
    /// commit: the payment it adds to is decided, and no caller is told otherwise.
    pub(super) fn on_receipt_data(&mut self, id: PaymentId, data: &ReceiptData, now: Now) {
        let Some((charge, card)) = self.charges.get(&id).and_then(|charge| Some((charge, charge.card_read.as_ref()?)))
        else {
            return;
        };
        if !is_of(data, &charge.amount, card) {
            // A receipt with it would name another payment's card or sum.
            return self.contradicted(id, None, now);
        }
        let word = receipt_data(data, card.entry_mode);
        self.keep_word(id, word.into());
        if let Err(error) = self.write_last_words(id, now) {
            self.note(&error);
        }
    }

    /// Two ends of one payment, or receipt data of another: the first stands, and that the reader took it back is on the
    /// payment. Once: a reader that goes on so fills no ledger.
    pub(super) fn contradicted(&mut self, id: PaymentId, second: Option<[u8; 4]>, now: Now) {
        let first = |charge: &&mut OpenCharge| charge.card_read.is_some() && !charge.contradicted;
        if let Some(charge) = self.charges.get_mut(&id).filter(first) {
            charge.contradicted = true;
            #[cfg(feature = "planted")]
            if second.is_some() && takings_domain::planted::is("second_end_undoes_payment") {
                let detail = second.map(|code| crate::hex::encode(&code));
                self.decide(id, crate::ChargeOutcome::NotCharged { cause: "declined".to_owned(), detail });
            }
            self.reader_concluded(id, Outcome::Unknown, second, now);
        }
    }

    fn keep_word(&mut self, id: PaymentId, word: PaymentEvent) {
        if let Some(charge) = self.charges.get_mut(&id)
            && !charge.last_words.contains(&word)
        {
            charge.last_words.push(word);
        }
    }

    /// What waits for another commit. It stays until that is on disk: [`Engine::last_words_are_written`].
    pub(in crate::engine) fn last_words(&self, id: PaymentId) -> Vec<PaymentEvent> {
        self.charges.get(&id).map(|charge| charge.last_words.clone()).unwrap_or_default()
    }

    pub(in crate::engine) fn last_words_are_written(&mut self, id: PaymentId, words: &[PaymentEvent]) {
        if let Some(charge) = self.charges.get_mut(&id) {
            charge.last_words.retain(|word| !words.contains(word));
        }
    }

    /// The answer is here, or nobody waits for one: what is held has no other commit to share.
    pub(in crate::engine) fn write_last_words(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        match self.charges.get(&id) {
            Some(charge) if charge.outcome.is_some() => self.write_held(id, now),
            _ => Ok(()),
        }
    }

    /// The app goes to the background, and may not come back. One charge's refusal keeps no other from being written.
    ///
    /// # Errors
    /// The first of them.
    pub(in crate::engine) fn write_all_last_words(&mut self, now: Now) -> Result<(), TillError> {
        let ids: Vec<PaymentId> = self.charges.keys().copied().collect();
        ids.into_iter().map(|id| self.write_held(id, now)).fold(Ok(()), Result::and)
    }

    /// Whatever is held, now.
    pub(in crate::engine) fn write_held(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let (operator, words) = (self.operator_of(id), self.last_words(id));
        if words.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.begin()?;
        append_last_words(&mut tx, now, operator.as_deref(), id, &words)?;
        tx.commit()?;
        self.last_words_are_written(id, &words);
        Ok(())
    }
}

/// Appends what is not there yet: a commit that failed may have been kept.
pub(in crate::engine) fn append_last_words(
    tx: &mut Transaction<'_>,
    now: Now,
    operator: Option<&str>,
    id: PaymentId,
    words: &[PaymentEvent],
) -> Result<(), TillError> {
    for word in words {
        let payment = known(tx, id)?;
        let there = match word {
            PaymentEvent::ReaderConcluded(concluded) => {
                payment.attempts.last().is_none_or(|attempt| attempt.concluded.as_ref() == Some(concluded))
            }
            PaymentEvent::ReceiptDataRead(_) => payment.receipt.is_some() || payment.card.is_none(),
            _ => false,
        };
        if !there {
            tx.append_payment(now, operator, id, word.clone())?;
        }
    }
    Ok(())
}

/// Whether this is about that payment, as far as it says.
fn is_of(data: &ReceiptData, amount: &Money, card: &ReadCard) -> bool {
    let same_amount = data.emv.amount_minor.is_none_or(|minor| minor == amount.amount_minor());
    let same_currency = data.emv.currency_numeric.is_none_or(|numeric| numeric == amount.currency().numeric());
    let last_four = data.card.as_ref().map(|(card, _)| card.last_four()).filter(|digits| digits.len() == 4);
    same_amount && same_currency && last_four.is_none_or(|digits| digits == card.last_four)
}

fn receipt_data(data: &ReceiptData, entry: EntryMode) -> ReceiptDataRead {
    let verification = data.emv.cvm_result.and_then(|result| emv::verification(result, entry));
    let signature = data.signature == Some(SIGNATURE_NEEDED) || verification.is_some_and(emv::wants_signature);
    ReceiptDataRead {
        aid: data.emv.aid_hex.clone(),
        application_name: data.emv.application_name.clone(),
        verification,
        signature,
        tvr: data.emv.tvr.map(|bits| crate::hex::encode(&bits).to_ascii_uppercase()),
        tsi: data.emv.tsi.map(|bits| crate::hex::encode(&bits).to_ascii_uppercase()),
    }
}
