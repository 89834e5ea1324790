//! What each "operation complete" code means, and the order of an end, card data and batch.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use takings_readers::dynaflex::commands::{NOTE_COMPLETE, NOTE_TRANSACTION};
use takings_readers::dynaflex::message;
use takings_readers::dynaflex::status::Status;
use takings_readers::online_request::MAX_BLOB_LEN;
use takings_readers::outcome::{Completion, completion, signature_wanted};
use takings_readers::tlv::{self, Tag};
use takings_readers::{Asked, Fault, Outcome, ReaderEvent, ReaderInput, Refusal, StartRequest, TimerId};

use crate::bench::{online_requests, outcomes, payment};
use crate::raw::Raw;
use crate::vectors;

/// The maker's table: code, and what it means.
pub(crate) fn listed() -> &'static BTreeMap<[u8; 4], Completion> {
    static LISTED: LazyLock<BTreeMap<[u8; 4], Completion>> = LazyLock::new(written_out);
    &LISTED
}

/// What the table says of any code.
pub(crate) fn meaning(code: [u8; 4]) -> Completion {
    listed().get(&code).copied().unwrap_or(Completion::Decided(Outcome::Unknown))
}

/// An approval, or one left to the acquirer: there is none without card data.
pub(crate) fn needs_card_data(end: Outcome) -> bool {
    matches!(end, Outcome::ApprovedByCard | Outcome::ApprovedOffline | Outcome::Deferred)
}

fn written_out() -> BTreeMap<[u8; 4], Completion> {
    use Completion::{Confirmation, Decided, Interim, Irrelevant};
    let mut table = BTreeMap::new();
    let mut put = |code: u32, meaning| {
        assert_eq!(table.insert(code.to_be_bytes(), meaning), None, "{code:08X}");
    };
    put(0x0001_0000, Decided(Outcome::TimedOut));
    put(0x0003_0100, Decided(Outcome::Cancelled));
    put(0x0003_0200, Decided(Outcome::Cancelled));
    put(0x0803_0500, Decided(Outcome::ReadError));
    put(0x0703_0500, Decided(Outcome::ReadError));
    put(0x1002_0002, Decided(Outcome::FallbackChipRetry));
    put(0x1002_0F02, Decided(Outcome::FallbackChipRetry));
    put(0x1002_0803, Decided(Outcome::FallbackMagstripe));
    put(0x1002_0903, Decided(Outcome::FallbackMagstripe));
    put(0x1004_0700, Confirmation);
    put(0x2004_0700, Confirmation);
    put(0x0704_0000, Confirmation);
    put(0x2005_0000, Irrelevant);
    for technology in [0x1002_0000, 0x2002_0000] {
        put(technology | 0x0E00, Interim);
        for (detail, outcome) in [
            (0x0000, Outcome::Failed),
            (0x0100, Outcome::TryOtherInterface),
            (0x0300, Outcome::DeclinedOffline),
            (0x0400, Outcome::Failed),
            (0x0500, Outcome::NotAccepted),
            (0x0800, Outcome::Failed),
            (0x0900, Outcome::NotAccepted),
            (0x0A00, Outcome::Cancelled),
            (0x0B00, Outcome::TryAgain),
            (0x0C00, Outcome::TryAgain),
            (0x0D00, Outcome::TryAgain),
            (0x0F00, Outcome::Failed),
            (0x1000, Outcome::NotAccepted),
        ] {
            put(technology | detail, Decided(outcome));
        }
        for signature in [0x00, 0x01, 0x04, 0x05, 0x06] {
            put(technology | 0x0200 | signature, Decided(Outcome::ApprovedOffline));
        }
    }
    for technology in [0x0802_0000, 0x1002_0000, 0x2002_0000] {
        for signature in [0x00, 0x01, 0x04, 0x05, 0x06] {
            put(technology | 0x0600 | signature, Decided(Outcome::ApprovedByCard));
            put(technology | 0x0700 | signature, Decided(Outcome::Deferred));
            put(technology | 0x8000 | signature, Decided(Outcome::Declined));
        }
    }
    table
}

/// Every code that is near the table, listed or not.
fn near_codes() -> impl Iterator<Item = [u8; 4]> {
    let technologies = [0x00, 0x01, 0x07, 0x08, 0x10, 0x18, 0x20, 0x30, 0xFF];
    technologies.into_iter().flat_map(|technology| {
        (0..=6_u8).flat_map(move |reason| {
            (0..=255_u8).flat_map(move |detail| (0..=9_u8).map(move |extra| [technology, reason, detail, extra]))
        })
    })
}

#[test]
fn p3_an_unlisted_code_is_unknown() {
    for code in near_codes() {
        assert_eq!(completion(code), meaning(code), "{code:02X?}");
        if signature_wanted(code) {
            assert_eq!(code[3], 1, "{code:02X?}");
        }
    }
    assert_eq!(completion([0x20, 0, 0, 0]), Completion::Decided(Outcome::Unknown));
}

#[test]
fn an_end_may_come_before_its_card_data() {
    let mut raw = Raw::running();
    raw.say(&vectors::bytes("mms.done.quickchip.ntf"));
    assert_eq!(raw.events(), []);
    raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
    let events = raw.events();
    assert_eq!(online_requests(&events).len(), 1);
    assert_eq!(outcomes(&events), [(Outcome::Deferred, Some([0x10, 0x02, 0x07, 0x00]))]);

    // And if another end comes instead, nobody knows.
    let mut raw = Raw::running();
    raw.say(&vectors::bytes("mms.done.quickchip.ntf"));
    raw.say(&vectors::bytes("mms.done.approved.ntf"));
    assert_eq!(outcomes(&raw.events())[0].0, Outcome::Unknown);
}

#[test]
fn the_batch_counts_before_and_after_the_end_and_once() {
    let batch = vectors::bytes("mms.batch.ntf");
    let done = vectors::bytes("mms.done.quickchip.ntf");
    for order in [[&batch, &done, &batch], [&done, &batch, &batch], [&batch, &batch, &done]] {
        let mut raw = Raw::online();
        order.into_iter().for_each(|message| raw.say(message));
        let events = raw.events();
        let receipts = events.iter().filter(|event| matches!(event, ReaderEvent::ReceiptData(_)));
        assert_eq!(receipts.count(), 1);
        assert_eq!(outcomes(&events).len(), 1);
    }
    // A missing batch holds nothing up.
    let mut raw = Raw::concluded();
    raw.fire(TimerId::Closing);
    raw.give(ReaderInput::Start(payment(1)));
    assert!(raw.reader.has_open_payment());
    raw.say(&batch);
    assert_eq!(raw.events(), [], "the batch of the payment before");
}

#[test]
fn p2_card_data_sent_again_makes_no_second_request() {
    let arqc = vectors::bytes("mms.arqc.ntf.sanitised");
    for mut raw in [Raw::online(), Raw::concluded()] {
        // The key may change from one sending to the next: bytes say nothing.
        let mut other = arqc.clone();
        other[500..505].copy_from_slice(&[9; 5]);
        raw.say(&arqc);
        raw.say(&other);
        assert_eq!(raw.events(), []);
    }
    // With no payment it is dropped, and that is told.
    for mut raw in [Raw::ready(), Raw::starting()] {
        raw.outputs.clear();
        raw.say(&arqc);
        assert_eq!(raw.events(), [ReaderEvent::Fault(Fault::StrayCardData)]);
    }
    let mut raw = Raw::running();
    raw.note(NOTE_COMPLETE, [0, 1, 0, 0]);
    raw.outputs.clear();
    raw.say(&arqc);
    assert_eq!(raw.events(), [ReaderEvent::Fault(Fault::StrayCardData)]);
}

#[test]
fn broken_card_data_makes_no_request() {
    let mut arqc = vectors::bytes("mms.arqc.ntf.sanitised");
    arqc[509] = 0x00; // Not DUKPT.
    let mut raw = Raw::running();
    raw.say(&arqc);
    assert_eq!(raw.events(), [ReaderEvent::Fault(Fault::CardData)]);
    raw.note(NOTE_COMPLETE, [0x10, 0x02, 0x07, 0x00]);
    raw.fire(TimerId::Closing);
    assert_eq!(outcomes(&raw.events())[0].0, Outcome::Unknown);
}

/// Card data with so many bytes of ciphertext, as the reader would send it.
fn card_data(ciphertext_len: usize) -> Vec<u8> {
    let level = |tag, members: &[(u32, &[u8])]| {
        let mut body = Vec::new();
        members.iter().for_each(|(tag, value)| tlv::put(&mut body, Tag(*tag), value));
        tlv::object(Tag(tag), &body)
    };
    let content = |object: &[u8], tag| tlv::find(object, Tag(tag)).unwrap().unwrap().to_vec();
    let ciphertext = vec![7; ciphertext_len];
    let encrypted =
        level(0xF8, &[(0xDF_DF59, &ciphertext), (0xDF_DF56, &[9; 10]), (0xDF_DF57, &[0x80]), (0xDF_DF58, &[0])]);
    let track: &[u8] = b";5413000000000029=2812201000000?";
    let members = level(0x70, &[(0xDF_DF4D, track), (0xDF_DF52, &[0x05]), (0xF8, &content(&encrypted, 0xF8))]);
    let generic = level(0xFA, &[(0x70, &content(&members, 0x70))]);
    let container = level(0xF9, &[(0xDF_DF25, b"B61378A111919AA"), (0xFA, &content(&generic, 0xFA))]);
    let mut wrapped = u16::try_from(container.len()).unwrap().to_be_bytes().to_vec();
    wrapped.extend_from_slice(&container);
    message::notification(NOTE_TRANSACTION, [0x10, 0x08, 0x02, 0x02], Some(&tlv::object(Tag(0x84), &wrapped)))
}

/// The acquirer takes no longer one: kept, it would be said to be saved and could never be sent.
#[test]
fn card_data_that_is_too_long_for_the_acquirer_is_none() {
    let told = |len| {
        let mut raw = Raw::running();
        raw.say(&card_data(len));
        raw.events()
    };
    // What stands around the ciphertext is the same for both lengths.
    let [ReaderEvent::OnlineRequest(request)] = &told(8_000)[..] else { panic!() };
    let around = request.blob.expose().len() - 8_000;
    let most = (MAX_BLOB_LEN - around) / 8 * 8;
    assert!(matches!(told(most)[..], [ReaderEvent::OnlineRequest(_)]), "{most}");
    assert_eq!(told(most + 8), [ReaderEvent::Fault(Fault::CardData)]);
    assert_eq!(told(40_000), [ReaderEvent::Fault(Fault::CardData)]);
}

#[test]
fn a_chip_card_is_not_swiped_before_its_chip_failed() {
    let mut swiped = vectors::bytes("mms.arqc.ntf.sanitised");
    swiped[10] = 0x08;
    swiped[152] = 0x07;
    let mut raw = Raw::running();
    raw.say(&swiped);
    let events = raw.events();
    assert!(
        online_requests(&events).is_empty() && outcomes(&events).is_empty(),
        "the reader is still at it: {events:?}"
    );
    raw.note(NOTE_COMPLETE, [0x08, 0x02, 0x07, 0x00]);
    assert_eq!(outcomes(&raw.events()), [(Outcome::TryOtherInterface, None)]);
    // Sent again it is not another card, and a reader that never comes to the end is not waited for.
    let mut raw = Raw::running();
    raw.say(&swiped);
    raw.say(&swiped);
    raw.fire(TimerId::Closing);
    assert_eq!(outcomes(&raw.events()), [(Outcome::TryOtherInterface, None)]);
    // An end that came before the data waits for nothing.
    let mut raw = Raw::running();
    raw.note(NOTE_COMPLETE, [0x08, 0x02, 0x07, 0x00]);
    raw.say(&swiped);
    assert_eq!(outcomes(&raw.events()), [(Outcome::TryOtherInterface, None)]);

    // Once its chip failed, which whoever starts it knows, it is a fallback.
    let mut raw = Raw::ready();
    raw.give(ReaderInput::Start(StartRequest { chip_failed: true, ..payment(5) }));
    raw.answer_last(Status::STARTED);
    raw.outputs.clear();
    raw.say(&swiped);
    let events = raw.events();
    assert_eq!(online_requests(&events)[0].entry_mode, takings_readers::EntryMode::Fallback);
    // And for the next payment it is not.
    raw.note(NOTE_COMPLETE, [0x08, 0x02, 0x07, 0x00]);
    raw.give(ReaderInput::Start(payment(5)));
    raw.answer_last(Status::STARTED);
    raw.outputs.clear();
    raw.say(&swiped);
    assert_eq!(online_requests(&raw.events()).len(), 0);

    let mut licence = vectors::bytes("mms.arqc.ntf.sanitised");
    licence[152] = 0x02;
    let mut raw = Raw::running();
    raw.say(&licence);
    assert_eq!(outcomes(&raw.events()), [(Outcome::NotAccepted, None)]);
}

/// What belongs to a payment that ended may hold the reader a moment longer.
#[test]
fn a_reader_that_is_still_at_the_payment_before_is_asked_again() {
    const BUSY: Status = Status::refused([0x02, 0x03, 0x08]);
    let again = || {
        let mut raw = Raw::running();
        raw.note(NOTE_COMPLETE, [0x10, 0x02, 0x0D, 0x00]);
        raw.outputs.clear();
        raw.give(ReaderInput::Start(payment(5)));
        raw.answer_last(BUSY);
        raw
    };
    let mut raw = again();
    raw.fire(TimerId::Closing);
    raw.answer_last(Status::STARTED);
    assert_eq!(raw.events(), [ReaderEvent::Started]);

    // So often, and no more.
    let mut raw = again();
    for _ in 0..3 {
        assert_eq!(raw.events(), []);
        raw.fire(TimerId::Closing);
        raw.answer_last(BUSY);
    }
    assert_eq!(raw.events(), [ReaderEvent::Refused { asked: Asked::Start, refusal: Refusal::Busy }]);

    // Whoever stops it meanwhile has stopped it.
    let mut raw = again();
    raw.give(ReaderInput::Cancel);
    assert_eq!(outcomes(&raw.events()), [(Outcome::Cancelled, None)]);

    // A reader that is busy with somebody else's payment says so at once.
    let mut raw = Raw::ready();
    raw.give(ReaderInput::Start(payment(5)));
    raw.answer_last(BUSY);
    assert_eq!(raw.events(), [ReaderEvent::Refused { asked: Asked::Start, refusal: Refusal::Busy }]);
}

#[test]
fn card_events_are_told() {
    for (code, wanted) in [
        ([0x10, 0x01, 0x02, 0x00], Some("CardSeen(Contact)")),
        ([0x10, 0x01, 0x04, 0x00], Some("CardSeen(Contact)")),
        ([0x10, 0x01, 0x03, 0x00], Some("CardRemoved")),
        ([0x20, 0x01, 0x04, 0x00], Some("CardSeen(Contactless)")),
        ([0x20, 0x01, 0x05, 0x00], Some("SeveralCards")),
        ([0x08, 0x01, 0x01, 0x00], Some("CardSeen(Magstripe)")),
        ([0x20, 0x01, 0x04, 0x07], None),
        ([0x30, 0x01, 0x01, 0x00], None),
    ] {
        let mut raw = Raw::running();
        raw.note(NOTE_TRANSACTION, code);
        let told: Vec<String> = raw.events().iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(told, wanted.into_iter().collect::<Vec<_>>(), "{code:02X?}");
    }
}
