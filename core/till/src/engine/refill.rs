//! Lists of an earlier version of the app are made anew a piece at a time, while nobody waits at the till.

use takings_domain::Now;

use super::Engine;
use crate::error::TillError;
use crate::views::TroubleView;

/// Events of one piece: some twenty milliseconds.
pub(super) const PIECE_EVENTS: u32 = 500;
/// Pieces of one tick.
const PIECES: u32 = 4;
/// The pause before the next ones, milliseconds.
pub(super) const AGAIN_MS: i64 = 100;

impl Engine {
    /// After an opening: is anything left to be done?
    pub(super) fn look_for_refill(&mut self) -> Result<(), TillError> {
        self.refill_owed = self.read_only.is_none() && self.ledger.rebuild_progress()?.is_some();
        Ok(())
    }

    /// The next pieces. A card at the reader goes first.
    pub(super) fn refill(&mut self) -> Result<(), TillError> {
        for _ in 0..PIECES {
            if !self.refill_owed || self.card_at_reader() {
                break;
            }
            self.refill_owed = self.ledger.rebuild_chunk(PIECE_EVENTS)?;
        }
        Ok(())
    }

    /// What the merchant reads meanwhile: some lists may still show what the earlier version made of them.
    pub(super) fn refill_notice(&mut self, now: Now) -> Option<TroubleView> {
        if !self.refill_owed {
            return None;
        }
        let progress = self.ledger.rebuild_progress().ok().flatten()?;
        let detail = format!("the lists are being made anew: {} of {} events", progress.done, progress.of);
        Some(TroubleView { at_ms: now.wall_ms, detail })
    }
}
