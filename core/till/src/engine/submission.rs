//! One payment as it is submitted, and the card data as it lies on the phone until then.

use sha2::{Digest, Sha256};
use takings_acquirers::{ApprovedBy, Card, OfflineRisk, Submission, SubmissionKind};
use takings_domain::event::CardRead;
use takings_domain::payment::PaymentState;
use takings_domain::settlement::Funding;
use takings_readers::OnlineRequest;
use zeroize::Zeroizing;

use crate::error::TillError;
use crate::hex;

/// One payment as it is submitted; the same at each resend but for the attempt.
pub(super) fn submission(payment: &PaymentState, blob: Option<&[u8]>) -> Result<Submission, TillError> {
    let missing = || TillError::internal("no_card_data", payment.id());
    let (read, _) = payment.card.as_ref().ok_or_else(missing)?;
    let record = blob.and_then(BlobRecord::from_bytes).ok_or_else(missing)?;
    let offline = payment.acceptance.map(|_| OfflineRisk {
        approved_by: ApprovedBy::Merchant,
        policy_version: payment.charge.policy_version.clone().unwrap_or_default(),
        count_open: None,
        total_open: None,
    });
    let (payment_id, stan) = (payment.id(), payment.charge.stan);
    #[cfg(feature = "planted")]
    let (payment_id, stan) = another(payment, payment_id, stan);
    Ok(Submission {
        payment_id,
        kind: if offline.is_some() { SubmissionKind::DeferredAuthorization } else { SubmissionKind::Live },
        amount: payment.charge.amount,
        batch_number: payment.charge.batch_number.clone(),
        stan,
        receipt_number: None,
        captured_at_ms: payment.captured_at_ms(),
        captured_on: payment.charge.captured_on,
        entry_mode: read.entry_mode,
        card: Card {
            scheme: read.scheme,
            masked: read.card.clone(),
            funding: Funding::Unknown,
            format: record.format.clone(),
            key_id: record.key_id.clone(),
            ksn: record.ksn.clone(),
            ciphertext: record.ciphertext.to_vec(),
        },
        emv_tlv: Vec::new(),
        offline,
        order_reference: payment.charge.order_reference.clone(),
        operator_id: payment.operator.clone(),
        attempt: payment.sends.count.max(1),
    })
}

#[cfg(feature = "planted")]
fn another(payment: &PaymentState, id: takings_domain::PaymentId, stan: u32) -> (takings_domain::PaymentId, u32) {
    let (n, mut bytes) = (payment.sends.count, *id.as_bytes());
    if n > 1 && takings_domain::planted::is("new_id_per_retry") {
        bytes[15] ^= n.to_be_bytes()[3];
        return (takings_domain::PaymentId::from_bytes(bytes), stan.saturating_add(500_000 + n));
    }
    let renumbered = n > 1 && payment.acceptance.is_none() && takings_domain::planted::is("live_resend_new_stan");
    (id, if renumbered { stan.saturating_add(1) } else { stan })
}

/// The card data as it lies in the deletable table: four parts, each with its length.
pub(super) struct BlobRecord {
    format: String,
    key_id: String,
    ksn: Vec<u8>,
    ciphertext: Zeroizing<Vec<u8>>,
}

impl BlobRecord {
    pub(super) fn of(request: &OnlineRequest) -> Self {
        Self {
            format: request.format.as_str().to_owned(),
            key_id: request.key_id.clone(),
            ksn: hex::decode(&request.ksn_hex).unwrap_or_default(),
            ciphertext: Zeroizing::new(request.blob.expose().to_vec()),
        }
    }

    /// The event that says what was read, with the blob's length and digest but nothing of it.
    pub(super) fn event(&self, request: &OnlineRequest, captured_at_ms: Option<i64>) -> CardRead {
        CardRead {
            entry_mode: request.entry_mode,
            scheme: request.scheme,
            card: request.masked_card.clone(),
            blob_len: u32::try_from(self.ciphertext.len()).unwrap_or(u32::MAX),
            blob_sha256: self.sha256(),
            captured_at_ms,
        }
    }

    pub(super) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, TillError> {
        let mut bytes = Zeroizing::new(Vec::new());
        for part in [self.format.as_bytes(), self.key_id.as_bytes(), &self.ksn, &self.ciphertext] {
            let length = u32::try_from(part.len()).map_err(|error| TillError::fix_input("card_data", error))?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// The ciphertext's digest, hex.
    pub(super) fn sha256(&self) -> String {
        hex::encode(&Sha256::digest(&*self.ciphertext))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = part(bytes)?;
        let (key_id, rest) = part(rest)?;
        let (ksn, rest) = part(rest)?;
        let (ciphertext, rest) = part(rest)?;
        rest.is_empty().then_some(())?;
        Some(Self {
            format: String::from_utf8(format.to_vec()).ok()?,
            key_id: String::from_utf8(key_id.to_vec()).ok()?,
            ksn: ksn.to_vec(),
            ciphertext: Zeroizing::new(ciphertext.to_vec()),
        })
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
