//! The maker's printed bytes.

use serde_json::Value;

/// One published or constructed example.
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) values: Vec<Vec<u8>>,
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn all() -> Vec<Vector> {
    let text = include_str!("../../../../tests/fixtures/readers/dynaflex-vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 81);
    vectors
        .iter()
        .map(|vector| Vector {
            id: vector["id"].as_str().unwrap().to_owned(),
            kind: vector["kind"].as_str().unwrap().to_owned(),
            bytes: vector["hex"].as_str().map(unhex).unwrap_or_default(),
            values: vector["pdus"]
                .as_array()
                .map_or_else(Vec::new, |values| values.iter().map(|value| unhex(value.as_str().unwrap())).collect()),
        })
        .collect()
}

pub(crate) fn bytes(id: &str) -> Vec<u8> {
    all().into_iter().find(|vector| vector.id == id).unwrap_or_else(|| panic!("{id}")).bytes
}
