//! P9, bounded risk: every rule refuses on its own, and whatever is missing refuses too.

use proptest::prelude::*;
use serde_json::{Value, json};
use takings_domain::policy::{AfterCard, BeforeCard, Liability, PolicyError, Rule, after_card, before_card};
use takings_domain::{Currency, EntryMode, Money, RiskPolicy, Scheme};

const HOUR_MS: i64 = 3_600_000;
/// 2026-11-21T12:00:00+08:00, inside the validity.
const NOON_MS: i64 = 1_795_233_600_000;

fn document() -> Value {
    json!({
        "version": "1", "merchant_id": "M000001", "terminal_id": "T0000001",
        "valid_from": "2026-11-01T00:00:00+08:00", "valid_until": "2026-12-01T00:00:00+08:00",
        "offline_allowed": true,
        "limits": [{"currency": "CNY", "max_amount": 50000, "max_amount_contactless_no_pin": 30000,
                    "max_count_open": 5, "max_total_open": 200_000, "max_count_per_card_per_day": 3}],
        "max_age_h": 72, "upload_deadline_days": 10, "max_clock_age_h": 96,
        "entry_modes_allowed": ["chip", "contactless", "stripe", "fallback", "manual"],
        "scheme_rules": [{"scheme": "unionpay", "offline_allowed": true},
                         {"scheme": "visa", "offline_allowed": true, "max_amount": 20000},
                         {"scheme": "amex", "offline_allowed": false}],
        "online_required_if": [],
        "liability": "merchant", "on_expired_policy": "deny",
        "retry": {"max_attempts_per_contact": 3, "reversal_attempts_per_contact": 5}
    })
}

fn read(document: &Value) -> Result<RiskPolicy, PolicyError> {
    RiskPolicy::parse(&serde_json::to_vec(document).unwrap())
}

fn policy_with(member: &str, value: Value) -> RiskPolicy {
    let mut document = document();
    document[member] = value;
    read(&document).unwrap()
}

fn policy() -> RiskPolicy {
    read(&document()).unwrap()
}

fn cny(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::CNY).unwrap()
}

fn asked() -> BeforeCard {
    BeforeCard {
        amount: cny(10_000),
        open_count: 0,
        open_total: cny(0),
        oldest_open_age_ms: None,
        trusted_age_ms: Some(0),
        now_pessimistic_ms: NOON_MS,
    }
}

fn shown() -> AfterCard<'static> {
    AfterCard {
        amount: cny(10_000),
        scheme: Scheme::Unionpay,
        entry_mode: EntryMode::Chip,
        pin_entered: false,
        first_digits: "622848",
        card_count_today: Some(0),
        offline_sequence: 1,
        now_pessimistic_ms: NOON_MS,
    }
}

fn before(policy: &RiskPolicy, asked: &BeforeCard) -> Option<Rule> {
    before_card(Some(policy), asked).err().map(|refusal| refusal.rule)
}

fn after(policy: &RiskPolicy, shown: &AfterCard<'_>) -> Option<Rule> {
    after_card(Some(policy), shown).err().map(|refusal| refusal.rule)
}

#[test]
fn what_the_policy_allows_is_accepted() {
    assert_eq!(before(&policy(), &asked()), None);
    assert_eq!(after(&policy(), &shown()), None);
}

#[test]
fn p9_bounded_risk_no_policy() {
    assert_eq!(before_card(None, &asked()).unwrap_err().rule, Rule::NoPolicy);
    assert_eq!(after_card(None, &shown()).unwrap_err().rule, Rule::NoPolicy);
}

#[test]
fn p9_bounded_risk_outside_the_validity() {
    let policy = policy();
    let at = |now_pessimistic_ms| {
        let judged = before(&policy, &BeforeCard { now_pessimistic_ms, ..asked() });
        assert_eq!(judged, after(&policy, &AfterCard { now_pessimistic_ms, ..shown() }));
        judged
    };
    assert_eq!(at(policy.valid_from_ms - 1), Some(Rule::PolicyNotYetValid));
    assert_eq!(at(policy.valid_from_ms), None);
    assert_eq!(at(policy.valid_until_ms - 1), None);
    assert_eq!(at(policy.valid_until_ms), Some(Rule::PolicyExpired));
    assert_eq!(at(i64::MAX), Some(Rule::PolicyExpired));
    assert_eq!(at(i64::MIN), Some(Rule::PolicyNotYetValid));
}

#[test]
fn p9_bounded_risk_an_unknown_word_for_after_the_end_is_deny() {
    let policy = policy_with("on_expired_policy", json!("reduced"));
    let late = BeforeCard { now_pessimistic_ms: policy.valid_until_ms, ..asked() };
    assert_eq!(before(&policy, &late), Some(Rule::PolicyExpired));
}

#[test]
fn p9_bounded_risk_offline_not_allowed() {
    let policy = policy_with("offline_allowed", json!(false));
    assert_eq!(before(&policy, &asked()), Some(Rule::OfflineNotAllowed));
    assert_eq!(after(&policy, &shown()), Some(Rule::OfflineNotAllowed));
}

#[test]
fn p9_bounded_risk_amounts() {
    let at = |amount| {
        let judged = before(&policy(), &BeforeCard { amount, ..asked() });
        assert_eq!(judged, after(&policy(), &AfterCard { amount, ..shown() }));
        judged
    };
    assert_eq!(at(cny(50_000)), None);
    assert_eq!(at(cny(50_001)), Some(Rule::AmountOverLimit));
    assert_eq!(at(cny(0)), Some(Rule::AmountNotPositive));
    assert_eq!(at(cny(-1)), Some(Rule::AmountNotPositive));
    let dinar = Money::new(1, Currency::from_code("KWD").unwrap()).unwrap();
    assert_eq!(at(dinar), Some(Rule::CurrencyNotAllowed));
}

#[test]
fn p9_bounded_risk_what_waits() {
    let at = |open_count, open_minor, oldest_open_age_ms| {
        before(&policy(), &BeforeCard { open_count, open_total: cny(open_minor), oldest_open_age_ms, ..asked() })
    };
    assert_eq!(at(4, 190_000, Some(72 * HOUR_MS)), None);
    assert_eq!(at(5, 0, None), Some(Rule::TooManyOpen));
    assert_eq!(at(4, 190_001, None), Some(Rule::TotalOverLimit));
    assert_eq!(at(1, 1, Some(72 * HOUR_MS + 1)), Some(Rule::TooOldOpen));
}

#[test]
fn p9_bounded_risk_a_total_in_another_currency_is_no_total() {
    let open_total = Money::new(0, Currency::from_code("JPY").unwrap()).unwrap();
    assert_eq!(before(&policy(), &BeforeCard { open_total, ..asked() }), Some(Rule::TotalOverLimit));
}

#[test]
fn p9_bounded_risk_clock_untrusted() {
    let at = |trusted_age_ms| before(&policy(), &BeforeCard { trusted_age_ms, ..asked() });
    assert_eq!(at(Some(96 * HOUR_MS)), None);
    assert_eq!(at(Some(96 * HOUR_MS + 1)), Some(Rule::ClockUntrusted));
    assert_eq!(at(Some(-1)), Some(Rule::ClockUntrusted));
    assert_eq!(at(None), Some(Rule::ClockUntrusted));
}

#[test]
fn p9_bounded_risk_schemes() {
    let at = |scheme, amount| after(&policy(), &AfterCard { scheme, amount, ..shown() });
    assert_eq!(at(Scheme::Visa, cny(20_000)), None);
    assert_eq!(at(Scheme::Visa, cny(20_001)), Some(Rule::AmountOverLimit));
    assert_eq!(at(Scheme::Amex, cny(1)), Some(Rule::SchemeDenied));
    assert_eq!(at(Scheme::Jcb, cny(1)), Some(Rule::SchemeDenied), "not named");
    assert_eq!(at(Scheme::Unknown, cny(1)), Some(Rule::SchemeUnknown));
}

#[test]
fn p9_bounded_risk_no_scheme_is_built_in() {
    let policy = policy_with("scheme_rules", json!([]));
    for scheme in Scheme::ALL {
        assert!(after(&policy, &AfterCard { scheme: *scheme, ..shown() }).is_some());
    }
}

#[test]
fn p9_bounded_risk_the_stricter_of_two_rules_for_a_scheme_wins() {
    let rules = json!([{"scheme": "visa", "offline_allowed": true}, {"scheme": "visa", "offline_allowed": false}]);
    let policy = policy_with("scheme_rules", rules);
    assert_eq!(after(&policy, &AfterCard { scheme: Scheme::Visa, ..shown() }), Some(Rule::SchemeDenied));
}

#[test]
fn p9_bounded_risk_entry_modes() {
    let policy = policy_with("entry_modes_allowed", json!(["chip", "stripe", "telepathy"]));
    for entry_mode in EntryMode::ALL {
        let named = matches!(entry_mode, EntryMode::Chip | EntryMode::Stripe);
        let expected = (!named).then_some(Rule::EntryModeDenied);
        assert_eq!(after(&policy, &AfterCard { entry_mode: *entry_mode, ..shown() }), expected);
    }
}

#[test]
fn p9_bounded_risk_contactless_without_pin() {
    let at = |entry_mode, pin_entered, amount_minor| {
        after(&policy(), &AfterCard { entry_mode, pin_entered, amount: cny(amount_minor), ..shown() })
    };
    assert_eq!(at(EntryMode::Contactless, false, 30_000), None);
    assert_eq!(at(EntryMode::Contactless, false, 30_001), Some(Rule::ContactlessOverLimit));
    assert_eq!(at(EntryMode::Contactless, true, 30_001), None);
    assert_eq!(at(EntryMode::Chip, false, 30_001), None);
}

#[test]
fn p9_bounded_risk_leading_digits() {
    let allow = policy_with("bin_allow", json!([{"from": "622800", "to": "622899"}]));
    let deny = policy_with("bin_deny", json!([{"from": "622848", "to": "622848"}]));
    let none = policy();
    let at = |policy, first_digits| after(policy, &AfterCard { first_digits, ..shown() });
    assert_eq!(at(&allow, "622848"), None);
    assert_eq!(at(&allow, "622900"), Some(Rule::BinDenied));
    assert_eq!(at(&deny, "622849"), None);
    assert_eq!(at(&deny, "622848"), Some(Rule::BinDenied));
    for hidden in ["", "6228", "62284", "6228**", "六二二"] {
        assert_eq!(at(&allow, hidden), Some(Rule::DigitsHidden), "{hidden}");
        assert_eq!(at(&deny, hidden), Some(Rule::DigitsHidden), "{hidden}");
        assert_eq!(at(&none, hidden), None, "no rule needs the digits");
    }
}

#[test]
fn p9_bounded_risk_uses_of_one_card() {
    let at = |card_count_today| after(&policy(), &AfterCard { card_count_today, ..shown() });
    assert_eq!(at(Some(2)), None);
    assert_eq!(at(Some(3)), Some(Rule::CardLimitReached));
    assert_eq!(at(None), Some(Rule::DigitsHidden));
}

#[test]
fn p9_bounded_risk_online_required_by_amount() {
    let policy = policy_with(
        "online_required_if",
        json!([{"rule": "amount_gte", "amount": {"amount": 40000, "currency": "CNY"}}]),
    );
    let at = |amount_minor| before(&policy, &BeforeCard { amount: cny(amount_minor), ..asked() });
    assert_eq!((at(39_999), at(40_000)), (None, Some(Rule::OnlineRequired)));
}

#[test]
fn p9_bounded_risk_online_required_in_another_currency_cannot_be_compared() {
    let policy = policy_with(
        "online_required_if",
        json!([{"rule": "amount_gte", "amount": {"amount": 1_000_000, "currency": "JPY"}}]),
    );
    assert_eq!(before(&policy, &asked()), Some(Rule::OnlineRequired));
}

#[test]
fn p9_bounded_risk_online_required_by_entry_mode() {
    for (rule, refused) in [
        ("magstripe", vec![EntryMode::Stripe, EntryMode::Fallback]),
        ("fallback", vec![EntryMode::Fallback]),
        ("manual", vec![EntryMode::Manual]),
    ] {
        let policy = policy_with("online_required_if", json!([{"rule": rule}]));
        for entry_mode in EntryMode::ALL {
            let expected = refused.contains(entry_mode).then_some(Rule::OnlineRequired);
            assert_eq!(after(&policy, &AfterCard { entry_mode: *entry_mode, ..shown() }), expected, "{rule}");
        }
    }
}

#[test]
fn p9_bounded_risk_online_required_every_nth() {
    let policy = policy_with("online_required_if", json!([{"rule": "every_nth", "n": 3}]));
    let at = |offline_sequence| after(&policy, &AfterCard { offline_sequence, ..shown() });
    assert_eq!((at(1), at(2)), (None, None));
    assert_eq!(at(3), Some(Rule::OnlineRequired));
    assert_eq!(at(6), Some(Rule::OnlineRequired));
    assert_eq!(at(0), Some(Rule::OnlineRequired), "the count is missing");
}

#[test]
fn p9_bounded_risk_an_unknown_rule_counts_as_met() {
    for rule in [
        json!([{"rule": "full_moon"}]),
        json!([{"rule": "amount_gte"}]),
        json!([{"rule": "amount_gte", "amount": {"amount": 1, "currency": "???"}}]),
        json!([{"rule": "every_nth"}]),
        json!([{"rule": "every_nth", "n": 0}]),
        json!([{"rule": "every_nth", "n": 2}, {"rule": "every_nth", "n": 3}]),
    ] {
        assert_eq!(before(&policy_with("online_required_if", rule), &asked()), Some(Rule::OnlineRequired));
    }
}

#[test]
fn p9_bounded_risk_half_a_policy_is_none() {
    let optional = ["on_expired_policy"];
    let members: Vec<String> = document().as_object().unwrap().keys().cloned().collect();
    for member in members.iter().filter(|member| !optional.contains(&member.as_str())) {
        let mut document = document();
        document.as_object_mut().unwrap().remove(member);
        assert!(read(&document).is_err(), "{member} is missing");
    }
    for member in ["max_amount", "max_count_open", "max_total_open", "currency"] {
        let mut document = document();
        document["limits"][0].as_object_mut().unwrap().remove(member);
        assert!(read(&document).is_err(), "{member} is missing");
    }
}

#[test]
fn p9_bounded_risk_unusable_values_are_refused() {
    let limit = |member: &str, value: Value| {
        let mut document = document();
        document["limits"][0][member] = value;
        read(&document)
    };
    assert!(limit("max_amount", json!(-1)).is_err());
    assert!(limit("max_total_open", json!(1_i64 << 53)).is_err());
    assert!(limit("max_count_open", json!(-1)).is_err());
    let twice = json!([document()["limits"][0], document()["limits"][0]]);
    for (member, value) in [
        ("limits", twice),
        ("valid_until", json!("tomorrow")),
        ("version", json!("")),
        ("bin_deny", json!([{"from": "622848", "to": "622847"}])),
        ("bin_allow", json!([{"from": "6228", "to": "6229"}])),
    ] {
        let mut document = document();
        document[member] = value;
        assert!(read(&document).is_err(), "{member}");
    }
}

#[test]
fn unknown_members_are_ignored_and_unknown_words_take_the_strict_side() {
    let mut document = document();
    document["weather"] = json!({"sunny": true});
    document["limits"].as_array_mut().unwrap().push(json!({
        "currency": "XQQ", "max_amount": 1, "max_count_open": 1, "max_total_open": 1}));
    document["liability"] = json!("somebody");
    let policy = read(&document).unwrap();
    assert_eq!((policy.limits.len(), policy.liability), (1, Liability::Merchant));
    assert_eq!(before(&policy, &asked()), None);
}

#[test]
fn the_deadline_counts_from_the_sale() {
    assert_eq!(policy().deadline_ms(NOON_MS), NOON_MS + 10 * 24 * HOUR_MS);
    assert_eq!(policy().deadline_ms(i64::MAX), i64::MAX);
}

proptest! {
    #![proptest_config(crate::runs())]

    #[test]
    fn p9_bounded_risk_what_is_accepted_never_exceeds_the_limits(
        amount in -1_000_i64..60_000, open_minor in 0_i64..250_000, open_count in 0_u32..8,
        age_h in proptest::option::of(0_i64..100), clock_h in proptest::option::of(0_i64..120),
        now_offset_h in -900_i64..900,
    ) {
        let policy = policy();
        let asked = BeforeCard {
            amount: cny(amount), open_count, open_total: cny(open_minor),
            oldest_open_age_ms: age_h.map(|h| h * HOUR_MS), trusted_age_ms: clock_h.map(|h| h * HOUR_MS),
            now_pessimistic_ms: NOON_MS + now_offset_h * HOUR_MS,
        };
        if before_card(Some(&policy), &asked).is_ok() {
            prop_assert!(amount > 0 && amount <= 50_000);
            prop_assert!(open_count < 5 && open_minor + amount <= 200_000);
            prop_assert!(age_h.is_none_or(|h| h <= 72));
            prop_assert!(clock_h.is_some_and(|h| h <= 96));
            prop_assert!((policy.valid_from_ms..policy.valid_until_ms).contains(&asked.now_pessimistic_ms));
        }
    }

    #[test]
    fn bytes_from_outside_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = RiskPolicy::parse(&bytes);
    }
}
