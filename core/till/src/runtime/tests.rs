//! An engine that fails, a line that does, and a clock.

use std::sync::atomic::{AtomicBool, Ordering};

use takings_acquirers::{Alg, SignedRequest, SoftwareKey};
use takings_domain::Now;
use zeroize::Zeroizing;

use super::*;
use crate::Till;
use crate::ports::{Clock, Later, Line, Randomness};

struct Phone;

impl Clock for Phone {
    fn now(&self) -> Now {
        Now { wall_ms: 1_795_226_400_000, monotonic_ms: 1_000, boot_id: 1 }
    }
}

/// A clock that fails when told to.
#[derive(Default)]
struct Fragile(AtomicBool);

impl Clock for Fragile {
    fn now(&self) -> Now {
        assert!(!self.0.load(Ordering::SeqCst), "the clock failed");
        Phone.now()
    }
}

impl Randomness for Phone {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(5);
    }
}

impl Line for Phone {
    fn carry(&self, request: &SignedRequest, _timeout_ms: u64, _later: Later) -> Option<Carried> {
        panic!("{request:?}");
    }
}

async fn till(dir: &std::path::Path) -> Till {
    till_with(dir, Arc::new(Phone)).await
}

async fn till_with(dir: &std::path::Path, clock: Arc<dyn Clock>) -> Till {
    let mut config = TillConfig::new(dir, "https://acquirer.example");
    config.own_timer = false;
    if cfg!(feature = "sqlcipher") {
        config.encryption_key = Some(Zeroizing::new([9; 32]));
    }
    let key = SoftwareKey::from_secret(Alg::EcdsaP256Sha256, &Zeroizing::new([7; 32])).unwrap();
    let ports = Ports { clock, randomness: Arc::new(Phone), device_key: Arc::new(key), line: Some(Arc::new(Phone)) };
    Till::open(config, ports).await.unwrap()
}

#[tokio::test]
async fn an_engine_that_fails_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let till = till(dir.path()).await;
    for _ in 0..3 {
        let (failed, waiting) = tokio::join!(till.planted_panic(), till.acknowledge(0));
        assert_eq!(failed, Err(broken()));
        assert!(waiting == Ok(()) || waiting == Err(broken()), "{waiting:?}");
        assert_eq!(till.status().await.unwrap().last_seq, 1);
    }
    assert!(till.verify().await.unwrap().sound);
}

#[tokio::test]
async fn an_engine_that_fails_over_a_damaged_ledger_begins_no_other_one() {
    let dir = tempfile::tempdir().unwrap();
    let till = till(dir.path()).await;
    till.going_to_background().await.unwrap();
    let file = dir.path().join("ledger.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(till.planted_panic().await, Err(broken()));
    for _ in 0..3 {
        let refused = till.status().await.unwrap_err();
        assert!(matches!(refused, TillError::Storage { .. }), "{refused}");
        till.tick().await.unwrap_err();
    }
}

#[tokio::test]
async fn a_line_that_fails_leaves_the_engine_whole() {
    let dir = tempfile::tempdir().unwrap();
    let till = till(dir.path()).await;
    let config = sandbox_acquirer::Config { seed: 1, start_ms: Phone.now().wall_ms, public_url: None, journal: None };
    let asked = sandbox_acquirer::Request::json("POST", "/admin/activation-codes", &serde_json::json!({}));
    let answer = sandbox_acquirer::Sandbox::new(config).unwrap().handle(Phone.now().wall_ms, &asked);
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let refused = till.activate(answer["activation_code"].as_str().unwrap()).await;
    assert!(matches!(refused, Err(TillError::RetryLater { .. })), "{refused:?}");
    assert!(till.status().await.unwrap().trouble.unwrap().detail.contains("the line failed"));
    assert!(till.verify().await.unwrap().sound);
}

#[tokio::test]
async fn while_the_clock_fails_callers_hear_it_and_afterwards_the_till_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Fragile::default());
    let till = till_with(dir.path(), Arc::clone(&clock) as Arc<dyn Clock>).await;
    for _ in 0..2 {
        clock.0.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            assert_eq!(till.status().await, Err(broken()));
        }
        clock.0.store(false, Ordering::SeqCst);
        assert_eq!(till.status().await.unwrap().last_seq, 1);
    }
    assert!(till.verify().await.unwrap().sound);
}

/// SQLCipher's handler at `exit` takes away what an open file still needs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_till_that_was_shut_down_has_no_file_open() {
    let dir = tempfile::tempdir().unwrap();
    let open_files = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let files = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        files.filter(|file| file.starts_with(dir.path())).collect::<Vec<_>>()
    };
    let till = till(dir.path()).await;
    till.next_alerts(1).await.unwrap();
    assert!(!open_files().is_empty());
    till.shutdown().await.unwrap();
    assert_eq!(open_files(), Vec::<std::path::PathBuf>::new());
    drop(till);
}
