//! P12 opens: the app opens and answers, whatever happened before, unless the disk or the keys are out of order.

use takings_till::TillError;
use takings_till::views::StatusView;

use super::facts::Phone;
use super::verdict::{At, Verdict};

const P12: &str = "P12";

pub(super) fn not_opened(at: At, error: &TillError, excused: bool, verdict: &mut Verdict) {
    verdict.check(excused, P12, at, || format!("the app did not open: {error}"));
}

/// An error that no caller expects.
pub(super) fn trouble(at: At, error: &TillError, excused: bool, verdict: &mut Verdict) {
    let ours = matches!(error, TillError::Internal { .. });
    let disk = matches!(error, TillError::Storage { .. } | TillError::UpgradeApp { .. });
    verdict.check(!ours, P12, at, || format!("the app says it is broken: {error}"));
    verdict.check(!disk || excused, P12, at, || format!("the disk is in order, and the app says: {error}"));
}

/// A refusal of a charge has a reason that a merchant or a shell can act on.
pub(super) fn refused(phone: &Phone, at: At, error: &TillError, verdict: &mut Verdict) {
    let ours = matches!(error, TillError::Internal { .. } | TillError::UpgradeApp { .. } | TillError::NotFound { .. });
    verdict.check(!ours, P12, at, || format!("a charge was refused: {error}"));
    let disk = matches!(error, TillError::Storage { .. });
    let excused = phone.disk_is_bad() || phone.disk_bad_until_ms.is_some();
    verdict.check(!disk || excused, P12, at, || format!("the disk is in order, and a charge was refused: {error}"));
}

pub(super) fn status(phone: &Phone, at: At, status: &StatusView, verdict: &mut Verdict) {
    if let Some(why) = &status.read_only {
        verdict.check(phone.disk_is_bad(), P12, at, || format!("the ledger can only be read: {why}"));
    }
    if let (Some(activation), Some(terminal)) = (&status.activation, phone.terminal()) {
        verdict.check(activation.terminal_id == terminal, P12, at, || {
            format!("the till says that it is {}, it is {terminal}", activation.terminal_id)
        });
    }
}

/// Two processes on one ledger would break everything else.
pub(super) fn second_process(at: At, let_in: bool, verdict: &mut Verdict) {
    verdict.check(!let_in, P12, at, || "a second process was let in".to_owned());
}
