//! Reading for the screen, on connections of their own.

pub mod alerts;
