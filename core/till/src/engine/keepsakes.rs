//! Checking what is kept beside the events: they name it by its digest, and the store does not know its form.

use sha2::{Digest, Sha256};
use takings_acquirers::{SignedDocument, Unverified};
use takings_store::Transaction;

use super::Engine;
use super::book::Book;
use super::documents::{DocumentKind, document, document_bytes};
use super::session::{KEYS, KEYS_META};
use super::submission::BlobRecord;
use crate::error::TillError;
use crate::hex;

impl Engine {
    /// What is wrong with the signed documents and the card data on this phone, if anything is: the event's number, if it is
    /// about one, and why, for support.
    pub(super) fn check_keepsakes(&mut self) -> Result<Option<(u64, String)>, TillError> {
        let mut in_force: Vec<String> =
            DocumentKind::ALL.iter().filter_map(|kind| self.digest_in_force(*kind)).collect();
        let newest = self.ledger.last_seq();
        let mut tx = self.ledger.begin()?;
        in_force.extend(tx.kept_text(KEYS_META)?);
        let documents = tx.references()?;
        if let Some(gone) = in_force.iter().find(|digest| !documents.iter().any(|(known, ..)| known == *digest)) {
            return Ok(Some((newest, format!("the document {gone} is missing"))));
        }
        let changed = check_blobs(&mut tx)?;
        drop(tx);
        for (digest, kind, bytes) in documents {
            let kept = document(&bytes).filter(|kept| document_bytes(kept).is_ok_and(|again| again == bytes));
            // The list of keys goes by all its bytes, the others by those that are signed.
            let named = kept.as_ref().map(|kept| if kind == KEYS { &bytes[..] } else { kept.body.as_bytes() });
            let named = named.map(|named| hex::encode(&Sha256::digest(named)));
            let kept = kept.filter(|_| named.as_ref() == Some(&digest));
            if !kept.is_some_and(|kept| self.is_genuine(&kind, &kept, in_force.contains(&digest))) {
                return Ok(Some((newest, format!("the document {digest} does not hold"))));
            }
        }
        Ok(changed)
    }

    /// Its signature holds; of a document that is not in force any more the key may be gone.
    fn is_genuine(&self, kind: &str, kept: &SignedDocument, in_force: bool) -> bool {
        let Some(root_ring) = &self.root_ring else { return true };
        let checked = match (kind, &self.keys) {
            // Nobody's key verifies the list but the root's.
            (KEYS, _) => takings_acquirers::decode_keys(kept, root_ring).map(drop),
            (kind, Some(ring)) if DocumentKind::from_word(kind).is_some() => ring.verify(kept),
            (kind, None) if DocumentKind::from_word(kind).is_some() => Ok(()),
            _ => Err(Unverified::BadSignature),
        };
        match checked {
            Ok(()) => true,
            Err(Unverified::UnknownKey { .. }) => !in_force,
            Err(_) => false,
        }
    }
}

/// The ciphertext of each payment that has some is what the reader gave.
fn check_blobs(tx: &mut Transaction<'_>) -> Result<Option<(u64, String)>, TillError> {
    for id in tx.payments_with_card_blob()? {
        let (payment, blob) = (tx.payment(id)?, tx.card_blob(id)?);
        let Some(payment) = payment else { continue };
        let record = blob.as_ref().and_then(|bytes| BlobRecord::from_bytes(bytes));
        let read = payment.card.as_ref().map(|(read, _)| read.blob_sha256.as_str());
        if !payment.blob_held || record.map(|record| record.sha256()).as_deref() != read {
            return Ok(Some((payment.last_seq, "the payment's card data is not what the reader gave".to_owned())));
        }
    }
    Ok(None)
}
