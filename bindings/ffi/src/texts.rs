//! Texts for people, by word.

use takings_domain::alert::AlertKind;
use takings_domain::event::{AttemptEnd, ReaderTrouble};
use takings_domain::payment::{Acts, Cause, NextStep, Stage};
use takings_domain::policy::Rule;
use takings_till::texts::Texts;

use crate::error::TakingsError;
use crate::guard::guarded;
use crate::records::Language;

/// Which list a word stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum WordKind {
    /// `PaymentView.stage`.
    Stage,
    /// `PaymentView.cause`, and the cause of a charge that was not made.
    Cause,
    /// `PaymentView.next_step`.
    NextStep,
    /// `PaymentView.acts`.
    Acts,
    /// The rule of the offline policy that refused, in the detail of a charge.
    Rule,
    /// `AlertView.alert_kind`.
    Alert,
    /// Why a card was not read, in the detail of a charge.
    AttemptEnd,
    /// `ReaderView.trouble`: what is wrong with a card reader, and what to do.
    ReaderTrouble,
}

/// The text a merchant reads for one of the library's words, such as the stage `on_its_way`.
#[uniffi::export]
pub fn text_of(kind: WordKind, word: String, language: Language) -> Result<String, TakingsError> {
    guarded(|| {
        let language = language.into();
        let text = match kind {
            WordKind::Stage => Stage::from_word(&word).map(|known| known.text(language)),
            WordKind::Cause => Cause::from_word(&word).map(|known| known.text(language)),
            WordKind::NextStep => NextStep::from_word(&word).map(|known| known.text(language)),
            WordKind::Acts => Acts::from_word(&word).map(|known| known.text(language)),
            WordKind::Rule => Rule::from_word(&word).map(|known| known.text(language)),
            WordKind::Alert => AlertKind::from_word(&word).map(|known| known.text(language)),
            WordKind::AttemptEnd => AttemptEnd::from_word(&word).map(|known| known.text(language)),
            WordKind::ReaderTrouble => ReaderTrouble::from_word(&word).map(|known| known.text(language)),
        };
        text.map(str::to_owned).ok_or_else(|| TakingsError::NotFound { code: "word".to_owned(), detail: word })
    })
}
