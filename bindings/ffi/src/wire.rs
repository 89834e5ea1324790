//! From the core's types to those that cross the border, every field by its name.

use chrono::NaiveDate;

use crate::error::TakingsError;

/// Becomes what crosses the border.
pub(crate) trait Wire {
    /// What crosses.
    type Out;

    /// Converts.
    fn wire(self) -> Self::Out;
}

macro_rules! as_it_is {
    ($($ty:ty),+) => { $(impl Wire for $ty {
        type Out = Self;

        fn wire(self) -> Self {
            self
        }
    })+ };
}
as_it_is!((), String, bool, u8, u32, u64, i64);

impl Wire for NaiveDate {
    type Out = String;

    fn wire(self) -> String {
        self.to_string()
    }
}

impl<T: Wire> Wire for Option<T> {
    type Out = Option<T::Out>;

    fn wire(self) -> Self::Out {
        self.map(Wire::wire)
    }
}

impl<T: Wire> Wire for Vec<T> {
    type Out = Vec<T::Out>;

    fn wire(self) -> Self::Out {
        self.into_iter().map(Wire::wire).collect()
    }
}

/// A day as ISO 8601 text, `2026-11-21`.
pub(crate) fn day(text: &str) -> Result<NaiveDate, TakingsError> {
    text.parse().map_err(|_| TakingsError::fix_input("date", "a day is written 2026-11-21"))
}

/// A record with the fields of one of the core's; `name = core_name` where the core's is a keyword in some language.
macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident of $core:ty {
        $($(#[$field_doc:meta])* $field:ident $(= $core_field:ident)?: $ty:ty),+ $(,)?
    })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty),+ }

        impl $crate::wire::Wire for $core {
            type Out = $name;

            fn wire(self) -> $name {
                type Core = $core;
                // No `..`: a field that the core adds must not be lost here in silence.
                let Core { $($($core_field:)? $field),+ } = self;
                $name { $($field: $crate::wire::Wire::wire($field)),+ }
            }
        }
    )+ };
}
pub(crate) use mirror;
