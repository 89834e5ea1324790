//! Exports that fail on purpose, for tests; no part of what ships.

use std::sync::Arc;

use crate::error::TakingsError;
use crate::till::Till;

/// Fails at `place`: `call` (the call itself), `engine` (the engine under it), `here` (the caller's thread).
#[uniffi::export]
#[expect(clippy::panic, reason = "that is what it is for")]
pub async fn planted_panic(till: Arc<Till>, place: String) -> Result<(), TakingsError> {
    match place.as_str() {
        "engine" => till.run("planted_panic", |till| async move { till.planted_panic().await }).await,
        "call" => till.run::<(), _>("planted_panic", |_| async { panic!("planted") }).await,
        _ => panic!("planted"),
    }
}
