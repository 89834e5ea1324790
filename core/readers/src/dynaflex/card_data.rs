//! Card data of a transaction: the ARQC and the batch.
//!
//! Both are read into allow-listed structs. Cardholder name, expiry, service code and masked tracks
//! are in clear beside the ciphertext; they are looked at for the masked card and left behind.

use takings_domain::{EntryMode, MaskedCard, Scheme};

use crate::digits::hex;
use crate::emv::EmvData;
use crate::interface::ReceiptData;
use crate::masked_card::{self, MaskRule, clean_text};
use crate::sensitive::SensitiveBytes;
use crate::tlv::{self, Tag, TlvError};

/// What [`ArqcData::blob`] is: an `F9` object with the members an acquirer's host needs, verbatim.
pub const BLOB_FORMAT: &str = "magtek-mms-arqc";

const WRAPPER: Tag = Tag(0x84);
const CONTAINER: Tag = Tag(0xF9);
const GENERIC: Tag = Tag(0xFA);
const ARQC_MEMBERS: Tag = Tag(0x70);
const ENCRYPTED: Tag = Tag(0xF8);
const EXTRA_ENCRYPTED: Tag = Tag(0xFF42);
const MAC_KSN: Tag = Tag(0xDF_DF54);
const MAC_TYPE: Tag = Tag(0xDF_DF55);
const SERIAL: Tag = Tag(0xDF_DF25);
const CIPHERTEXT: Tag = Tag(0xDF_DF59);
const KSN: Tag = Tag(0xDF_DF56);
const ENCRYPTION_TYPE: Tag = Tag(0xDF_DF57);
const PAD_LEN: Tag = Tag(0xDF_DF58);
const CARD_TYPE: Tag = Tag(0xDF_DF52);
const FALLBACK: Tag = Tag(0xDF_DF53);
const MASKED_TRACK_2: [Tag; 2] = [Tag(0xDF_DF4D), Tag(0xDF_DF33)];
const BATCH: Tag = Tag(0xF0);
const MERCHANT_DATA: Tag = Tag(0xF7);
const SIGNATURE: Tag = Tag(0xDF_DF40);

/// Why card data could not be used. Names tags, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardDataError {
    /// Broken TLV.
    #[error("card data is not TLV: {0}")]
    Tlv(#[from] TlvError),
    /// A member that must be there is missing or has an impossible size.
    #[error("card data lacks {0}, or its size is impossible")]
    Missing(Tag),
    /// The length in front of the container does not fit.
    #[error("the length in front of the card data is wrong")]
    Length,
    /// The data is not encrypted under DUKPT: there is nothing that may be kept.
    #[error("card data is not encrypted as it must be")]
    NotEncrypted,
}

/// What kind of card the reader saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardKind {
    /// A payment card, read so.
    Payment(EntryMode),
    /// Swiped, and the card has a chip: allowed only after the chip failed.
    ChipCardSwiped,
    /// A driver's licence or the like.
    NotAPaymentCard,
}

/// The ARQC, without anything that must not be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArqcData {
    /// Ciphertext, key serial number, encryption type, pad length, device serial: opaque.
    pub blob: SensitiveBytes,
    /// The key serial number as upper-case hex.
    pub ksn_hex: String,
    /// The key set: the leading part of the key serial number, as upper-case hex.
    pub key_id: String,
    /// The device serial as the reader writes it here.
    pub device_serial: String,
    /// The card, masked; none if the reader sent no usable masked track.
    pub card: Option<(MaskedCard, Scheme)>,
    /// What kind of card it was.
    pub kind: CardKind,
}

/// Reads the payload of an "ARQC attached" notification. `technology` is the first byte of its code.
///
/// # Errors
/// [`CardDataError`]; it holds no data.
pub fn parse_arqc(body: &[u8], technology: u8, rule: MaskRule) -> Result<ArqcData, CardDataError> {
    let container = unwrap(body)?;
    let serial = required(container, SERIAL)?;
    let generic = required(container, GENERIC)?;
    let members = required(generic, ARQC_MEMBERS)?;
    let encrypted = required(members, ENCRYPTED)?;
    let ksn = check_encryption(encrypted)?;
    let key_id_len = if ksn.len() == 12 { 4 } else { 5 };
    Ok(ArqcData {
        blob: build_blob(container, members, encrypted, serial)?,
        ksn_hex: hex(ksn),
        key_id: hex(ksn.get(..key_id_len).unwrap_or_default()),
        device_serial: clean_serial(serial),
        card: masked(members, rule)?,
        kind: card_kind(members, technology)?,
    })
}

fn unwrap(body: &[u8]) -> Result<&[u8], CardDataError> {
    let wrapped = required(body, WRAPPER)?;
    let [high, low, rest @ ..] = wrapped else { return Err(CardDataError::Length) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    // What follows is padding and a MAC over members we drop: of no use to anyone after us.
    let object = rest.get(..length).ok_or(CardDataError::Length)?;
    required(object, CONTAINER)
}

fn required(level: &[u8], tag: Tag) -> Result<&[u8], CardDataError> {
    tlv::find(level, tag)?.ok_or(CardDataError::Missing(tag))
}

/// Checks that the data is DUKPT ciphertext of whole blocks and returns the key serial number.
fn check_encryption(encrypted: &[u8]) -> Result<&[u8], CardDataError> {
    let ciphertext = required(encrypted, CIPHERTEXT)?;
    let ksn = required(encrypted, KSN)?;
    let [kind] = *required(encrypted, ENCRYPTION_TYPE)? else {
        return Err(CardDataError::Missing(ENCRYPTION_TYPE));
    };
    let (block, ksn_len) = match kind & 0xF0 {
        0x80 => (8, 10),
        0x90 | 0xA0 => (16, 12),
        _ => return Err(CardDataError::NotEncrypted),
    };
    if ksn.len() != ksn_len {
        return Err(CardDataError::Missing(KSN));
    }
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(block) {
        return Err(CardDataError::Missing(CIPHERTEXT));
    }
    match *required(encrypted, PAD_LEN)? {
        [pad] if usize::from(pad) < block => Ok(ksn),
        _ => Err(CardDataError::Missing(PAD_LEN)),
    }
}

fn build_blob(
    container: &[u8],
    members: &[u8],
    encrypted: &[u8],
    serial: &[u8],
) -> Result<SensitiveBytes, CardDataError> {
    let mut inner = Vec::with_capacity(members.len());
    if let Some(extra) = tlv::find(members, EXTRA_ENCRYPTED)? {
        put_listed(&mut inner, EXTRA_ENCRYPTED, extra, &EXTRA_MEMBERS)?;
    }
    put_listed(&mut inner, ENCRYPTED, encrypted, &[CIPHERTEXT, KSN, ENCRYPTION_TYPE, PAD_LEN])?;

    let mut body = Vec::with_capacity(inner.len() + 64);
    for tag in [MAC_KSN, MAC_TYPE] {
        if let Some(value) = tlv::find(container, tag)? {
            tlv::put(&mut body, tag, value);
        }
    }
    tlv::put(&mut body, SERIAL, serial);
    tlv::put(&mut body, GENERIC, &tlv::object(ARQC_MEMBERS, &inner));
    Ok(SensitiveBytes::new(tlv::object(CONTAINER, &body)))
}

const EXTRA_MEMBERS: [Tag; 3] = [Tag(0xDFDF_DF37), Tag(0xDFDF_DF38), Tag(0xDFDF_DF39)];

/// Copies only the listed members: whatever else stands beside them may be in clear.
fn put_listed(out: &mut Vec<u8>, tag: Tag, level: &[u8], allowed: &[Tag]) -> Result<(), CardDataError> {
    let mut kept = Vec::with_capacity(level.len());
    for &member in allowed {
        if let Some(value) = tlv::find(level, member)? {
            tlv::put(&mut kept, member, value);
        }
    }
    tlv::put(out, tag, &kept);
    Ok(())
}

fn masked(level: &[u8], rule: MaskRule) -> Result<Option<(MaskedCard, Scheme)>, CardDataError> {
    for tag in MASKED_TRACK_2 {
        if let Some(track) = tlv::find(level, tag)?
            && let Some(card) = masked_card::from_track_2(track, rule)
        {
            return Ok(Some(card));
        }
    }
    Ok(None)
}

fn card_kind(members: &[u8], technology: u8) -> Result<CardKind, CardDataError> {
    let fallback = matches!(tlv::find(members, FALLBACK)?, Some([0x01 | 0x81]));
    let card_type = match tlv::find(members, CARD_TYPE)? {
        Some([card_type]) => *card_type,
        _ => 0x04,
    };
    let mode = match (card_type, technology) {
        (0x02, _) => return Ok(CardKind::NotAPaymentCard),
        (0x07, _) if !fallback => return Ok(CardKind::ChipCardSwiped),
        (0x07, _) => EntryMode::Fallback,
        (0x01, _) | (_, 0x08) if fallback => EntryMode::Fallback,
        (0x01, _) => EntryMode::Stripe,
        (0x03, _) => EntryMode::Manual,
        (0x05, _) => EntryMode::Chip,
        (0x06 | 0x08, _) => EntryMode::Contactless,
        // The reader does not know the card; it knows where it was read.
        (_, 0x07) => EntryMode::Manual,
        (_, 0x08) => EntryMode::Stripe,
        (_, 0x10) => EntryMode::Chip,
        (_, 0x20) => EntryMode::Contactless,
        _ => return Ok(CardKind::NotAPaymentCard),
    };
    Ok(CardKind::Payment(mode))
}

/// Reads the payload of a "batch data attached" notification.
///
/// # Errors
/// [`CardDataError`]; it holds no data.
pub fn parse_batch(body: &[u8], rule: MaskRule) -> Result<ReceiptData, CardDataError> {
    let batch = required(required(unwrap(body)?, GENERIC)?, BATCH)?;
    let merchant = tlv::find(batch, MERCHANT_DATA)?.unwrap_or_default();
    let signature = match tlv::find(merchant, SIGNATURE)? {
        Some([byte]) => Some(*byte),
        _ => None,
    };
    Ok(ReceiptData { emv: EmvData::read(merchant)?, signature, card: masked(merchant, rule)? })
}

/// Letters and digits of a serial, sixteen at most.
fn clean_serial(serial: &[u8]) -> String {
    if serial.iter().all(u8::is_ascii_alphanumeric) {
        clean_text(serial, 16)
    } else {
        clean_text(hex(serial.get(..8).unwrap_or(serial)).as_bytes(), 16)
    }
}
