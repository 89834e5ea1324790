//! Fees to the minor unit.

use proptest::prelude::*;
use takings_domain::settlement::{Funding, Price, Rate, SettlementError, fee, fee_estimate};
use takings_domain::{Currency, MAX_AMOUNT_MINOR, Money};

fn money(amount_minor: i64, code: &str) -> Money {
    Money::new(amount_minor, Currency::from_code(code).unwrap()).unwrap()
}

fn price(funding: Funding, rate: &str, cap: Option<i64>, min: Option<i64>) -> Price {
    let cny = |amount| money(amount, "CNY");
    Price { funding, rate: Rate::parse(rate).unwrap(), cap: cap.map(cny), min: min.map(cny) }
}

fn debit() -> Price {
    price(Funding::Debit, "0.0050", Some(2_000), Some(0))
}

fn credit() -> Price {
    price(Funding::Credit, "0.0060", None, None)
}

#[test]
fn the_examples_to_the_fen() {
    let debit_fees = [(1, 0), (100, 1), (10_050, 50), (399_900, 2_000), (400_000, 2_000), (1_000_000, 2_000)];
    for (amount, expected) in debit_fees {
        assert_eq!(fee(money(amount, "CNY"), &debit()).unwrap(), money(expected, "CNY"), "debit {amount}");
    }
    for (amount, expected) in [(99, 1), (10_050, 60), (399_900, 2_399), (1_000_000, 6_000)] {
        assert_eq!(fee(money(amount, "CNY"), &credit()).unwrap(), money(expected, "CNY"), "credit {amount}");
    }
}

#[test]
fn half_goes_up_and_less_goes_down() {
    let at = |amount| fee(money(amount, "CNY"), &credit()).unwrap().amount_minor();
    assert_eq!((at(83), at(84), at(250), at(249)), (0, 1, 2, 1));
}

#[test]
fn the_least_and_the_most() {
    let both = price(Funding::Any, "0.01", Some(50), Some(10));
    let at = |amount| fee(money(amount, "CNY"), &both).unwrap().amount_minor();
    assert_eq!((at(1), at(1_000), at(2_000), at(1_000_000)), (10, 10, 20, 50));
    let contradictory = price(Funding::Any, "0.01", Some(5), Some(10));
    assert_eq!(fee(money(1, "CNY"), &contradictory).unwrap(), money(5, "CNY"));
}

#[test]
fn currencies_without_and_with_three_decimals() {
    let plain = Price { funding: Funding::Any, rate: Rate::parse("0.0325").unwrap(), cap: None, min: None };
    assert_eq!(fee(money(1_000, "JPY"), &plain).unwrap(), money(33, "JPY"));
    assert_eq!(fee(money(12_345, "KWD"), &plain).unwrap(), money(401, "KWD"));
    assert_eq!(fee(money(1_000, "JPY"), &debit()), Err(SettlementError::NoPrice), "a cap in another currency");
}

#[test]
fn rates_are_plain_decimals_between_nothing_and_all() {
    for (text, billionths) in
        [("0.0050", 5_000_000), ("0", 0), ("1", 1_000_000_000), ("1.000000", 1_000_000_000), ("0.000325", 325_000)]
    {
        assert_eq!(Rate::parse(text).unwrap().parts_per_billion(), billionths, "{text}");
    }
    assert_eq!(Rate::parse("0.0000000010").unwrap().parts_per_billion(), 1, "zeros at the end do not count");
    for text in
        ["", ".", ".5", "5.", "-0.1", "+0.1", "1e-3", "0,005", "1.000000001", "2", "0.0000000001", "0.5 ", "٠.٥"]
    {
        assert!(Rate::parse(text).is_err(), "{text}");
    }
    let rate: Rate = serde_json::from_str("\"0.006\"").unwrap();
    assert_eq!(serde_json::to_string(&rate).unwrap(), "\"0.006000000\"");
}

#[test]
fn a_range_while_the_funding_is_unknown() {
    let pricing = [debit(), credit()];
    let of = |amount, funding| {
        let range = fee_estimate(money(amount, "CNY"), &pricing, funding).unwrap();
        (range.min.amount_minor(), range.max.amount_minor())
    };
    assert_eq!(of(1_000_000, Funding::Unknown), (2_000, 6_000));
    assert_eq!(of(1_000_000, Funding::Debit), (2_000, 2_000));
    assert_eq!(of(1_000_000, Funding::Credit), (6_000, 6_000));
    assert_eq!(of(1_000_000, Funding::Prepaid), (2_000, 6_000), "no price of its own");
    let with_any = [debit(), price(Funding::Any, "0.0070", None, None)];
    let prepaid = fee_estimate(money(1_000, "CNY"), &with_any, Funding::Prepaid).unwrap();
    assert_eq!((prepaid.min, prepaid.max), (money(7, "CNY"), money(7, "CNY")));
    assert_eq!(fee_estimate(money(1, "CNY"), &[], Funding::Debit), Err(SettlementError::NoPrice));
}

#[test]
fn negative_amounts_have_no_fee() {
    assert_eq!(fee(money(-1, "CNY"), &debit()), Err(SettlementError::NegativeAmount));
}

proptest! {
    #![proptest_config(crate::runs())]

    #[test]
    fn a_fee_is_within_half_a_unit_of_the_exact_share(amount in 0..=MAX_AMOUNT_MINOR, rate in 0_u32..=1_000_000_000) {
        let text = format!("{}.{:09}", rate / 1_000_000_000, rate % 1_000_000_000);
        let price = Price { funding: Funding::Any, rate: Rate::parse(&text).unwrap(), cap: None, min: None };
        let fee = fee(money(amount, "CNY"), &price).unwrap().amount_minor();
        let exact = i128::from(amount) * i128::from(rate);
        let twice_off = 2 * (i128::from(fee) * 1_000_000_000 - exact);
        prop_assert!(twice_off > -1_000_000_000 && twice_off <= 1_000_000_000);
        prop_assert!(fee <= amount);
    }

    #[test]
    fn any_text_is_a_rate_or_an_error(text in ".{0,40}") {
        let _ = Rate::parse(&text);
    }
}
