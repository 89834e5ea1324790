//! Properties: dotted numbers, read with one command.
//!
//! Two ways of writing a path are in use, and answers repeat the way of the question: the middle
//! levels as plain bytes, or as nested branches. Readers accept both.

use crate::tlv::{self, Tag, TlvError};

const TAG_OID: Tag = Tag(0x81);
const TAG_FIRST: Tag = Tag(0x85);
const TAG_MIDDLE: Tag = Tag(0x87);
const TAG_LEAF: Tag = Tag(0x89);
const OID: [u8; 7] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0xF6, 0x09];

/// How a path is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Middle levels as bytes.
    Short,
    /// The same, with the object identifier in front.
    ShortWithOid,
    /// Object identifier and nested branches.
    Nested,
}

/// A property this engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// 01 unusable, 02 usable. Not about the network.
    OperationalStatus,
    /// Why it is unusable, as bits.
    OfflineDetail,
    /// 01 if it was opened.
    Tampered,
    /// Seven hex digits and a zero, packed in four bytes.
    Serial,
    /// ASCII.
    Model,
    /// ASCII.
    Firmware,
    /// Percent.
    Battery,
    /// 00 to 04 on a charger, 08 on none.
    Charger,
    /// A bit for each slot with a key.
    TransactionKeys,
    /// The terminal's number, ASCII.
    TerminalId,
    /// Leading digits a masked card number keeps.
    MaskLeading,
    /// Trailing digits a masked card number keeps.
    MaskTrailing,
}

impl Property {
    /// Every property, in the order they are read after connecting; the offline detail comes only
    /// if it is needed.
    pub const ALL: &'static [Self] = &[
        Self::OperationalStatus,
        Self::OfflineDetail,
        Self::Tampered,
        Self::Serial,
        Self::Model,
        Self::Firmware,
        Self::Battery,
        Self::Charger,
        Self::TransactionKeys,
        Self::TerminalId,
        Self::MaskLeading,
        Self::MaskTrailing,
    ];

    const fn path(self) -> [u8; 6] {
        match self {
            Self::OperationalStatus => [2, 3, 1, 2, 1, 1],
            Self::OfflineDetail => [2, 3, 1, 2, 1, 2],
            Self::Tampered => [2, 3, 1, 1, 2, 3],
            Self::Serial => [2, 2, 1, 1, 1, 1],
            Self::Model => [2, 1, 2, 2, 2, 1],
            Self::Firmware => [2, 1, 2, 2, 2, 2],
            Self::Battery => [2, 3, 1, 2, 1, 4],
            Self::Charger => [2, 3, 1, 2, 1, 5],
            Self::TransactionKeys => [2, 3, 1, 1, 1, 2],
            Self::TerminalId => [1, 1, 1, 1, 1, 1],
            Self::MaskLeading => [1, 1, 2, 2, 1, 3],
            Self::MaskTrailing => [1, 1, 2, 2, 1, 4],
        }
    }

    /// Written as the maker's examples write it.
    const fn form(self) -> Form {
        match self {
            Self::Model | Self::Firmware | Self::TransactionKeys | Self::TerminalId | Self::MaskLeading => Form::Nested,
            Self::Serial => Form::ShortWithOid,
            _ => Form::Short,
        }
    }

    /// The parameters of a get (empty value), of its answer, or of a set.
    #[must_use]
    pub fn encode(self, value: &[u8]) -> Vec<u8> {
        let [first, middle @ .., last] = self.path();
        let mut leaf = tlv::object(leaf_tag(last), value);
        let mut out = Vec::with_capacity(32);
        if self.form() != Form::Short {
            tlv::put(&mut out, TAG_OID, &OID);
        }
        tlv::put(&mut out, TAG_FIRST, &[first]);
        if self.form() == Form::Nested {
            for &level in middle.iter().rev() {
                leaf = tlv::object(branch_tag(level), &leaf);
            }
        } else {
            tlv::put(&mut out, TAG_MIDDLE, &middle);
        }
        tlv::put(&mut out, TAG_LEAF, &leaf);
        out
    }

    /// The property a get asks for, if it is one of ours, in whatever form it is written.
    #[must_use]
    pub fn asked_for(body: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|property| matches!(property.value(body), Ok(Some(_))))
    }

    /// The value of this property in an answer, or none if the answer is about something else.
    ///
    /// # Errors
    /// [`TlvError`] if the answer is broken.
    pub fn value(self, body: &[u8]) -> Result<Option<&[u8]>, TlvError> {
        let [first, middle @ .., last] = self.path();
        let Some(leaf) = tlv::find(body, TAG_LEAF)? else { return Ok(None) };
        if tlv::find(body, TAG_FIRST)? != Some(&[first]) {
            return Ok(None);
        }
        match tlv::find(body, TAG_MIDDLE)? {
            Some(levels) if levels == middle => tlv::find(leaf, leaf_tag(last)),
            Some(_) => Ok(None),
            None => {
                let mut path = middle.map(branch_tag).to_vec();
                path.push(leaf_tag(last));
                tlv::find_path(leaf, &path)
            }
        }
    }
}

fn branch_tag(level: u8) -> Tag {
    Tag(u32::from(0xE0 | level))
}

fn leaf_tag(level: u8) -> Tag {
    Tag(u32::from(0xC0 | level))
}
