//! The message layer: `AA 00`, then TLVs. Requests go out, responses and notifications come in.

use crate::tlv::{self, Tag, TlvError};

use super::status::Status;

const START: u8 = 0xAA;
const TAG_HEADER: Tag = Tag(0x81);
const TAG_STATUS: Tag = Tag(0x82);
const TAG_BODY: Tag = Tag(0x84);

const KIND_REQUEST: u8 = 0x01;
const KIND_RESPONSE: u8 = 0x82;
const KIND_NOTIFICATION: u8 = 0x83;
const KIND_FILE_OUT: u8 = 0x04;
const KIND_FILE_IN: u8 = 0x84;

/// One message, borrowed. Bodies come without the id that is repeated at their start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Host to reader.
    Request {
        /// Chosen by the host, repeated in the response.
        reference: u8,
        /// The command.
        command: u16,
        /// Parameter TLVs.
        body: &'a [u8],
    },
    /// The reader's answer to a request.
    Response {
        /// From the request.
        reference: u8,
        /// From the request.
        command: u16,
        /// How it went.
        status: Status,
        /// Result TLVs; empty if the response carries none.
        body: &'a [u8],
    },
    /// Something the reader says by itself.
    Notification {
        /// Source and type.
        id: u16,
        /// What happened.
        detail: [u8; 4],
        /// TLVs or raw bytes; empty if there are none.
        body: &'a [u8],
    },
    /// A piece of a file.
    DataFile {
        /// From the request.
        reference: u8,
        /// The command.
        command: u16,
        /// Which file.
        file_type: u32,
        /// Its bytes.
        data: &'a [u8],
    },
}

/// Why bytes are not a message. Carries no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It does not begin with the start byte.
    #[error("the message has no start byte")]
    NoStart,
    /// The TLVs are broken.
    #[error("the message is not TLV: {0}")]
    Tlv(#[from] TlvError),
    /// A mandatory object is missing, or it has the wrong size.
    #[error("object {0} is missing or has the wrong size")]
    Missing(Tag),
    /// The body repeats another id than the header has.
    #[error("the body is of message {0:04X}, the header of another")]
    OtherId(u16),
    /// A message of no known kind.
    #[error("kind {0:02X} is not known")]
    UnknownKind(u8),
}

/// Reads one message.
///
/// # Errors
/// [`MessageError`] if it is cut short, misprinted or of no known kind.
pub fn parse(bytes: &[u8]) -> Result<Message<'_>, MessageError> {
    let [START, _version, objects @ ..] = bytes else {
        return Err(MessageError::NoStart);
    };
    let header = tlv::find(objects, TAG_HEADER)?.ok_or(MessageError::Missing(TAG_HEADER))?;
    let status = tlv::find(objects, TAG_STATUS)?;
    let body = tlv::find(objects, TAG_BODY)?;
    match *header {
        [KIND_REQUEST, reference, high, low] => Ok(Message::Request {
            reference,
            command: u16::from_be_bytes([high, low]),
            body: without_id(Some([high, low]), Some(body.ok_or(MessageError::Missing(TAG_BODY))?))?,
        }),
        [KIND_RESPONSE, reference, high, low] => Ok(Message::Response {
            reference,
            command: u16::from_be_bytes([high, low]),
            status: Status::from_bytes(four(status)?),
            // One of the maker's own examples repeats no id here.
            body: without_id(None, body)?,
        }),
        [KIND_NOTIFICATION, _, source, kind] => Ok(Message::Notification {
            id: u16::from_be_bytes([source, kind]),
            detail: four(status)?,
            body: without_id(Some([source, kind]), body)?,
        }),
        [KIND_FILE_OUT | KIND_FILE_IN, reference, high, low, a, b, c, d] => Ok(Message::DataFile {
            reference,
            command: u16::from_be_bytes([high, low]),
            file_type: u32::from_be_bytes([a, b, c, d]),
            data: body.ok_or(MessageError::Missing(TAG_BODY))?,
        }),
        [kind, ..]
            if !matches!(kind, KIND_REQUEST | KIND_RESPONSE | KIND_NOTIFICATION | KIND_FILE_OUT | KIND_FILE_IN) =>
        {
            Err(MessageError::UnknownKind(kind))
        }
        _ => Err(MessageError::Missing(TAG_HEADER)),
    }
}

fn four(value: Option<&[u8]>) -> Result<[u8; 4], MessageError> {
    value.and_then(|value| value.try_into().ok()).ok_or(MessageError::Missing(TAG_STATUS))
}

/// The first two bytes of a body repeat the id. They are not TLV.
fn without_id(id: Option<[u8; 2]>, body: Option<&[u8]>) -> Result<&[u8], MessageError> {
    match body {
        None => Ok(&[]),
        Some([high, low, rest @ ..]) if id.is_none_or(|id| id == [*high, *low]) => Ok(rest),
        Some([high, low, ..]) => Err(MessageError::OtherId(u16::from_be_bytes([*high, *low]))),
        Some(_) => Err(MessageError::Missing(TAG_BODY)),
    }
}

fn with_id(id: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(body);
    out
}

/// A request as bytes.
#[must_use]
pub fn request(reference: u8, command: u16, body: &[u8]) -> Vec<u8> {
    let [high, low] = command.to_be_bytes();
    let mut out = vec![START, 0x00];
    tlv::put(&mut out, TAG_HEADER, &[KIND_REQUEST, reference, high, low]);
    tlv::put(&mut out, TAG_BODY, &with_id(command, body));
    out
}

/// A response as bytes; without a body the result object is left out.
#[must_use]
pub fn response(reference: u8, command: u16, status: Status, body: Option<&[u8]>) -> Vec<u8> {
    let [high, low] = command.to_be_bytes();
    let mut out = vec![START, 0x00];
    tlv::put(&mut out, TAG_HEADER, &[KIND_RESPONSE, reference, high, low]);
    tlv::put(&mut out, TAG_STATUS, &status.to_bytes());
    if let Some(body) = body {
        tlv::put(&mut out, TAG_BODY, &with_id(command, body));
    }
    out
}

/// A notification as bytes; without a body the payload object is left out.
#[must_use]
pub fn notification(id: u16, detail: [u8; 4], body: Option<&[u8]>) -> Vec<u8> {
    let [source, kind] = id.to_be_bytes();
    let mut out = vec![START, 0x00];
    tlv::put(&mut out, TAG_HEADER, &[KIND_NOTIFICATION, 0x00, source, kind]);
    tlv::put(&mut out, TAG_STATUS, &detail);
    if let Some(body) = body {
        tlv::put(&mut out, TAG_BODY, &with_id(id, body));
    }
    out
}

impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request { reference, command, body } => {
                write!(f, "Request {command:04X} ref {reference:02X} body[{}]", body.len())
            }
            Self::Response { reference, command, status, body } => {
                write!(f, "Response {command:04X} ref {reference:02X} {status:?} body[{}]", body.len())
            }
            Self::Notification { id, detail, body } => {
                let detail = u32::from_be_bytes(*detail);
                write!(f, "Notification {id:04X} {detail:08X} body[{}]", body.len())
            }
            Self::DataFile { reference, command, file_type, data } => {
                write!(f, "DataFile {command:04X} ref {reference:02X} {file_type:08X} data[{}]", data.len())
            }
        }
    }
}
