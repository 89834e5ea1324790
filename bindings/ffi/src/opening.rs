//! How a till is opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use takings_till::Ports;
use tokio::sync::oneshot;

use crate::callbacks::{self, Foreign};
use crate::calls;
use crate::clock::{PhoneClock, PhoneRandomness};
use crate::device_key::{DeviceKey, HostKey};
use crate::error::TakingsError;
use crate::key_vault::{HostVault, KeyVault};
use crate::lane::LONGEST_ANSWER_MS;
use crate::log_sink::{Log, LogSink};
use crate::records::TillConfig;
use crate::till::Till;

/// Does the whole opening on a thread of its own: it blocks, asks the app's vault and key, and ends whether or not anybody
/// still waits. A till that nobody waited for is let go.
#[expect(clippy::disallowed_methods, reason = "there is no runtime before the till's own")]
pub(crate) async fn on_a_thread(
    open: impl FnOnce() -> Result<Till, TakingsError> + Send + 'static,
) -> Result<Arc<Till>, TakingsError> {
    callbacks::refuse_inside()?;
    let (opened, is_open) = oneshot::channel();
    thread::Builder::new()
        .name("takings-open".into())
        .spawn(move || drop(opened.send(open())))
        .map_err(|error| TakingsError::internal("thread", error))?;
    let till = is_open.await.map_err(|_| TakingsError::internal("panic", "the opening failed"))??;
    Ok(Arc::new(till))
}

/// A till on this phone.
pub(crate) fn open(
    config: TillConfig,
    device_key: Foreign<dyn DeviceKey>,
    vault: Foreign<dyn KeyVault>,
    log: Option<Foreign<dyn LogSink>>,
) -> Result<Till, TakingsError> {
    let TillConfig { dir, acquirer_url, app_version, language, connect_timeout_ms, request_timeout_ms, boot } = config;
    let dir = PathBuf::from(dir);
    let log = Log::to(log)?;
    let ports = Ports {
        clock: Arc::new(PhoneClock::new(boot.as_deref())?),
        randomness: Arc::new(PhoneRandomness),
        device_key: Arc::new(HostKey::new(device_key, LONGEST_ANSWER_MS)?),
        line: None,
    };
    let key = HostVault::new(vault, LONGEST_ANSWER_MS)?.ledger_key(&dir)?;
    let config = takings_till::TillConfig {
        dir,
        encryption_key: Some(key),
        acquirer_url,
        app_version,
        connect_timeout_ms,
        request_timeout_ms,
        vfs: None,
        free_bytes: None,
        language: language.into(),
        own_timer: true,
    };
    Ok(Till::new(calls::wait_for(takings_till::Till::open(config, ports))?, log))
}
