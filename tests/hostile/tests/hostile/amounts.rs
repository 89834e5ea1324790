//! Amounts and currencies as no cash register should send them.

use serde_json::json;
use takings_domain::event::ChargeMode;
use takings_till::{ChargeOutcome, TillError};

use crate::support::{Card, Stall, charge_request, is_error};

#[test]
fn amounts_that_cannot_be_are_refused_before_anything_is_written() {
    let stall = Stall::in_business();
    let before = stall.phone.wait(stall.phone.till().status()).unwrap().last_seq;
    for amount in [0, -1, -500, i64::MIN, 1 << 53, (1 << 53) + 1, i64::MAX] {
        for mode in [ChargeMode::Offline, ChargeMode::PreferOnline, ChargeMode::RequireOnline] {
            let error = stall.try_charge(amount, mode).unwrap_err();
            assert!(is_error(&error, "fix_input", "amount"), "{amount}: {error:?}");
        }
    }
    for currency in ["", "XTS", "XAU", "cny", "CNYY", "¥¥¥", "\0\0\0", "RMB"] {
        let error =
            stall.phone.charge(charge_request(100, currency, ChargeMode::Offline), &Card::new("1234")).unwrap_err();
        assert!(is_error(&error, "fix_input", "currency"), "{currency:?}: {error:?}");
    }
    assert_eq!(stall.phone.wait(stall.phone.till().status()).unwrap().last_seq, before, "nothing was written");
}

#[test]
fn an_amount_too_large_for_the_reader_is_refused_and_nothing_hangs() {
    let stall = Stall::in_business();
    // EMV carries twelve digits.
    for amount in [1_000_000_000_000, (1 << 53) - 1] {
        for mode in [ChargeMode::PreferOnline, ChargeMode::Offline] {
            match stall.try_charge(amount, mode) {
                Err(error) => assert!(is_error(&error, "fix_input", "amount"), "{amount}: {error:?}"),
                Ok((_, outcome)) => {
                    let detail = Some("max_amount".to_owned());
                    assert!(
                        matches!(&outcome, ChargeOutcome::NotCharged { detail: why, .. } if *why == detail),
                        "{outcome:?}"
                    );
                }
            }
        }
    }
    for payment in stall.phone.payments() {
        assert_eq!(payment.stage, "not_charged", "{payment:?}");
    }
    let id = stall.keep(500);
    stall.heals(&[id], "amounts too large");
}

#[test]
fn p9_bounded_risk_a_currency_without_a_limit_is_not_accepted_offline() {
    let stall = Stall::in_business();
    for currency in ["JPY", "KWD", "USD", "EUR"] {
        let charged = stall.phone.charge(charge_request(500, currency, ChargeMode::Offline), &Card::new("1234"));
        let (id, outcome) = charged.unwrap();
        assert!(matches!(outcome, ChargeOutcome::NotCharged { .. }), "{currency}: {outcome:?}");
        assert_eq!(stall.phone.payment(&id).stage, "not_charged");
    }
    stall.verifies("other currencies");
}

#[test]
fn a_live_charge_in_a_currency_of_no_or_three_decimals_ends_in_the_acquirers_refusal() {
    let stall = Stall::in_business();
    for currency in ["JPY", "KWD"] {
        let charged = stall.phone.charge(charge_request(500, currency, ChargeMode::PreferOnline), &Card::new("1234"));
        let (id, outcome) = charged.unwrap();
        assert!(matches!(outcome, ChargeOutcome::NotCharged { .. }), "{currency}: {outcome:?}");
        let payment = stall.phone.payment(&id);
        assert_eq!(
            (payment.currency.as_str(), payment.amount_minor, payment.stage.as_str()),
            (currency, 500, "not_charged")
        );
    }
    stall.verifies("other currencies");
}

#[test]
fn yen_have_no_decimals_and_dinars_three_on_receipts_and_in_takings() {
    let stall = Stall::in_business();
    let limits = ["CNY", "JPY", "KWD"].map(|currency| {
        json!({"currency": currency, "max_amount": 500_000, "max_count_open": 100, "max_total_open": 900_000})
    });
    stall.acquirer.admin("POST", "/admin/policy", &json!({"limits": limits}));
    stall.phone.wait(stall.phone.till().sign_on()).unwrap();
    for (currency, shown) in [("JPY", "12345"), ("CNY", "123.45"), ("KWD", "12.345")] {
        let charged =
            stall.phone.charge(charge_request(12_345, currency, ChargeMode::Offline), &Card::new("1234")).unwrap();
        assert_eq!(charged.1, ChargeOutcome::Saved, "{currency}");
        let copy = takings_till::views::ReceiptCopy::Customer;
        let receipt = stall.phone.wait(stall.phone.till().receipt(&charged.0, copy)).unwrap();
        let plain = receipt.lines.join("\n").replace(',', "");
        assert!(plain.contains(shown) && plain.contains(currency), "{currency}: {:?}", receipt.lines);
    }
    let status = stall.phone.wait(stall.phone.till().status()).unwrap();
    assert_eq!(status.unsent.len(), 3, "each currency for itself: {:?}", status.unsent);
    stall.verifies("three currencies");
}

#[test]
fn order_references_of_nonsense_are_refused() {
    let stall = Stall::in_business();
    for order in [String::new(), "\0".into(), "a\nb".into(), "x".repeat(65), "\u{1b}[31m".into()] {
        let mut request = charge_request(100, "CNY", ChargeMode::Offline);
        request.order_reference = Some(order.clone());
        let error = stall.phone.charge(request, &Card::new("1234")).unwrap_err();
        assert!(is_error(&error, "fix_input", "order_reference"), "{order:?}: {error:?}");
    }
    // Odd, but text: kept as it is, found again, and charged once only.
    for order in ["'; DROP TABLE event; --", "订单 7", "%_", "🧧🧧🧧", "a\u{301}"] {
        let mut request = charge_request(100, "CNY", ChargeMode::Offline);
        request.order_reference = Some(order.to_owned());
        let (id, _) = stall.phone.charge(request.clone(), &Card::new("1234")).unwrap();
        assert_eq!(stall.phone.payment(&id).order_reference.as_deref(), Some(order));
        let again = stall.phone.charge(request, &Card::new("1234")).unwrap_err();
        assert!(matches!(again, TillError::AskMerchant { code: "order_already_charged", .. }), "{order}: {again:?}");
    }
    stall.verifies("odd orders");
}
