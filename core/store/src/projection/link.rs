//! Which payout a payment is in, and which payments a payout speaks for.
//!
//! A payment can have lines in several payouts: one that came back and the one that pays it again. A payout that was
//! paid again gives way to its reissue, also where the reissue repeats no lines; of several, the newest counts.

use rusqlite::OptionalExtension;
use takings_domain::PaymentId;
use takings_domain::payment::PayoutLink;

use super::payment::KeyedLink;
use super::tables::Tables;
use crate::StoreError;
use crate::projection::payout::PayoutRow;

/// A reissue of a reissue of a reissue …: nobody does that more often.
const LONGEST_CHAIN: usize = 16;

/// The payout that speaks for this payment.
pub(crate) fn link_of(tables: &Tables<'_>, payment: PaymentId) -> Result<Option<KeyedLink>, StoreError> {
    let mut statement = tables.prepare_cached(
        "SELECT payout, sum(gross_minor), sum(fee_minor), sum(net_minor) FROM payout_entry
         WHERE payment_id = ? AND entry_type = 'payment' GROUP BY payout ORDER BY payout DESC",
    )?;
    let shares = statement
        .query_map([payment.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<Vec<(i64, i64, i64, i64)>, _>>()?;
    let mut best: Option<(u64, (i64, i64, i64))> = None;
    for (payout, gross, fee, net) in shares {
        let first = payout.cast_unsigned();
        let chain = reissues(tables, first)?;
        let last = chain.last().copied().unwrap_or(first);
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("reissue_not_followed") {
            best = Some((first, (gross, fee, net)));
            continue;
        }
        // Newest first: the first share of a chain's end is that of its newest member.
        if best.is_none_or(|(known, _)| known < last) {
            best = Some((last, (gross, fee, net)));
        }
    }
    let Some((key, (gross_minor, fee_minor, net_minor))) = best else { return Ok(None) };
    let Some(payout) = PayoutRow::load(tables, key)? else { return Ok(None) };
    let link = PayoutLink {
        payout_id: payout.payout_id,
        status: payout.status,
        evidence: payout.evidence,
        expected_date: payout.expected_date,
        overdue_after_ms: payout.overdue_after_ms,
        gross_minor,
        fee_minor,
        net_minor,
    };
    Ok(Some((key, link)))
}

/// This payout, the one that pays it again, the one that pays that again, and so on.
fn reissues(tables: &Tables<'_>, payout: u64) -> Result<Vec<u64>, StoreError> {
    let mut statement = tables.prepare_cached(
        "SELECT max(newer.key) FROM payout AS older JOIN payout AS newer ON newer.reissue_of = older.payout_id
         WHERE older.key = ?",
    )?;
    let mut chain = vec![payout];
    while chain.len() < LONGEST_CHAIN {
        let last = chain.last().copied().unwrap_or(payout);
        let next: Option<i64> = statement.query_row([last.cast_signed()], |row| row.get(0))?;
        match next.map(i64::cast_unsigned) {
            Some(next) if !chain.contains(&next) => chain.push(next),
            _ => break,
        }
    }
    Ok(chain)
}

/// This payout and every one it pays again, directly or through others.
pub(crate) fn pays_again(tables: &Tables<'_>, payout: u64) -> Result<Vec<u64>, StoreError> {
    let mut statement = tables.prepare_cached(
        "SELECT older.key FROM payout AS newer JOIN payout AS older ON older.payout_id = newer.reissue_of
         WHERE newer.key = ?",
    )?;
    let mut chain = vec![payout];
    while chain.len() < LONGEST_CHAIN {
        let last = chain.last().copied().unwrap_or(payout);
        let older: Option<i64> = statement.query_row([last.cast_signed()], |row| row.get(0)).optional()?;
        match older.map(i64::cast_unsigned) {
            Some(older) if !chain.contains(&older) => chain.push(older),
            _ => break,
        }
    }
    Ok(chain)
}

/// Payments of ours with a line in this payout: number of the line and key of the payment, for lines numbered above
/// `after`, in order, at most `limit`.
pub(crate) fn dependents(
    tables: &Tables<'_>,
    payout: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, u64)>, StoreError> {
    let mut statement = tables.prepare_cached(
        "SELECT e.number, p.key FROM payout_entry AS e CROSS JOIN payment AS p ON p.payment_id = e.payment_id
         WHERE e.payout = ? AND e.number > ? AND e.entry_type = 'payment' ORDER BY e.number LIMIT ?",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((payout.cast_signed(), after.cast_signed(), limit), |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
