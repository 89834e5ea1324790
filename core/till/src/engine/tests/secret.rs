//! P8 no card data: not in a file, an event, an error or a debug print.

use std::fs;

use takings_domain::PaymentId;
use takings_readers::simulated::Failure;

use super::bench::{Bench, MINUTE};
use super::line::Fault;
use super::stall::Sale;
use crate::engine::{Command, LinkEvent};
use crate::receipt::{Paper, receipt};
use crate::texts::Language;
use crate::views::ReceiptCopy;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ciphertext(bench: &mut Bench, id: PaymentId) -> Vec<u8> {
    let bytes = bench.engine().ledger.begin().unwrap().card_blob(id).unwrap().unwrap();
    // The last part of the record: what the reader encrypted.
    bytes[bytes.len() - 300..].to_vec()
}

fn files(bench: &Bench) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(bench.dir.path()).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0');
            if place % 2 == 0 { value } else { value * 2 / 10 + value * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Runs of 12 to 19 digits that pass the check of card numbers. Not one of them: an application's number, which begins with a
/// letter; a time in milliseconds.
fn card_numbers(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0_usize;
    for run in bytes.split(|byte| !byte.is_ascii_digit()) {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        at += run.len() + 1;
        let text = String::from_utf8_lossy(run).into_owned();
        let application = before.is_some_and(|byte| b"Aa".contains(byte)) && text.starts_with("00000");
        let time = run.len() == 13 && ["17", "18"].iter().any(|leading| text.starts_with(leading));
        if (12..=19).contains(&run.len()) && passes_luhn(run) && !application && !time {
            found.push(text);
        }
    }
    found
}

/// The acquirer's reference numbers have twelve digits, and some pass that check.
fn but_for_references(bench: &Bench, found: Vec<String>) -> Vec<String> {
    let references: Vec<String> = bench.payments().into_iter().filter_map(|payment| payment.rrn).collect();
    found.into_iter().filter(|number| !references.iter().any(|reference| number.contains(reference))).collect()
}

#[test]
fn the_scan_finds_a_card_number_and_no_other() {
    assert_eq!(card_numbers(b"x4111111111111111y 6222000000000048"), ["4111111111111111"]);
    assert_eq!(card_numbers(b"\"pan\":\"371449635398431\",36148900647913"), ["371449635398431", "36148900647913"]);
    assert!(card_numbers(b"AID A000000333010106 at 1795226400004 STAN 000012").is_empty());
    assert_eq!(card_numbers(b"000000333010106, 179522640004"), ["000000333010106", "179522640004"]);
}

#[test]
fn p8_no_card_data_in_any_file_once_it_is_answered() {
    let mut bench = Bench::ready(1);
    let mut secrets = Vec::new();
    for n in 0..5 {
        let id = bench.charge(&Sale::nth(n)).0;
        secrets.push(ciphertext(&mut bench, id));
    }
    if cfg!(not(feature = "sqlcipher")) {
        assert!(files(&bench).iter().any(|(_, bytes)| contains(bytes, &secrets[0])), "the test can see it");
    }
    bench.drain();
    for (name, bytes) in files(&bench) {
        for secret in &secrets {
            assert!(!contains(&bytes, &secret[..40]), "ciphertext in {name}");
            assert!(!contains(&bytes, hex(&secret[..20]).as_bytes()), "ciphertext in {name}, as hex");
        }
        assert_eq!(but_for_references(&bench, card_numbers(&bytes)), Vec::<String>::new(), "in {name}");
    }
}

#[test]
fn p8_no_card_data_in_the_files_after_a_live_sale_and_a_while() {
    let mut bench = Bench::ready(1);
    bench.spoil(super::bench::LIVE, 1, Fault::Late);
    let sale = Sale::live(1_000);
    let id = bench.begin(&sale).unwrap();
    bench.present(id, &sale);
    bench.run();
    let secret = ciphertext(&mut bench, id);
    bench.deliver_late(false);
    bench.live_on(MINUTE);
    for (name, bytes) in files(&bench) {
        assert!(!contains(&bytes, &secret[..40]), "ciphertext in {name}");
    }
}

#[test]
fn p8_no_card_data_in_events_views_errors_and_debug_prints() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    let secret = ciphertext(&mut bench, id);
    bench.spoil(super::bench::BATCH, 1, Fault::Portal);
    bench.sync();
    let mut said = format!("{:?}", bench.detail(id));
    said.push_str(&format!("{:?}", bench.payments()));
    said.push_str(&format!("{:?}", bench.ask(Command::Status)));
    said.push_str(&format!("{:?}", bench.cancel(id)));
    said.push_str(&format!("{:?}", bench.begin(&Sale::offline(-1))));
    let sale = Sale::live(2_000);
    let other = bench.begin(&sale).unwrap();
    bench.present(other, &sale);
    for sent in &bench.outbox {
        said.push_str(&format!("{:?}", sent.request));
    }
    for flight in bench.engine().in_flight.values() {
        said.push_str(&format!("{:?}", flight.operation));
    }
    said.push_str(&format!("{:?}", bench.reader));
    said.push_str(&format!("{:?}", bench.engine().ledger));
    bench.run();
    assert!(!said.contains(&hex(&secret[..20])) && !said.to_uppercase().contains(&hex(&secret[..20]).to_uppercase()));
    assert!(!contains(said.as_bytes(), &secret[..20]));
    assert!(
        !said.contains(&format!("{}, {}, {}, {}", secret[0], secret[1], secret[2], secret[3])),
        "as a list of bytes"
    );
    assert_eq!(but_for_references(&bench, card_numbers(said.as_bytes())), Vec::<String>::new());
    assert!(said.contains("0048"), "the last four are for everybody");
}

/// What the reader says in clear beside the ciphertext: the holder's name, expiry with service code, the track's form.
const IN_CLEAR: [&str; 4] = ["CARDHOLDER", "2812201", "=2812", ";6222"];

/// The last day of the card, as the chip tells it: in bytes, and as they print.
const EXPIRES: [u8; 6] = [0x5F, 0x24, 0x03, 0x28, 0x12, 0x31];
const EXPIRES_SHOWN: [&str; 3] = ["281231", "40, 18, 49", "28, 12, 31"];

fn in_clear(bytes: &[u8]) -> Vec<&'static str> {
    let mut found: Vec<_> =
        IN_CLEAR.into_iter().chain(EXPIRES_SHOWN).filter(|needle| contains(bytes, needle.as_bytes())).collect();
    if contains(bytes, &EXPIRES) {
        found.push("5F24");
    }
    found
}

/// No file holds what a reader said in clear, nor anything like a card number.
fn assert_clean_files(bench: &Bench, when: &str) {
    for (name, bytes) in files(bench) {
        assert_eq!(in_clear(&bytes), Vec::<&str>::new(), "in {name}, {when}");
        assert_eq!(but_for_references(bench, card_numbers(&bytes)), Vec::<String>::new(), "in {name}, {when}");
    }
}

/// All of it but what only prints so.
fn seen_where_it_is() -> Vec<&'static str> {
    IN_CLEAR.into_iter().chain(["5F24"]).collect()
}

/// A whole sale; answers every value the reader said.
fn listened_to(bench: &mut Bench, sale: &Sale) -> (PaymentId, Vec<u8>) {
    let id = bench.begin(sale).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    bench.reader.present(sale.card.clone());
    let mut said = Vec::new();
    while let Some(value) = bench.reader.outbound() {
        said.extend_from_slice(&value);
        let generation = bench.generation;
        let step = bench.link(id, LinkEvent::Bytes { generation, value });
        assert!(step.writes.is_empty());
    }
    (id, said)
}

#[test]
fn p8_what_a_reader_says_in_clear_beside_the_ciphertext_is_neither_kept_nor_said() {
    let mut bench = Bench::ready(1);
    let (id, said) = listened_to(&mut bench, &Sale::offline(1_000));
    assert_eq!(in_clear(&said), seen_where_it_is(), "the scan sees it where it is");
    let logs = files(&bench).into_iter().filter(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty());
    assert_eq!(logs.count(), 1, "what was just written is in the log");
    assert_clean_files(&bench, "with the sale in the log");
    let planted = bench.dir.path().join("planted");
    fs::write(&planted, &said).unwrap();
    let found = files(&bench).into_iter().find(|(name, _)| name.ends_with("planted")).unwrap().1;
    assert_eq!(in_clear(&found), seen_where_it_is(), "and in a file");
    fs::remove_file(planted).unwrap();

    let mut texts = format!("{:?} {:?}", bench.detail(id), bench.payments());
    for copy in [ReceiptCopy::Customer, ReceiptCopy::Merchant] {
        for language in [Language::Zh, Language::En] {
            let detail = bench.detail(id);
            let paper = Paper { detail: &detail, merchant: None, copy, printed: 0, language, at: String::new() };
            texts.push_str(&format!("{:?}", receipt(&paper)));
        }
    }
    texts.push_str(&format!("{:?}", bench.status()));
    texts.push_str(&format!("{:?}", bench.reader));
    texts.push_str(&format!("{:?}", bench.engine().ledger));
    // Card data that cannot be used, and a disk that refuses what can: both make errors.
    bench.reader.fail(Failure::SpoilsCardData);
    let (spoilt, _) = listened_to(&mut bench, &Sale::offline(2_000));
    texts.push_str(&format!("{:?}", bench.outcome(spoilt)));
    bench.lose_link(spoilt);
    bench.refuse_to_write("card_read");
    let sale = Sale::offline(3_000);
    let refused = bench.begin(&sale).unwrap();
    bench.try_to_present(refused, &sale);
    texts.push_str(&format!("{:?} {:?}", bench.outcome(refused), bench.status()));
    bench.mend_the_disk();
    bench.live_on(MINUTE);
    bench.drain();
    texts.push_str(&format!("{:?} {:?}", bench.alerts(), bench.detail(refused)));

    assert_eq!(in_clear(texts.as_bytes()), Vec::<&str>::new());
    assert_eq!(but_for_references(&bench, card_numbers(texts.as_bytes())), Vec::<String>::new());
    assert_clean_files(&bench, "at the end");
}

#[test]
fn p8_what_the_engine_says_when_it_fails_holds_no_card_data() {
    let mut bench = Bench::ready(1);
    let (id, said) = listened_to(&mut bench, &Sale::live(1_000));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let engine = bench.engine();
        let shown = format!(
            "{:?}",
            engine.charges.get(&id).map(|charge| charge.reader.as_ref().map(|(_, reader)| format!("{reader:?}")))
        );
        panic!("as somebody might put it: {shown}");
    }));
    let payload = caught.unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("Reader"), "the session is in it: {text}");
    assert_eq!((in_clear(text.as_bytes()), card_numbers(text.as_bytes())), (Vec::new(), Vec::new()));
    assert_eq!(in_clear(&said), seen_where_it_is());
}
