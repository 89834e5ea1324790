//! Which set of the projections' tables is meant: the one in force, or the one being made beside it.
//!
//! Every statement names the tables plainly. For the set in the making its text is rewritten: a table's name stands
//! after one of a few words of SQL and nowhere else.

use rusqlite::{CachedStatement, Connection};

use super::TABLES;

/// Before the names of tables in the making.
pub(crate) const NEXT: &str = "next_";
/// Before the names of tables that were replaced and are being emptied.
pub(crate) const OLD: &str = "old_";

/// A connection, and one set of tables.
pub(crate) struct Tables<'a> {
    conn: &'a Connection,
    next: bool,
}

impl<'a> Tables<'a> {
    /// The set that lists and decisions read.
    pub(crate) fn in_force(conn: &'a Connection) -> Self {
        Self { conn, next: false }
    }

    /// The set in the making.
    pub(crate) fn next(conn: &'a Connection) -> Self {
        Self { conn, next: true }
    }

    /// The connection: for events and what is kept, never for projections.
    pub(crate) fn conn(&self) -> &'a Connection {
        self.conn
    }

    /// A statement about these tables.
    pub(crate) fn prepare_cached(&self, sql: &str) -> Result<CachedStatement<'a>, rusqlite::Error> {
        if self.next { self.conn.prepare_cached(&renamed(sql, NEXT, "")) } else { self.conn.prepare_cached(sql) }
    }
}

/// The text with every table of the projections under another name, and every index it makes, too.
pub(crate) fn renamed(sql: &str, table_prefix: &str, index_prefix: &str) -> String {
    let mut out = String::with_capacity(sql.len().saturating_add(64));
    let mut before = "";
    let mut rest = sql;
    while let Some(start) = rest.find(is_of_a_word) {
        out.push_str(&rest[..start]);
        let word = &rest[start..];
        let (word, after) = word.split_at(word.find(|letter| !is_of_a_word(letter)).unwrap_or(word.len()));
        if matches!(before, "FROM" | "JOIN" | "INTO" | "UPDATE" | "TABLE" | "ON" | "REFERENCES")
            && TABLES.iter().any(|(table, _)| *table == word)
        {
            out.push_str(table_prefix);
        } else if before == "INDEX" {
            out.push_str(index_prefix);
        }
        out.push_str(word);
        (before, rest) = (word, after);
    }
    out.push_str(rest);
    out
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_get_the_other_name_and_columns_keep_theirs() {
        let sql = "SELECT e.payout FROM payout_entry AS e JOIN payout AS p ON p.key = e.payout WHERE e.payment_id = ?";
        let wanted = "SELECT e.payout FROM next_payout_entry AS e JOIN next_payout AS p ON p.key = e.payout WHERE e.payment_id = ?";
        assert_eq!(renamed(sql, "next_", ""), wanted);
        let sql = "INSERT INTO spread (payout, after) VALUES (?, 0) ON CONFLICT (payout) DO UPDATE SET after = 0";
        assert_eq!(renamed(sql, "next_", ""), sql.replace("INTO spread", "INTO next_spread"));
        let sql =
            "CREATE UNIQUE INDEX alert_once ON alert (subject); CREATE TABLE spread (payout REFERENCES payout (key))";
        let wanted = "CREATE UNIQUE INDEX r1_alert_once ON next_alert (subject); CREATE TABLE next_spread (payout REFERENCES next_payout (key))";
        assert_eq!(renamed(sql, "next_", "r1_"), wanted);
        let sql = "SELECT min(key) FROM event WHERE kind = 'payment'";
        assert_eq!(renamed(sql, "next_", ""), sql);
    }
}
