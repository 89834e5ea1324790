//! Making the projections of an earlier version fit this build, so that they serve while the next ones are made.
//!
//! A column that is missing is added where that costs nothing: one that may be null, or that names its default. A table
//! that is missing is made, empty. Everything else does not fit: a type, a key or a unique index that changed, a column
//! that must hold something and that nobody fills any more.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::StoreError;
use crate::migration::{META_PROJECTIONS, in_transaction, meta};
use crate::projection::tables::NEXT;
use crate::projection::{self, TABLES};
use crate::rebuild::exists;

/// One column, as SQLite describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnForm {
    of_type: String,
    not_null: bool,
    default: Option<String>,
    place_in_key: i64,
}

/// Makes the tables in force fit, all of them or none. False if they cannot: the next ones must be made first. The next
/// tables must have been begun: they are what is fitted to.
pub(crate) fn make_fit(conn: &Connection) -> Result<bool, StoreError> {
    let version = meta(conn, META_PROJECTIONS)?.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    if version.is_none_or(|version| !(projection::SERVES_SINCE..=projection::VERSION).contains(&version)) {
        return Ok(false);
    }
    let mut missing = Vec::new();
    for (table, _) in TABLES {
        match what_is_missing(conn, table)? {
            Some(more) => missing.extend(more),
            None => return Ok(false),
        }
    }
    if !missing.is_empty() {
        in_transaction(conn, |conn| missing.iter().try_for_each(|sql| Ok(conn.execute_batch(sql)?)))?;
    }
    Ok(true)
}

/// The statements that make one table fit; none if nothing can.
fn what_is_missing(conn: &Connection, table: &str) -> Result<Option<Vec<String>>, StoreError> {
    if !exists(conn, table)? {
        let make = projection::SCHEMA.split(';').map(strip_comments).find(|sql| {
            sql.strip_prefix("CREATE TABLE ").is_some_and(|rest| rest.split_whitespace().next() == Some(table))
        });
        return Ok(make.map(|sql| vec![sql]));
    }
    let wanted_name = format!("{NEXT}{table}");
    let (found, wanted) = (columns(conn, table)?, columns(conn, &wanted_name)?);
    if unique_indexes(conn, table)? != unique_indexes(conn, &wanted_name)? {
        return Ok(None);
    }
    let mut missing = Vec::new();
    for (name, form) in &wanted {
        match found.get(name) {
            Some(known)
                if (&known.of_type, known.not_null, known.place_in_key)
                    == (&form.of_type, form.not_null, form.place_in_key) => {}
            None if form.place_in_key == 0 && (!form.not_null || form.default.is_some()) => {
                let not_null = if form.not_null { " NOT NULL" } else { "" };
                let default = form.default.as_ref().map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
                missing.push(format!("ALTER TABLE {table} ADD COLUMN {name} {}{not_null}{default}", form.of_type));
            }
            _ => return Ok(None),
        }
    }
    let filled = |(name, form): (&String, &ColumnForm)| {
        wanted.contains_key(name) || (form.place_in_key == 0 && (!form.not_null || form.default.is_some()))
    };
    Ok(found.iter().all(filled).then_some(missing))
}

fn strip_comments(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn columns(conn: &Connection, table: &str) -> Result<BTreeMap<String, ColumnForm>, StoreError> {
    let mut statement =
        conn.prepare("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?) ORDER BY cid")?;
    let rows = statement.query_map([table], |row| {
        let form =
            ColumnForm { of_type: row.get(1)?, not_null: row.get(2)?, default: row.get(3)?, place_in_key: row.get(4)? };
        Ok((row.get(0)?, form))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What must be unique, by the columns.
fn unique_indexes(conn: &Connection, table: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = conn.prepare(
        "SELECT (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(list.name) ORDER BY seqno))
         FROM pragma_index_list(?) AS list WHERE \"unique\" = 1 ORDER BY 1",
    )?;
    let rows = statement.query_map([table], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
