//! Tagged objects: what card data and the bodies of a reader's messages are made of.

use takings_readers::tlv::{MAX_DEPTH, Tlv, TlvError, find, find_path, objects, put};

/// Any bytes as objects; what was read is written and read again.
pub fn tlv(data: &[u8]) {
    let all: Result<Vec<Tlv<'_>>, TlvError> = objects(data).collect();
    let read: Vec<Tlv<'_>> = objects(data).map_while(Result::ok).collect();
    // Each has a tag and a length beside its value.
    let values: usize = read.iter().map(|object| object.value.len()).sum();
    assert!(values + 2 * read.len() <= data.len());

    let mut written = Vec::new();
    for object in &read {
        put(&mut written, object.tag, object.value);
    }
    assert!(written.len() <= data.len());
    assert!(objects(&written).eq(read.iter().copied().map(Ok)));

    for object in &read {
        let first = read.iter().find(|other| other.tag == object.tag).map(|first| first.value);
        assert_eq!(find(data, object.tag), all.as_ref().map(|_| first).map_err(|error| *error));
    }
    down(data);
}

/// From the outside in, along the first object of each level.
fn down(data: &[u8]) {
    let (mut path, mut level, mut sound) = (Vec::new(), data, true);
    while let Some(Ok(object)) = objects(level).next() {
        sound &= objects(level).all(|object| object.is_ok());
        path.push(object.tag);
        match find_path(data, &path) {
            Ok(found) => assert!(sound && path.len() <= MAX_DEPTH && found == Some(object.value)),
            Err(TlvError::TooDeep) => {
                assert!(path.len() > MAX_DEPTH);
                return;
            }
            Err(_) => assert!(!sound),
        }
        level = object.value;
    }
}
