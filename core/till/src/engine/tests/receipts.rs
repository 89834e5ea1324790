//! What a receipt says of the card, and when the reader's last words reach the disk.

use takings_domain::{EntryMode, PaymentId};
use takings_readers::simulated::{BY_SIGNATURE, Behaviour, CardScript, Failure};
use takings_readers::{VendorEvent, VendorReceipt};

use super::bench::{Bench, LIVE};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, LinkEvent};
use crate::receipt::{Paper, receipt};
use crate::texts::Language;
use crate::views::ReceiptCopy;

fn lines(bench: &Bench, id: PaymentId, copy: ReceiptCopy, printed: u32, language: Language) -> Vec<String> {
    let detail = bench.detail(id);
    let at = "2026-11-21 10:00:00 +08:00".to_owned();
    receipt(&Paper { detail: &detail, merchant: None, copy, printed, language, at }).lines
}

/// Begins a sale and brings the reader to where it waits for the card.
fn waiting(bench: &mut Bench, sale: &Sale) -> PaymentId {
    let id = bench.begin(sale).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    id
}

fn signed() -> Sale {
    let card = CardScript::new("6222", "0048", EntryMode::Chip).verified(BY_SIGNATURE);
    Sale { card, ..Sale::offline(1_250) }
}

#[test]
fn a_receipt_names_application_verification_and_where_to_sign() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&signed()).0;
    let stan = bench.view(id).stan;
    let batch = bench.view(id).batch_number;
    assert_eq!(
        lines(&bench, id, ReceiptCopy::Merchant, 0, Language::En),
        [
            "MERCHANT COPY",
            "Amount 12.50 CNY",
            "2026-11-21 10:00:00 +08:00",
            "Card unionpay •••• 0048 chip",
            "Application UNIONPAY DEBIT AID A000000333010101",
            "Verification: signature",
            "Results TVR 0000008000 TSI E800",
            &format!("STAN {stan}  Batch {batch}"),
            "ACCEPTED OFFLINE: the bank has not answered and may still decline",
            "SIGNATURE ______________________",
        ]
    );
    let customer = lines(&bench, id, ReceiptCopy::Customer, 2, Language::Zh);
    assert_eq!(customer[..2], ["持卡人存根", "重打印 2"]);
    assert!(
        customer.contains(&"持卡人验证 签名".to_owned()) && customer.contains(&"卡 unionpay •••• 0048 插卡".to_owned())
    );
    assert!(
        !customer.iter().any(|line| line.contains("____")),
        "the customer keeps a copy and signs none: {customer:?}"
    );

    // Answered, it names what the acquirer said.
    bench.drain();
    let answered = lines(&bench, id, ReceiptCopy::Merchant, 0, Language::En);
    let view = bench.view(id);
    for reference in [format!("RRN {}", view.rrn.unwrap()), format!("Approval {}", view.auth_code.unwrap())] {
        assert!(answered.contains(&reference), "{answered:?}");
    }
    assert!(answered.contains(&"APPROVED (accepted offline)".to_owned()));
}

#[test]
fn a_reader_that_asks_for_a_signature_by_its_code_alone_gets_a_line_to_sign_on() {
    for (code, asked) in [([0x10, 0x02, 0x07, 0x01], true), ([0x10, 0x02, 0x07, 0x00], false)] {
        let mut bench = Bench::ready(1);
        bench.reader.fail(Failure::NoReceiptData);
        let card = CardScript::new("6222", "0048", EntryMode::Chip).behaving(Behaviour::OnlineThenEndsWith(code));
        let (id, outcome) = bench.charge(&Sale { card, ..Sale::offline(1_250) });
        assert_eq!(outcome, ChargeOutcome::Saved);
        let printed = lines(&bench, id, ReceiptCopy::Merchant, 0, Language::En);
        assert!(!printed.iter().any(|line| line.contains("AID")), "{printed:?}");
        assert_eq!(printed.iter().any(|line| line.contains("____")), asked, "{printed:?}");
    }
}

#[test]
fn what_another_makers_sdk_tells_of_terminal_and_application_is_printed() {
    let told = |aid_hex: &str| {
        let mut bench = Bench::ready(1);
        let id = bench.begin(&Sale::offline(1_250)).unwrap();
        super::vendor::plug_in(&mut bench, id, 1).unwrap();
        let receipt = VendorReceipt {
            aid_hex: aid_hex.to_owned(),
            application_name: "Visa Debit".to_owned(),
            cvm_result_hex: "410302".to_owned(),
            tvr_hex: "8040008000".to_owned(),
            tsi_hex: "e800".to_owned(),
            signature_needed: false,
        };
        let said = [super::vendor::started(id), super::vendor::card(), VendorEvent::ReceiptData(receipt)];
        for event in said {
            bench.link(id, LinkEvent::Vendor { generation: 1, event });
        }
        bench.link(id, LinkEvent::Down { generation: 1 });
        lines(&bench, id, ReceiptCopy::Merchant, 0, Language::En)
    };
    let printed = told("A0000000031010");
    for line in ["Application Visa Debit AID A0000000031010", "Verification: PIN, checked by the chip"] {
        assert!(printed.contains(&line.to_owned()), "{line}: {printed:?}");
    }
    assert!(printed.contains(&"Results TVR 8040008000 TSI E800".to_owned()), "{printed:?}");
    // The number begins as UnionPay's do; the application that was used is Visa's.
    assert!(printed.contains(&"Card visa •••• 0048 chip".to_owned()), "{printed:?}");
    let unlisted = told("F000000001");
    assert!(unlisted.contains(&"Card unionpay •••• 0048 chip".to_owned()), "{unlisted:?}");
}

#[test]
fn what_the_card_does_not_have_is_not_printed() {
    let mut bench = Bench::ready(1);
    // A stripe has no application.
    let swiped = Sale { card: CardScript::new("6222", "0048", EntryMode::Stripe), ..Sale::offline(1_000) };
    let id = bench.charge(&swiped).0;
    let printed = lines(&bench, id, ReceiptCopy::Merchant, 0, Language::En);
    let of_a_chip = |line: &String| line.contains("AID") || line.contains("____") || line.contains("Verification");
    assert!(!printed.iter().any(of_a_chip), "{printed:?}");

    // Before the reader said a last word nothing is known of the application.
    let sale = Sale::offline(1_000);
    let id = waiting(&mut bench, &sale);
    bench.talk_until_saved(id, sale.card);
    let printed = lines(&bench, id, ReceiptCopy::Merchant, 0, Language::En);
    assert!(!printed.iter().any(of_a_chip), "{printed:?}");

    // Nobody signs for nothing.
    let refused = Sale { amount: 99_999_999, ..signed() };
    let (id, outcome) = bench.charge(&refused);
    assert!(matches!(outcome, ChargeOutcome::NotCharged { .. }), "{outcome:?}");
    let printed = lines(&bench, id, ReceiptCopy::Merchant, 0, Language::En);
    assert!(!printed.iter().any(|line| line.contains("____")), "{printed:?}");
}

#[test]
fn the_readers_last_words_share_one_commit_and_none_of_them_keeps_a_customer_waiting() {
    let mut bench = Bench::ready(1);
    let sale = Sale::offline(1_000);
    let id = waiting(&mut bench, &sale);
    bench.talk_until_saved(id, sale.card);
    assert_eq!((bench.count(id, "reader_concluded"), bench.count(id, "receipt_data_read")), (0, 0));
    let before = bench.commits();
    let mut none = std::collections::VecDeque::new();
    bench.talk(id, &mut none, None);
    assert_eq!((bench.count(id, "reader_concluded"), bench.count(id, "receipt_data_read")), (1, 1));
    assert_eq!(bench.commits() - before, 1, "both in one");
    bench.lose_link(id);
    assert_eq!((bench.count(id, "reader_concluded"), bench.count(id, "receipt_data_read")), (1, 1));
    bench.assert_verified();
}

#[test]
fn last_words_outlive_a_lost_link_the_background_and_a_failed_commit() {
    // The link goes between the outcome and the receipt's data.
    let half = |bench: &mut Bench| {
        let sale = Sale::offline(1_000);
        let id = waiting(bench, &sale);
        bench.talk_until_saved(id, sale.card);
        while bench.reader.stage() != takings_readers::simulated::Stage::OutcomeSent {
            let value = bench.reader.outbound().unwrap();
            let generation = bench.generation;
            bench.link(id, LinkEvent::Bytes { generation, value });
        }
        assert_eq!(bench.count(id, "reader_concluded"), 0, "held for the receipt's data");
        id
    };
    let mut bench = Bench::ready(1);
    let id = half(&mut bench);
    bench.lose_link(id);
    assert_eq!(bench.count(id, "reader_concluded"), 1);

    let mut bench = Bench::ready(2);
    let id = half(&mut bench);
    bench.ask(Command::Background).unwrap();
    assert_eq!(bench.count(id, "reader_concluded"), 1);

    let mut bench = Bench::ready(3);
    let id = half(&mut bench);
    bench.ask(Command::Leave { payment: id }).unwrap();
    assert_eq!(bench.count(id, "reader_concluded"), 1);

    // The disk refuses, and is mended before the reader goes.
    let mut bench = Bench::ready(4);
    let id = half(&mut bench);
    bench.refuse_to_write("reader_concluded");
    assert!(bench.ask(Command::Background).is_err());
    bench.mend_the_disk();
    bench.lose_link(id);
    assert_eq!(bench.count(id, "reader_concluded"), 1);
    bench.assert_verified();
}

#[test]
fn the_answer_to_a_live_payment_takes_the_readers_words_along() {
    let mut bench = Bench::ready(1);
    let sale = Sale { card: CardScript::new("6222", "0048", EntryMode::Chip), ..Sale::live(1_000) };
    let id = bench.begin(&sale).unwrap();
    bench.present(id, &sale);
    assert_eq!(bench.count(id, "receipt_data_read"), 0, "the customer waits for the answer alone");
    bench.run();
    assert!(matches!(bench.outcome(id), Some(ChargeOutcome::Approved { .. })));
    assert_eq!((bench.count(id, "reader_concluded"), bench.count(id, "receipt_data_read")), (1, 1));

    // No answer: the words are kept with the doubt.
    bench.spoil(LIVE, 1, Fault::DropAnswer);
    let id = bench.charge(&Sale { amount: 2_000, ..sale }).0;
    assert_eq!((bench.count(id, "reader_concluded"), bench.count(id, "receipt_data_read")), (1, 1));
    bench.good_line();
    bench.drain();
    bench.judge();
}

#[test]
fn an_end_that_nobody_expected_is_written_at_once() {
    let mut bench = Bench::ready(1);
    let card = CardScript::new("6222", "0048", EntryMode::Chip)
        .behaving(Behaviour::OnlineThenEndsWith([0x10, 0x02, 0x80, 0x00]));
    let sale = Sale { card: card.clone(), ..Sale::offline(1_000) };
    let id = waiting(&mut bench, &sale);
    bench.talk_until_saved(id, card);
    while bench.count(id, "reader_concluded") == 0 {
        let value = bench.reader.outbound().expect("before the receipt's data");
        let generation = bench.generation;
        bench.link(id, LinkEvent::Bytes { generation, value });
    }
    assert_eq!(bench.count(id, "receipt_data_read"), 0);
    bench.lose_link(id);
    bench.judge();
}
