//! The world simulator.
