//! What goes wrong at the simulated reader, each once: on the link, at the start, with the card.

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is said on this link any more; on the next one, if there is none.
    Silent,
    /// After so many more values nothing is said on this link any more.
    SilentAfter(u32),
    /// It has restarted, and says so on the next link.
    Restarted,
    /// The next start is refused, for this reason: group, subgroup, code.
    RefusesStart([u8; 3]),
    /// After so many more values one is lost.
    LosesValue(u32),
    /// After so many more values one comes twice.
    DoublesValue(u32),
    /// After so many more values one comes again, when three others have come.
    RepeatsValue(u32),
    /// After so many more values two change places.
    SwapsValues(u32),
    /// After so many more values it restarts, says so, and keeps the link.
    RestartsAfter(u32),
    /// The next card data is not encrypted as it must be.
    SpoilsCardData,
    /// The next payment ends once more, with this code; several make it end as often.
    EndsAgain([u8; 4]),
    /// The next card's receipt data never comes.
    NoReceiptData,
    /// The next card's receipt data is of another payment.
    OtherReceiptData(Other),
    /// When the next payment starts it says that it restarts in so many minutes.
    RestartsSoon(u8),
    /// When the next payment starts it says that it switches off within a minute.
    SwitchesOff,
    /// When the next payment starts it says that it is too cold to work; degrees Celsius.
    TooCold(i8),
    /// When the next payment starts it says that it is too hot to work; degrees Celsius.
    TooHot(i8),
}

/// What is another payment's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// The amount.
    Amount,
    /// The currency.
    Currency,
    /// The card.
    Card,
}

impl Failure {
    /// The failure of this word: `silent`, `silent_after:21`, `restarted`, `refuses_start:020316`, `loses_value:3`, `doubles_value:3`, `repeats_value:3`,
    /// `swaps_values:3`, `restarts_after:21`,
    /// `spoils_card_data`, `ends_again:10028000`, `no_receipt_data`, `other_receipt_data:amount` (or
    /// `currency`, `card`), `restarts_soon:3`, `switches_off`, `too_cold:-12`,
    /// `too_hot:55`. Codes are hex.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let (kind, argument) = word.split_once(':').unwrap_or((word, ""));
        let count = || argument.parse::<u32>().ok();
        let code = |digits: usize| {
            let plain = argument.len() == digits && argument.bytes().all(|digit| digit.is_ascii_hexdigit());
            u32::from_str_radix(argument, 16).ok().filter(|_| plain)
        };
        match (kind, argument.is_empty()) {
            ("silent", true) => Some(Self::Silent),
            ("silent_after", false) => count().map(Self::SilentAfter),
            ("restarted", true) => Some(Self::Restarted),
            ("spoils_card_data", true) => Some(Self::SpoilsCardData),
            ("no_receipt_data", true) => Some(Self::NoReceiptData),
            ("other_receipt_data", false) => match argument {
                "amount" => Some(Self::OtherReceiptData(Other::Amount)),
                "currency" => Some(Self::OtherReceiptData(Other::Currency)),
                "card" => Some(Self::OtherReceiptData(Other::Card)),
                _ => None,
            },
            ("switches_off", true) => Some(Self::SwitchesOff),
            ("restarts_soon", false) => argument.parse().ok().map(Self::RestartsSoon),
            ("too_cold", false) => argument.parse().ok().map(Self::TooCold),
            ("too_hot", false) => argument.parse().ok().map(Self::TooHot),
            ("refuses_start", false) => code(6).map(|code| {
                let [_, group, subgroup, reason] = code.to_be_bytes();
                Self::RefusesStart([group, subgroup, reason])
            }),
            ("ends_again", false) => code(8).map(|code| Self::EndsAgain(code.to_be_bytes())),
            ("loses_value", false) => count().map(Self::LosesValue),
            ("doubles_value", false) => count().map(Self::DoublesValue),
            ("repeats_value", false) => count().map(Self::RepeatsValue),
            ("swaps_values", false) => count().map(Self::SwapsValues),
            ("restarts_after", false) => count().map(Self::RestartsAfter),
            _ => None,
        }
    }
}

/// What is to happen to one value on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lost,
    Doubled,
    Repeated,
    Swapped,
    /// The reader restarts instead.
    Restarts,
    /// And nothing comes after it.
    Last,
}

/// What is still to go wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failures {
    coming: Vec<Failure>,
    /// What went wrong.
    done: Vec<Failure>,
    /// Nothing is said on this link.
    silent: bool,
}

impl Failures {
    pub(super) fn add(&mut self, failure: Failure) {
        self.coming.push(failure);
    }

    /// Nothing goes wrong any more; returns what did.
    pub(super) fn forget(&mut self) -> Vec<Failure> {
        self.coming.clear();
        std::mem::take(&mut self.done)
    }

    /// Two values that were to change places did not: there was one.
    pub(super) fn not_swapped_yet(&mut self) {
        if let Some(at) = self.done.iter().rposition(|failure| matches!(failure, Failure::SwapsValues(_))) {
            self.done.remove(at);
        }
        self.add(Failure::SwapsValues(0));
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// This link falls silent.
    pub(super) fn fall_silent(&mut self) {
        self.silent = true;
    }

    /// A new link: it speaks again, or is the one on which it says nothing.
    pub(super) fn link_up(&mut self) {
        self.silent = self.take(|failure| (failure == Failure::Silent).then_some(())).is_some();
    }

    pub(super) fn has_restarted(&mut self) -> bool {
        self.take(|failure| (failure == Failure::Restarted).then_some(())).is_some()
    }

    pub(super) fn refusal(&mut self) -> Option<[u8; 3]> {
        self.take(|failure| match failure {
            Failure::RefusesStart(reason) => Some(reason),
            _ => None,
        })
    }

    pub(super) fn spoils_card_data(&mut self) -> bool {
        self.take(|failure| (failure == Failure::SpoilsCardData).then_some(())).is_some()
    }

    pub(super) fn another_end(&mut self) -> Option<[u8; 4]> {
        self.take(|failure| match failure {
            Failure::EndsAgain(code) => Some(code),
            _ => None,
        })
    }

    /// The code of the next thing it says of itself when a payment starts, and what goes with it.
    pub(super) fn complaint(&mut self) -> Option<([u8; 4], Vec<u8>)> {
        self.take(|failure| match failure {
            Failure::RestartsSoon(minutes) => Some(([0x00, 0x01, 0x00, 0x00], vec![minutes])),
            Failure::SwitchesOff => Some(([0x00, 0x02, 0x01, 0x00], Vec::new())),
            Failure::TooCold(degrees) => Some(([0x04, 0x00, 0x00, degrees.cast_unsigned()], Vec::new())),
            Failure::TooHot(degrees) => Some(([0x04, 0x00, 0x01, degrees.cast_unsigned()], Vec::new())),
            _ => None,
        })
    }

    pub(super) fn other_receipt_data(&mut self) -> Option<Other> {
        self.take(|failure| match failure {
            Failure::OtherReceiptData(other) => Some(other),
            _ => None,
        })
    }

    pub(super) fn no_receipt_data(&mut self) -> bool {
        self.take(|failure| (failure == Failure::NoReceiptData).then_some(())).is_some()
    }

    /// One more value goes out: what happens to it.
    pub(super) fn fate(&mut self) -> Option<Fate> {
        let due = self.take(|failure| match failure {
            Failure::LosesValue(0) => Some(Fate::Lost),
            Failure::DoublesValue(0) => Some(Fate::Doubled),
            Failure::RepeatsValue(0) => Some(Fate::Repeated),
            Failure::SwapsValues(0) => Some(Fate::Swapped),
            Failure::RestartsAfter(0) => Some(Fate::Restarts),
            Failure::SilentAfter(0) => Some(Fate::Last),
            _ => None,
        });
        for failure in &mut self.coming {
            if let Failure::LosesValue(left)
            | Failure::DoublesValue(left)
            | Failure::RepeatsValue(left)
            | Failure::SwapsValues(left)
            | Failure::RestartsAfter(left)
            | Failure::SilentAfter(left) = failure
            {
                *left = left.saturating_sub(1);
            }
        }
        due
    }

    fn take<T>(&mut self, wanted: impl Fn(Failure) -> Option<T>) -> Option<T> {
        let (at, found) =
            self.coming.iter().enumerate().find_map(|(at, failure)| wanted(*failure).map(|found| (at, found)))?;
        let failure = self.coming.remove(at);
        self.done.push(failure);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_failures() {
        for (word, failure) in [
            ("silent", Some(Failure::Silent)),
            ("silent_after:21", Some(Failure::SilentAfter(21))),
            ("silent_after", None),
            ("restarted", Some(Failure::Restarted)),
            ("refuses_start:020316", Some(Failure::RefusesStart([2, 3, 0x16]))),
            ("loses_value:0", Some(Failure::LosesValue(0))),
            ("doubles_value:12", Some(Failure::DoublesValue(12))),
            ("repeats_value:7", Some(Failure::RepeatsValue(7))),
            ("swaps_values:3", Some(Failure::SwapsValues(3))),
            ("restarts_after:21", Some(Failure::RestartsAfter(21))),
            ("restarts_after", None),
            ("spoils_card_data", Some(Failure::SpoilsCardData)),
            ("ends_again:10028000", Some(Failure::EndsAgain([0x10, 2, 0x80, 0]))),
            ("no_receipt_data", Some(Failure::NoReceiptData)),
            ("other_receipt_data:currency", Some(Failure::OtherReceiptData(Other::Currency))),
            ("other_receipt_data:name", None),
            ("restarts_soon:3", Some(Failure::RestartsSoon(3))),
            ("switches_off", Some(Failure::SwitchesOff)),
            ("too_cold:-12", Some(Failure::TooCold(-12))),
            ("too_hot:55", Some(Failure::TooHot(55))),
            ("too_hot:555", None),
            ("", None),
            ("silent:1", None),
            ("loses_value", None),
            ("loses_value:-1", None),
            ("refuses_start:16", None),
            ("ends_again:+1002800", None),
            ("explodes", None),
        ] {
            assert_eq!(Failure::from_word(word), failure, "{word}");
        }
    }
}
