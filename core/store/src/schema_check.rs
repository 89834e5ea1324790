//! Whether every table has the columns this build gives it: what follows from events is compared row by row, and an empty
//! table has none.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::{StoreError, migration};

/// The first column that a ledger made now has and this one has not, as `table.column`. A ledger of another schema than this
/// build's is not compared.
pub(crate) fn missing_column(conn: &Connection) -> Result<Option<String>, StoreError> {
    let schema: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if schema != migration::newest() {
        return Ok(None);
    }
    let now = Connection::open_in_memory()?;
    migration::create(&now, migration::ledger_id(conn)?)?;
    let found = columns(conn)?;
    Ok(columns(&now)?.into_iter().find(|column| !found.contains(column)))
}

/// The columns of every table.
fn columns(conn: &Connection) -> Result<BTreeSet<String>, StoreError> {
    let mut statement = conn.prepare(
        "SELECT made.name || '.' || found.name FROM sqlite_schema AS made JOIN pragma_table_info(made.name) AS found
         WHERE made.type = 'table'",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
