//! What stands beside the events and is not recomputed from them: card data, signed documents, hints heard, cursors,
//! acknowledgements.

use rusqlite::{Connection, OptionalExtension};
use takings_domain::PaymentId;
use zeroize::Zeroizing;

use crate::StoreError;
use crate::find;
use crate::migration::{meta, set_meta};
use crate::projection::apply;
use crate::projection::tables::Tables;
use crate::reading::alerts::{self, Alert};
use crate::transaction::Transaction;

/// Meta: set while erased card data may still lie in the log.
pub(crate) const META_ERASED: &str = "blob_erased";
/// Keys a caller sets stand apart from ours.
const CALLERS: &str = "app.";

/// A hint from the acquirer's feed: that something changed, not what. The object read afterwards is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The feed's id of the event.
    pub event_id: String,
    /// Its place in the feed.
    pub feed_seq: u64,
    /// Its type, as the feed names it.
    pub kind: String,
    /// What it is about: the acquirer's id.
    pub subject: String,
    /// The version the hint speaks of.
    pub version: Option<u64>,
}

/// Followed hints that stay known.
const HINTS_KEPT: i64 = 10_000;
/// So many more before the oldest are forgotten, all at once.
const HINTS_OVER: i64 = 1_000;

/// Forgets the oldest followed hints, if there are far too many.
pub(crate) fn forget_hints(conn: &Connection) -> Result<(), StoreError> {
    let followed: i64 =
        conn.prepare_cached("SELECT count(*) FROM inbox WHERE state = 'done'")?.query_row([], |row| row.get(0))?;
    if followed > HINTS_KEPT.saturating_add(HINTS_OVER) {
        conn.prepare_cached(
            "DELETE FROM inbox WHERE event_id IN (SELECT event_id FROM inbox WHERE state = 'done'
             ORDER BY feed_seq DESC, event_id DESC LIMIT -1 OFFSET ?)",
        )?
        .execute([HINTS_KEPT])?;
    }
    Ok(())
}

impl Transaction<'_> {
    /// Keeps the reader's ciphertext of a payment that has begun in this ledger.
    ///
    /// # Errors
    /// [`StoreError::Misplaced`] if the payment is not here; [`StoreError::Sqlite`].
    pub fn put_card_blob(&mut self, payment: PaymentId, bytes: &[u8]) -> Result<(), StoreError> {
        let key = self.key_of(payment)?;
        self.write(|conn| {
            conn.prepare_cached("INSERT OR REPLACE INTO card_blob (subject, bytes) VALUES (?, ?)")?
                .execute((key.cast_signed(), bytes))?;
            Ok(())
        })
    }

    /// The reader's ciphertext, if it is still here.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn card_blob(&mut self, payment: PaymentId) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let Some(key) = self.key_if_begun(payment)? else { return Ok(None) };
        let mut statement = self.conn.prepare_cached("SELECT bytes FROM card_blob WHERE subject = ?")?;
        let bytes: Option<Vec<u8>> = statement.query_row([key.cast_signed()], |row| row.get(0)).optional()?;
        Ok(bytes.map(Zeroizing::new))
    }

    /// Erases the reader's ciphertext, in the transaction of what made it needless. False if it was not here. The log
    /// still holds it until [`crate::Ledger::truncate_after_erase`].
    ///
    /// # Errors
    /// [`StoreError::Misplaced`] if the payment is not here; [`StoreError::Sqlite`].
    pub fn erase_card_blob(&mut self, payment: PaymentId) -> Result<bool, StoreError> {
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("blob_kept") {
            return Ok(false);
        }
        let key = self.key_of(payment)?;
        self.write(|conn| {
            let erased =
                conn.prepare_cached("DELETE FROM card_blob WHERE subject = ?")?.execute([key.cast_signed()])? > 0;
            if erased {
                set_meta(conn, META_ERASED, &[1])?;
            }
            Ok(erased)
        })
    }

    fn key_of(&mut self, payment: PaymentId) -> Result<u64, StoreError> {
        self.key_if_begun(payment)?.ok_or(StoreError::Misplaced { kind: "card_blob", why: "the payment has not begun" })
    }

    /// A payment this transaction has in hand needs no look-up, and its row need not have caught up.
    fn key_if_begun(&self, payment: PaymentId) -> Result<Option<u64>, StoreError> {
        match self.known_key(payment) {
            Some(key) => Ok(Some(key)),
            None => find::payment_key(&Tables::in_force(self.conn), payment),
        }
    }

    /// Keeps a signed document under the digest of its exact bytes (hex). The same digest again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_reference(&mut self, digest: &str, kind: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|conn| {
            conn.prepare_cached("INSERT OR IGNORE INTO reference (digest, kind, bytes) VALUES (?, ?, ?)")?
                .execute((digest, kind, bytes))?;
            Ok(())
        })
    }

    /// A signed document by its digest (hex).
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn reference(&mut self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT bytes FROM reference WHERE digest = ?")?;
        Ok(statement.query_row([digest], |row| row.get(0)).optional()?)
    }

    /// Every signed document: digest, kind, bytes; by digest.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn references(&mut self) -> Result<Vec<(String, String, Vec<u8>)>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT digest, kind, bytes FROM reference ORDER BY digest")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every payment whose ciphertext is here, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::UnknownEvent`], [`StoreError::Fold`].
    pub fn payments_with_card_blob(&mut self) -> Result<Vec<PaymentId>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT subject FROM card_blob ORDER BY subject")?;
        let keys: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let load = |key: &i64| apply::load_payment(self.conn, key.cast_unsigned());
        let payments = keys.iter().map(load).collect::<Result<Vec<_>, _>>()?;
        Ok(payments.into_iter().flatten().map(|payment| payment.id()).collect())
    }

    /// Keeps a value that no event carries: a cursor, a wrapped key. Never a secret in clear.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn set_meta(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let key = format!("{CALLERS}{key}");
        self.write(|conn| set_meta(conn, &key, value))
    }

    /// A value kept with [`Transaction::set_meta`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn meta(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        meta(self.conn, &format!("{CALLERS}{key}"))
    }

    /// Keeps a hint. False if this event was heard before.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_hint(&mut self, hint: &Hint) -> Result<bool, StoreError> {
        self.write(|conn| {
            let mut statement = conn.prepare_cached(
                "INSERT OR IGNORE INTO inbox (event_id, feed_seq, kind, subject, version, state)
                 VALUES (?, ?, ?, ?, ?, 'pending')",
            )?;
            let version = hint.version.map(u64::cast_signed);
            let row = (&hint.event_id, hint.feed_seq.cast_signed(), &hint.kind, &hint.subject, version);
            Ok(statement.execute(row)? > 0)
        })
    }

    /// Hints not followed yet, in the feed's order.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn pending_hints(&mut self, limit: u32) -> Result<Vec<Hint>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT event_id, feed_seq, kind, subject, version FROM inbox WHERE state = 'pending'
             ORDER BY feed_seq, event_id LIMIT ?",
        )?;
        let rows = statement.query_map([limit], |row| {
            Ok(Hint {
                event_id: row.get(0)?,
                feed_seq: row.get::<_, i64>(1)?.cast_unsigned(),
                kind: row.get(2)?,
                subject: row.get(3)?,
                version: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A hint was followed. It stays known, so that a repeat of the feed is not followed again: the newest ten thousand
    /// do, far more than the feed repeats.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn follow_hint(&mut self, event_id: &str) -> Result<(), StoreError> {
        self.write(|conn| {
            conn.prepare_cached("UPDATE inbox SET state = 'done' WHERE event_id = ?")?.execute([event_id])?;
            Ok(())
        })?;
        self.followed = true;
        Ok(())
    }

    /// Alerts not acknowledged yet, in the order of the events, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn next_alerts(&mut self, limit: u32) -> Result<Vec<Alert>, StoreError> {
        self.catch_up()?;
        alerts::after(self.conn, alerts::acknowledged(self.conn)?, limit)
    }

    /// The newest alert that was acknowledged; 0 if none was.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn acknowledged(&mut self) -> Result<u64, StoreError> {
        alerts::acknowledged(self.conn)
    }

    /// Acknowledges every alert up to and including this number; going back is ignored (promise P7).
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn acknowledge(&mut self, upto: u64) -> Result<(), StoreError> {
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("acknowledged_alert_retold") {
            return Ok(());
        }
        self.write(|conn| {
            conn.prepare_cached(
                "INSERT INTO alert_ack (id, upto) VALUES (1, ?)
                 ON CONFLICT (id) DO UPDATE SET upto = max(upto, excluded.upto)",
            )?
            .execute([upto.cast_signed()])?;
            Ok(())
        })
    }
}
