//! The ledger in the engine's words: one line for each thing it says or asks often.

use takings_domain::event::{LedgerEvent, PaymentEvent, PayoutEvent, Subject};
use takings_domain::{Currency, Money, Now, PaymentId, PayoutId};
use takings_store::{StoreError, Transaction};

use super::restore::STAN_META;

/// The highest trace number; after it comes 1.
const LAST_STAN: u32 = 999_999;

/// What waits offline in one currency.
pub(super) struct Exposure {
    pub(super) count: u32,
    pub(super) total: Money,
    pub(super) oldest_captured_at_ms: Option<i64>,
    pub(super) newest_captured_at_ms: Option<i64>,
    /// The number of the first event of any of them.
    pub(super) first_seq: Option<u64>,
}

pub(super) trait Book {
    fn append_ledger(&mut self, now: Now, operator: Option<&str>, event: LedgerEvent) -> Result<u64, StoreError>;
    fn append_payment(
        &mut self,
        now: Now,
        operator: Option<&str>,
        id: PaymentId,
        event: PaymentEvent,
    ) -> Result<u64, StoreError>;
    fn append_payout(&mut self, now: Now, id: &PayoutId, event: PayoutEvent) -> Result<u64, StoreError>;
    /// The next trace number: consumed by every charge, also one that is given up.
    fn next_stan(&mut self) -> Result<u32, StoreError>;
    /// What was accepted offline in this currency and has no answer.
    fn exposure(&mut self, currency: Currency) -> Result<Exposure, StoreError>;
    /// What has no answer, by currency.
    fn unsent(&mut self) -> Result<Vec<(u64, Money)>, StoreError>;
    /// A kept value that is text.
    fn kept_text(&mut self, key: &str) -> Result<Option<String>, StoreError>;
}

impl Book for Transaction<'_> {
    fn append_ledger(&mut self, now: Now, operator: Option<&str>, event: LedgerEvent) -> Result<u64, StoreError> {
        self.append(now, operator, &Subject::Ledger, event)
    }

    fn append_payment(
        &mut self,
        now: Now,
        operator: Option<&str>,
        id: PaymentId,
        event: PaymentEvent,
    ) -> Result<u64, StoreError> {
        self.append(now, operator, &Subject::Payment(id), event)
    }

    fn append_payout(&mut self, now: Now, id: &PayoutId, event: PayoutEvent) -> Result<u64, StoreError> {
        self.append(now, None, &Subject::Payout(id.clone()), event)
    }

    fn next_stan(&mut self) -> Result<u32, StoreError> {
        let last = match self.last_stan()? {
            Some(stan) => Some(stan),
            // The first of this phone goes on well after the one before it.
            None => self.kept_text(STAN_META)?.and_then(|text| text.parse().ok()),
        };
        Ok(last.filter(|stan| *stan < LAST_STAN).map_or(1, |stan| stan.saturating_add(1)))
    }

    fn exposure(&mut self, currency: Currency) -> Result<Exposure, StoreError> {
        let rows = self.waiting()?;
        let row = rows.iter().find(|row| row.what == "offline" && row.currency == currency);
        let (count, amount_minor) = row.map_or((0, 0), |row| (row.count, row.amount_minor));
        let span_ms = self.offline_span_ms(currency)?;
        Ok(Exposure {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            total: Money::new(amount_minor, currency)?,
            oldest_captured_at_ms: span_ms.map(|(oldest, ..)| oldest),
            newest_captured_at_ms: span_ms.map(|(_, newest, _)| newest),
            first_seq: span_ms.map(|(_, _, first)| first),
        })
    }

    fn unsent(&mut self) -> Result<Vec<(u64, Money)>, StoreError> {
        let rows = self.waiting()?;
        let unsent = rows.iter().filter(|row| row.what == "unsent" && row.count > 0);
        unsent
            .map(|row| Ok((row.count.try_into().unwrap_or(u64::MAX), Money::new(row.amount_minor, row.currency)?)))
            .collect()
    }

    fn kept_text(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.meta(key)?.and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}
