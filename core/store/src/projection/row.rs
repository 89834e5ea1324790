//! Rows as values: one list of columns per table, from which writing, reading and comparing follow.

use chrono::NaiveDate;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use takings_domain::event::{Class, Lane};
use takings_domain::payment::{Cause, Delivery, Stage};
use takings_domain::{
    Arrival, AttemptId, Authorization, Clearing, Currency, Direction, EntryMode, EntryType, Evidence, PaymentId,
    PayoutId, PayoutStatus, Scheme,
};

/// A type that stands in one column. Texts are lent both ways: a page of payments is two thousand columns.
pub(crate) trait Column: Sized {
    /// As SQLite keeps it.
    fn to_value(&self) -> ToSqlOutput<'_>;
    /// Back again; none if the file holds something this build never writes.
    fn from_value(value: ValueRef<'_>) -> Option<Self>;
}

/// A value that outlives what it was made from.
pub(crate) fn owned(value: &impl Column) -> Value {
    match value.to_value() {
        ToSqlOutput::Owned(value) => value,
        ToSqlOutput::Borrowed(value) => value.try_into().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

fn integer(number: i64) -> ToSqlOutput<'static> {
    ToSqlOutput::Borrowed(ValueRef::Integer(number))
}

fn lent(text: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
}

fn text(value: ValueRef<'_>) -> Option<&str> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

macro_rules! integer_columns {
    ($($type:ty),+) => {$(
        impl Column for $type {
            fn to_value(&self) -> ToSqlOutput<'_> {
                integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn from_value(value: ValueRef<'_>) -> Option<Self> {
                match value { ValueRef::Integer(number) => Self::try_from(number).ok(), _ => None }
            }
        }
    )+};
}
integer_columns!(i64, u64, u32);

macro_rules! word_columns {
    ($($type:ty),+ $(,)?) => {$(
        impl Column for $type {
            fn to_value(&self) -> ToSqlOutput<'_> {
                lent(self.as_str())
            }
            fn from_value(value: ValueRef<'_>) -> Option<Self> {
                Self::from_word(text(value)?)
            }
        }
    )+};
}
word_columns!(
    Arrival,
    Authorization,
    Cause,
    Class,
    Clearing,
    Delivery,
    Direction,
    EntryMode,
    EntryType,
    Evidence,
    Lane,
    PayoutStatus,
    Scheme,
    Stage,
    takings_domain::alert::AlertKind,
    takings_domain::balance::Account,
);

macro_rules! uuid_columns {
    ($($type:ty),+) => {$(
        impl Column for $type {
            fn to_value(&self) -> ToSqlOutput<'_> {
                ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes()))
            }
            fn from_value(value: ValueRef<'_>) -> Option<Self> {
                match value { ValueRef::Blob(bytes) => bytes.try_into().ok().map(Self::from_bytes), _ => None }
            }
        }
    )+};
}
uuid_columns!(PaymentId, AttemptId);

impl Column for bool {
    fn to_value(&self) -> ToSqlOutput<'_> {
        integer(i64::from(*self))
    }
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Integer(0) => Some(false),
            ValueRef::Integer(1) => Some(true),
            _ => None,
        }
    }
}

impl Column for String {
    fn to_value(&self) -> ToSqlOutput<'_> {
        lent(self)
    }
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        text(value).map(str::to_owned)
    }
}

impl Column for Currency {
    fn to_value(&self) -> ToSqlOutput<'_> {
        lent(self.code())
    }
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        Self::from_code(text(value)?).ok()
    }
}

impl Column for PayoutId {
    fn to_value(&self) -> ToSqlOutput<'_> {
        lent(self.as_str())
    }
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        Self::new(text(value)?).ok()
    }
}

impl Column for NaiveDate {
    fn to_value(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Owned(Value::Text(self.to_string()))
    }
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        text(value)?.parse().ok()
    }
}

impl<T: Column> Column for Option<T> {
    fn to_value(&self) -> ToSqlOutput<'_> {
        self.as_ref().map_or(ToSqlOutput::Borrowed(ValueRef::Null), T::to_value)
    }
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// A row of a projection.
pub(crate) trait Row: Sized {
    /// The table.
    const TABLE: &'static str;
    /// Its columns, in the order of [`Row::values`].
    const COLUMNS: &'static [&'static str];
    /// The columns as values.
    fn values(&self) -> Vec<ToSqlOutput<'_>>;
    /// Reads the columns back, from the given column of a result on.
    fn read(row: &rusqlite::Row<'_>, from: usize) -> Result<Self, crate::StoreError>;
}

/// `a, b, c` of a row's columns.
pub(crate) fn column_list<R: Row>() -> String {
    R::COLUMNS.join(", ")
}

/// `x.a, x.b, x.c` of a row's columns.
pub(crate) fn column_list_of<R: Row>(alias: &str) -> String {
    R::COLUMNS.iter().map(|column| format!("{alias}.{column}")).collect::<Vec<_>>().join(", ")
}

/// An `INSERT` of every column; `or` is empty or `OR REPLACE`.
pub(crate) fn insert_sql<R: Row>(or: &str) -> String {
    let marks = vec!["?"; R::COLUMNS.len()].join(", ");
    format!("INSERT {or} INTO {} ({}) VALUES ({marks})", R::TABLE, column_list::<R>())
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident in $table:literal { $($(#[$fdoc:meta])* $field:ident: $type:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$fdoc])* pub $field: $type),+ }

        impl crate::projection::row::Row for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];
            fn values(&self) -> Vec<rusqlite::types::ToSqlOutput<'_>> {
                vec![$(crate::projection::row::Column::to_value(&self.$field)),+]
            }
            fn read(row: &rusqlite::Row<'_>, from: usize) -> Result<Self, crate::StoreError> {
                let mut at = from;
                $(
                    let $field = <$type as crate::projection::row::Column>::from_value(row.get_ref(at)?)
                        .ok_or(crate::StoreError::Unreadable { what: concat!($table, ".", stringify!($field)) })?;
                    at += 1;
                )+
                let _ = at;
                Ok(Self { $($field),+ })
            }
        }
    )+};
}
pub(crate) use rows;
