//! BER-TLV as readers write it: borrowed, tolerant of long length forms, capped.
//!
//! Real readers send lengths that are not minimal (`82 00 10`), so one to four length octets of any
//! value are accepted. What we write ourselves is minimal.

use std::fmt;

/// The longest input that is parsed, in bytes.
pub const MAX_INPUT_LEN: usize = 64 * 1024;

/// The deepest nesting [`find_path`] follows.
pub const MAX_DEPTH: usize = 8;

/// A tag of one to four bytes, as written: `9F02` is `Tag(0x9F02)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One object. `Debug` prints tag and length, never the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag.
    pub tag: Tag,
    /// The value, borrowed from the input.
    pub value: &'a [u8],
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.tag, self.value.len())
    }
}

/// Why bytes are not TLV. Names no value, so it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    /// The input ends inside a tag, a length or a value.
    #[error("the data ends inside an object")]
    Truncated,
    /// A tag is longer than four bytes.
    #[error("a tag is longer than four bytes")]
    TagTooLong,
    /// Indefinite length, or more than four length octets.
    #[error("a length has an unsupported form")]
    BadLength,
    /// The input is longer than [`MAX_INPUT_LEN`].
    #[error("the data is too long")]
    TooLong,
    /// More than [`MAX_DEPTH`] levels.
    #[error("the data is nested too deep")]
    TooDeep,
}

/// The objects of one level, in order. After an error the iteration ends.
#[derive(Clone)]
pub struct Tlvs<'a> {
    rest: &'a [u8],
}

impl fmt::Debug for Tlvs<'_> {
    /// How much is left; not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tlvs").field("len", &self.rest.len()).finish()
    }
}

/// Iterates over the objects of `input`, one level deep.
#[must_use]
pub fn objects(input: &[u8]) -> Tlvs<'_> {
    Tlvs { rest: input }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match split_first(self.rest) {
            Ok((object, rest)) => {
                self.rest = rest;
                Some(Ok(object))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Takes the first object off `input` and returns it with what follows.
///
/// # Errors
/// [`TlvError`] if `input` does not start with a whole object.
pub fn split_first(input: &[u8]) -> Result<(Tlv<'_>, &[u8]), TlvError> {
    if input.len() > MAX_INPUT_LEN {
        return Err(TlvError::TooLong);
    }
    let (tag, rest) = split_tag(input)?;
    let (length, rest) = split_length(rest)?;
    if rest.len() < length {
        return Err(TlvError::Truncated);
    }
    let (value, rest) = rest.split_at(length);
    Ok((Tlv { tag, value }, rest))
}

fn split_tag(input: &[u8]) -> Result<(Tag, &[u8]), TlvError> {
    let (&first, mut rest) = input.split_first().ok_or(TlvError::Truncated)?;
    let mut tag = u32::from(first);
    if first & 0x1F != 0x1F {
        return Ok((Tag(tag), rest));
    }
    for _ in 0..3 {
        let (&next, after) = rest.split_first().ok_or(TlvError::Truncated)?;
        tag = (tag << 8) | u32::from(next);
        rest = after;
        if next & 0x80 == 0 {
            return Ok((Tag(tag), rest));
        }
    }
    Err(TlvError::TagTooLong)
}

fn split_length(input: &[u8]) -> Result<(usize, &[u8]), TlvError> {
    let (&first, rest) = input.split_first().ok_or(TlvError::Truncated)?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let octets = usize::from(first & 0x7F);
    if octets == 0 || octets > 4 {
        return Err(TlvError::BadLength);
    }
    if rest.len() < octets {
        return Err(TlvError::Truncated);
    }
    let (octets, rest) = rest.split_at(octets);
    let length = octets.iter().fold(0_u64, |sum, &octet| (sum << 8) | u64::from(octet));
    usize::try_from(length).map(|length| (length, rest)).map_err(|_| TlvError::BadLength)
}

/// The value of the first object with this tag, or none. The whole level must parse.
///
/// # Errors
/// [`TlvError`] if any object of the level is broken.
pub fn find(input: &[u8], tag: Tag) -> Result<Option<&[u8]>, TlvError> {
    let mut found = None;
    for object in objects(input) {
        let object = object?;
        if object.tag == tag && found.is_none() {
            found = Some(object.value);
        }
    }
    Ok(found)
}

/// Follows `path` from the outside in and returns the innermost value, or none.
///
/// # Errors
/// [`TlvError`] if a level on the way is broken or the path is longer than [`MAX_DEPTH`].
pub fn find_path<'a>(input: &'a [u8], path: &[Tag]) -> Result<Option<&'a [u8]>, TlvError> {
    if path.len() > MAX_DEPTH {
        return Err(TlvError::TooDeep);
    }
    let mut level = input;
    for &tag in path {
        match find(level, tag)? {
            Some(value) => level = value,
            None => return Ok(None),
        }
    }
    Ok(Some(level))
}

/// Appends one object with the shortest length form.
pub fn put(out: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    put_significant(out, tag.0);
    let length = value.len();
    if length >= 0x80 {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|&&byte| byte == 0).count();
        out.push(0x80 | u8::try_from(bytes.len() - skip).unwrap_or(0x7F));
        out.extend_from_slice(bytes.get(skip..).unwrap_or_default());
    } else {
        out.push(u8::try_from(length).unwrap_or(0));
    }
    out.extend_from_slice(value);
}

fn put_significant(out: &mut Vec<u8>, tag: u32) {
    let bytes = tag.to_be_bytes();
    let skip = bytes.iter().take_while(|&&byte| byte == 0).count().min(3);
    out.extend_from_slice(bytes.get(skip..).unwrap_or_default());
}

/// One object as bytes, with the shortest length form.
#[must_use]
pub fn object(tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    put(&mut out, tag, value);
    out
}
