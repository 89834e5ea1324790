//! What each step does.

use serde_json::Value;
use takings_ffi::demo::{CardEntry, CardPlay, DemoCard};
use takings_ffi::records::{ChargeMode, ChargeRequest, Language, PaymentQuery, ReceiptCopy};

use crate::day::{Day, Ended};
use crate::pattern;
use crate::plain::{self, Plain as _};
use crate::{Trouble, machine};

const UNITS_MS: [(&str, i64); 4] =
    [("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000), ("seconds", 1_000)];

/// A step's fields; the schema has seen to their types.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a>(pub(crate) &'a Value);

impl Step<'_> {
    fn text(self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn needed(self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    fn number(self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    fn flag(self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    fn small(self, name: &str) -> Result<Option<u32>, Trouble> {
        let number = self.number(name).map(u32::try_from).transpose();
        number.map_err(|_| Trouble::NoDay(format!("{name} is out of range")))
    }

    fn ms(self) -> i64 {
        UNITS_MS.iter().map(|(unit, ms)| self.number(unit).unwrap_or(0).saturating_mul(*ms)).sum()
    }
}

impl Day {
    /// Does one step and gives its answer.
    pub(crate) async fn run(&mut self, step: Step<'_>) -> Result<Value, Ended> {
        match step.needed("do").as_str() {
            "open_app" => self.open_app().await,
            "kill_app" => self.kill_app().await,
            "restart_phone" => {
                if self.till.is_some() {
                    self.kill_app().await?;
                }
                Ok(self.world.restart_phone()?.plain())
            }
            "charge" => self.charge(step).await,
            "alerts" => self.alerts().await,
            "acknowledge" => self.acknowledge().await,
            "admin" => self.admin(step),
            "line" => Ok(self.world.set_line(step.needed("state"))?.plain()),
            "set_clock" => Ok(self.world.set_phone_clock(step.ms())?.plain()),
            "wait" => {
                let ms = u64::try_from(step.ms()).map_err(|_| Trouble::NoDay("time only passes forward".to_owned()))?;
                self.world.advance(ms)?;
                if let Some(till) = &self.till {
                    till.tick().await?;
                }
                Ok(Value::Null)
            }
            "expect" => {
                let that = step.0.get("that").unwrap_or(&Value::Null);
                pattern::holds(that, &self.seen(false).await?, "that", &self.names)?;
                Ok(Value::Null)
            }
            word => self.ask(word, step).await,
        }
    }

    /// The steps that are one call.
    async fn ask(&self, word: &str, step: Step<'_>) -> Result<Value, Ended> {
        let till = self.till()?;
        let payment = || {
            let named = step.needed("payment");
            self.names.get(&named).cloned().unwrap_or(named)
        };
        Ok(match word {
            "activate" => till.activate(self.world.activation_code()?).await?.plain(),
            "sign_on" => till.sign_on().await?.plain(),
            "sync" => {
                let budget_ms = step.number("budget_ms").unwrap_or(600_000);
                till.sync(u64::try_from(budget_ms).unwrap_or(0)).await?.plain()
            }
            "cancel" => till.cancel(payment(), step.text("operator")).await?.plain(),
            "mark_service" => {
                let given = step.flag("given").unwrap_or_default();
                till.mark_service(payment(), given, step.text("operator")).await?.plain()
            }
            "receipt" => {
                let copy = step.text("copy").filter(|copy| copy == "merchant");
                let copy = copy.map_or(ReceiptCopy::Customer, |_| ReceiptCopy::Merchant);
                till.receipt(payment(), copy).await?.plain()
            }
            "history" => till.payment(payment()).await?.plain(),
            "find" => {
                let query = PaymentQuery {
                    stage: step.text("stage"),
                    from_day: step.text("from_day"),
                    to_day: step.text("to_day"),
                    amount_minor: step.number("amount_minor"),
                    last_four: step.text("last_four"),
                    order_reference: step.text("order_reference"),
                    text: step.text("text"),
                    after: None,
                    limit: None,
                };
                self.payments(&query).await?.into()
            }
            "reader" => {
                let battery = step.small("battery_percent")?;
                self.reader.set_health(battery, step.flag("tampered"), step.flag("usable"))?.plain()
            }
            "background" => till.going_to_background().await?.plain(),
            other => return Err(Trouble::NoDay(format!("this runner does not know the step {other}")).into()),
        })
    }

    async fn open_app(&mut self) -> Result<Value, Ended> {
        if self.till.is_some() {
            return Err(Trouble::NoDay("the app is open".to_owned()).into());
        }
        let language = if self.chinese { Language::Zh } else { Language::En };
        self.till = Some(self.world.open_till(self.dir.clone(), language).await?);
        Ok(Value::Null)
    }

    async fn kill_app(&mut self) -> Result<Value, Ended> {
        self.till()?.shutdown().await?;
        // Not before: that would give the charges up.
        (self.till, self.charges) = (None, Vec::new());
        // The link dies with the app, and the customer does not wait.
        self.reader.link_down()?;
        self.reader.take_card_away()?;
        Ok(Value::Null)
    }

    async fn charge(&mut self, step: Step<'_>) -> Result<Value, Ended> {
        let till = self.till()?;
        let name = step.text("as").or_else(|| step.text("order"));
        if let Some(name) = name.as_ref().filter(|name| self.names.contains_key(*name)) {
            return Err(Trouble::NoDay(format!("a payment is called {name} already")).into());
        }
        let request = ChargeRequest {
            amount_minor: step.number("amount_minor").unwrap_or_default(),
            currency: step.text("currency").unwrap_or_else(|| "CNY".to_owned()),
            order_reference: step.text("order"),
            mode: match step.text("mode").as_deref() {
                Some("offline") => ChargeMode::Offline,
                Some("require_online") => ChargeMode::RequireOnline,
                _ => ChargeMode::PreferOnline,
            },
            charge_again: step.flag("again").unwrap_or_default(),
            operator: step.text("operator"),
        };
        let charge = till.charge(request).await?;
        self.charges.push(charge.clone());
        let payment_id = charge.payment_id()?;
        if let Some(name) = name {
            self.names.insert(name, payment_id.clone());
        }
        let next_cards = step.0.get("next_cards").and_then(Value::as_array);
        let play = CardPlay {
            card: step.0.get("card").map(|card| demo_card(Step(card))).transpose()?,
            next_cards: next_cards.into_iter().flatten().map(|card| demo_card(Step(card))).collect::<Result<_, _>>()?,
            choose: step.small("choose")?.unwrap_or(0),
            lose_link_at: step.text("lose_link_at"),
            reconnect: step.flag("reconnect").unwrap_or_default(),
            cancel_at: step.text("cancel_at"),
            stop_at: step.text("stop_at"),
        };
        Ok(plain::charge(&payment_id, self.reader.take_card(charge, play)?))
    }

    async fn alerts(&mut self) -> Result<Value, Ended> {
        let number = |alert: &Value| alert.get("alert").and_then(Value::as_u64).unwrap_or_default();
        let now = self.till()?.next_alerts(200).await?.plain();
        for alert in now.as_array().into_iter().flatten() {
            if number(alert) <= self.acknowledged {
                return Err(Trouble::Wrong(format!("told again although acknowledged: {alert}")).into());
            }
            match self.told.binary_search_by_key(&number(alert), number) {
                Ok(place) if self.told.get(place) == Some(alert) => {}
                Ok(_) => return Err(Trouble::Wrong(format!("told differently: {alert}")).into()),
                Err(place) => self.told.insert(place, alert.clone()),
            }
        }
        Ok(now)
    }

    async fn acknowledge(&mut self) -> Result<Value, Ended> {
        let highest = self.told.last().and_then(|alert| alert.get("alert")).and_then(Value::as_u64);
        if let Some(highest) = highest {
            self.acknowledged = highest;
            self.till()?.acknowledge(highest).await?;
        }
        Ok(Value::Null)
    }

    fn admin(&self, step: Step<'_>) -> Result<Value, Ended> {
        let path = step.needed("path");
        let parts = path.split('/').map(|part| {
            let part = pattern::resolve(&part.into(), &self.names)?;
            Ok(part.as_str().unwrap_or_default().to_owned())
        });
        let path = parts.collect::<Result<Vec<_>, Trouble>>()?.join("/");
        let body = step.0.get("body").map(|body| pattern::resolve(body, &self.names)).transpose()?;
        let answer =
            self.world.admin(step.needed("method"), path, body.map_or(String::new(), |body| body.to_string()))?;
        Ok(serde_json::from_str(&answer).map_err(machine)?)
    }
}

fn demo_card(card: Step<'_>) -> Result<DemoCard, Trouble> {
    let applications = card.0.get("applications").and_then(Value::as_array).into_iter().flatten();
    Ok(DemoCard {
        leading: card.text("leading").unwrap_or_else(|| "6222".to_owned()),
        last_four: card.needed("last_four"),
        number_len: card.small("number_len")?.unwrap_or(16),
        entry: match card.text("entry").as_deref() {
            Some("contactless") => CardEntry::Contactless,
            Some("stripe") => CardEntry::Stripe,
            Some("fallback") => CardEntry::Fallback,
            _ => CardEntry::Chip,
        },
        behaviour: card.text("behaviour").unwrap_or_else(|| "normal".to_owned()),
        code: card.text("code"),
        applications: applications.filter_map(Value::as_str).map(str::to_owned).collect(),
        signs: card.flag("signs").unwrap_or_default(),
    })
}
