//! The requests this engine sends.

use crate::interface::StartRequest;
use crate::tlv::{self, Tag};

use super::message;
use super::property::Property;

/// Start a transaction.
pub const START: u16 = 0x1001;
/// Cancel it.
pub const CANCEL: u16 = 0x1008;
/// Report what the cardholder chose.
pub const SELECT: u16 = 0x1802;
/// Subscribe to notifications.
pub const SUBSCRIBE: u16 = 0x1F02;
/// Read a property.
pub const GET_PROPERTY: u16 = 0xD101;
/// Write a property.
pub const SET_PROPERTY: u16 = 0xD111;
/// Echo.
pub const ECHO: u16 = 0xDF01;

/// Transaction information.
pub const NOTE_TRANSACTION: u16 = 0x0101;
/// Operation complete.
pub const NOTE_COMPLETE: u16 = 0x0105;
/// The state of the device.
pub const NOTE_DEVICE: u16 = 0x1001;
/// Show something or ask the cardholder.
pub const NOTE_DISPLAY: u16 = 0x1803;

/// Quick Chip, answers in the DynaPro format.
const OPTIONS: [u8; 2] = [0x00, 0x03];

/// A command with its parameters, before it has a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start a transaction.
    Start(StartRequest),
    /// Cancel.
    Cancel,
    /// The cardholder chose this item, counted from 0.
    Select(u8),
    /// Subscribe to all notifications on this link.
    Subscribe,
    /// Read a property.
    Get(Property),
    /// Write a property of one byte. The reader's memory wears: only what differs.
    Set(Property, u8),
}

impl Command {
    /// The command number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Start(_) => START,
            Self::Cancel => CANCEL,
            Self::Select(_) => SELECT,
            Self::Subscribe => SUBSCRIBE,
            Self::Get(_) => GET_PROPERTY,
            Self::Set(..) => SET_PROPERTY,
        }
    }

    /// How long to wait for the response, in milliseconds.
    #[must_use]
    pub const fn response_ms(&self) -> u64 {
        match self {
            Self::Start(_) | Self::Cancel => 5_000,
            Self::Select(_) | Self::Subscribe | Self::Get(_) | Self::Set(..) => 3_000,
        }
    }

    /// The request as bytes.
    #[must_use]
    pub fn encode(&self, reference: u8) -> Vec<u8> {
        let body = match self {
            Self::Start(request) => start_body(request),
            Self::Cancel | Self::Subscribe => Vec::new(),
            Self::Select(index) => {
                let mut body = tlv::object(Tag(0x81), &[0x00]);
                tlv::put(&mut body, Tag(0x82), &[*index]);
                body
            }
            Self::Get(property) => property.encode(&[]),
            Self::Set(property, value) => property.encode(&[*value]),
        };
        message::request(reference, self.number(), &body)
    }
}

fn start_body(request: &StartRequest) -> Vec<u8> {
    let mut interfaces = Vec::with_capacity(9);
    tlv::put(&mut interfaces, Tag(0x81), &[u8::from(request.magstripe)]);
    tlv::put(&mut interfaces, Tag(0x82), &[u8::from(request.contact)]);
    tlv::put(&mut interfaces, Tag(0x83), &[u8::from(request.contactless)]);

    let mut emv = Vec::with_capacity(48);
    tlv::put(&mut emv, Tag(0x9C), &[0x00]);
    tlv::put(&mut emv, Tag(0x9F02), &bcd::<6>(request.amount_minor.unsigned_abs()));
    tlv::put(&mut emv, Tag(0x9F03), &[0; 6]);
    tlv::put(&mut emv, Tag(0x5F2A), &bcd::<2>(u64::from(request.currency_numeric)));
    tlv::put(&mut emv, Tag(0x5F36), &[request.currency_exponent]);
    tlv::put(&mut emv, Tag(0x9F15), &[0; 2]);
    tlv::put(&mut emv, Tag(0x9F53), &[0x00]);

    let mut body = Vec::with_capacity(80);
    tlv::put(&mut body, Tag(0x82), &[request.timeout_s]);
    tlv::put(&mut body, Tag(0xA3), &interfaces);
    tlv::put(&mut body, Tag(0x84), &OPTIONS);
    tlv::put(&mut body, Tag(0x86), &emv);
    body
}

/// Packed decimal, right aligned. Higher digits than fit are not there: the bounds are checked before.
pub(crate) fn bcd<const N: usize>(mut number: u64) -> [u8; N] {
    let mut out = [0; N];
    for byte in out.iter_mut().rev() {
        let pair = u8::try_from(number % 100).unwrap_or(0);
        *byte = (pair / 10) << 4 | (pair % 10);
        number /= 100;
    }
    out
}

/// Packed decimal back to a number; none if a nibble is not a digit or it does not fit.
pub(crate) fn from_bcd(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0_u64, |sum, &byte| {
        let (high, low) = (byte >> 4, byte & 0x0F);
        if high > 9 || low > 9 {
            return None;
        }
        sum.checked_mul(100)?.checked_add(u64::from(high * 10 + low))
    })
}
