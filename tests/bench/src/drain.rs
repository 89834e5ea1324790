//! Uploading what waits, against reqwest sending the same requests to the same acquirer.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::acquirer::{Acquirer, Exchange};
use crate::measure::{hundredths, ratio, shown};
use crate::stall::Stall;
use crate::syncs::{self, Mode};
use crate::table::Table;
use crate::{Outcome, statements};

/// What a drain took.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// Payments sent.
    pub payments: u32,
    /// Batches they went in.
    pub batches: u32,
    /// Other requests beside them.
    pub other_requests: u32,
    /// Sync calls.
    pub sync_calls: u64,
    /// From the merchant's *sync* until everything is answered.
    pub took: Duration,
    /// Bytes of the batches on the wire, heads included.
    pub bytes_up: u64,
    /// Bytes of the answers.
    pub bytes_down: u64,
    /// Bytes of the base64 of the ciphertext in them.
    pub ciphertext_text: u64,
}

impl Drained {
    /// Bytes up for one payment, less its ciphertext in base64.
    #[must_use]
    pub fn bytes_beside_ciphertext(&self) -> u64 {
        (self.bytes_up - self.ciphertext_text) / u64::from(self.payments.max(1))
    }
}

/// A till with so many payments waiting, and its acquirer.
///
/// # Errors
/// If one is not saved.
pub fn waiting(dir: &Path, payments: u32) -> Outcome<(Stall, Acquirer)> {
    let acquirer = Acquirer::start()?;
    acquirer.allow_many()?;
    let mut stall = Stall::open(dir, acquirer.url())?;
    stall.activate(&acquirer.activation_code()?)?;
    for _ in 0..payments {
        stall.capture()?;
    }
    // The acquirer's clock keeps pace with the till's.
    acquirer.admin("PUT", "/admin/clock", &serde_json::json!({ "advance_ms": payments }))?;
    Ok((stall, acquirer))
}

/// Drains the till and counts.
///
/// # Errors
/// If not everything is approved.
pub fn drain(stall: &Stall, acquirer: &Acquirer, payments: u32) -> Outcome<(Drained, Vec<Exchange>)> {
    let before = acquirer.heard().len();
    let syncs_before = syncs::calls();
    let began = Instant::now();
    let approved = stall.drain()?;
    let took = began.elapsed();
    if approved != payments {
        return Err(format!("{approved} of {payments} approved").into());
    }
    let asked = acquirer.heard().split_off(before);
    let batches: Vec<&Exchange> = asked.iter().filter(|exchange| exchange.is_batch()).collect();
    let sum = |count: fn(&Exchange) -> usize| batches.iter().map(|batch| count(batch) as u64).sum::<u64>();
    let mut ciphertext_text = 0;
    for batch in &batches {
        let body: Value = serde_json::from_slice(&batch.request.body)?;
        ciphertext_text += ciphertexts(&body);
    }
    let drained = Drained {
        payments,
        batches: u32::try_from(batches.len())?,
        other_requests: u32::try_from(asked.len() - batches.len())?,
        sync_calls: syncs::calls() - syncs_before,
        took,
        bytes_up: sum(|batch| batch.bytes_in),
        bytes_down: sum(|batch| batch.bytes_out),
        ciphertext_text,
    };
    Ok((drained, asked))
}

/// The length of every card's ciphertext, as the text it is on the wire.
fn ciphertexts(body: &Value) -> u64 {
    let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item["card"]["encrypted"]["data"].as_str()).map(|text| text.len() as u64).sum()
}

/// Measures a drain on the disk of `dir`.
///
/// # Errors
/// Whatever stops it.
pub fn run(table: &mut Table, dir: &Path, payments: u32, rounds: usize) -> Outcome<()> {
    table.heading(
        &format!("Drain of {payments} waiting payments, sandbox acquirer on loopback"),
        &[
            "run",
            "till",
            "reqwest, same requests",
            "till / reqwest",
            "batches / ⌈N/50⌉",
            "other requests",
            "sync calls",
        ],
    );
    let mut last = None;
    for round in 1..=rounds {
        let dir = tempfile::tempdir_in(dir)?;
        syncs::set(Mode::Skip);
        let (stall, acquirer) = waiting(&dir.path().join("till"), payments)?;
        syncs::set(Mode::Real);
        let before = acquirer.heard();
        let (drained, asked) = drain(&stall, &acquirer, payments)?;
        stall.close()?;
        let floor = bare(&before, &asked, acquirer.url())?;
        let limit = payments.div_ceil(50);
        table.row(&[
            round.to_string(),
            shown(drained.took),
            shown(floor),
            ratio(drained.took, floor),
            format!("{} / {limit} = {}", drained.batches, hundredths(drained.batches.into(), limit.into())),
            drained.other_requests.to_string(),
            drained.sync_calls.to_string(),
        ]);
        last = Some(drained);
    }
    let Some(drained) = last else { return Ok(()) };
    table.note(&format!(
        "On the wire for one queued payment: {} B up, of which {} B are its ciphertext in base64 and **{} B everything else** (heads and signatures included); {} B down.",
        drained.bytes_up / u64::from(payments),
        drained.ciphertext_text / u64::from(payments),
        drained.bytes_beside_ciphertext(),
        drained.bytes_down / u64::from(payments)
    ));
    Ok(())
}

/// The same requests, byte for byte, by reqwest alone, to a sandbox that knows the same.
fn bare(before: &[Exchange], asked: &[Exchange], signed_for: &str) -> Outcome<Duration> {
    let acquirer = Acquirer::again(before)?;
    let host = signed_for.trim_start_matches("http://").to_owned();
    // Nothing is encrypted on loopback; the client wants a provider all the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let began = Instant::now();
        for exchange in asked.iter().filter(|exchange| exchange.is_batch()) {
            let url = format!("{}{}", acquirer.url(), exchange.request.target);
            let mut request = client.post(url).body(exchange.request.body.clone());
            for (name, value) in &exchange.request.headers {
                let own = ["host", "content-length"].iter().any(|own| name.eq_ignore_ascii_case(own));
                if !own {
                    request = request.header(name, value);
                }
            }
            let answer = request.header("host", &host).send().await?;
            let status = answer.status();
            let body = answer.bytes().await?;
            if !status.is_success() {
                return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
            }
        }
        Ok(began.elapsed())
    })
}

/// What SQLite did during a drain, most expensive first.
///
/// # Errors
/// Whatever stops it.
pub fn profile(table: &mut Table, dir: &Path, payments: u32) -> Outcome<()> {
    let dir = tempfile::tempdir_in(dir)?;
    syncs::set(Mode::Skip);
    statements::watch();
    let (stall, acquirer) = waiting(&dir.path().join("till"), payments)?;
    statements::stop_watching();
    let captured = statements::take();
    syncs::set(Mode::Real);
    drain(&stall, &acquirer, payments)?;
    let drained = statements::take();
    stall.close()?;
    for (title, ran) in [("Capture", captured), ("Drain", drained)] {
        let all: u64 = ran.iter().map(|ran| ran.times).sum();
        let all_ns: u64 = ran.iter().map(|ran| ran.total_ns).sum();
        table.heading(
            &format!(
                "{title}, statement by statement ({payments} payments: {} statements and {} in SQLite each)",
                hundredths(all.into(), payments.into()),
                shown(Duration::from_nanos(all_ns / u64::from(payments)))
            ),
            &["times a payment", "of a payment", "statement"],
        );
        for ran in ran.iter().take(16) {
            table.row(&[
                hundredths(ran.times.into(), payments.into()),
                shown(Duration::from_nanos(ran.total_ns / u64::from(payments))),
                format!("`{}`", ran.sql.chars().take(110).collect::<String>()),
            ]);
        }
    }
    Ok(())
}
