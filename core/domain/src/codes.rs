//! Response codes of field 39: which class each belongs to. Base list after Q/CUP 006.6-2014 A.2 and ISO 8583:1987.
//!
//! The class decides; the raw code is always kept. A code that is on no list is neither approval nor decline
//! (promise P3): [`class_of`] answers none, and the payment is *not confirmed*.

/// What a response code means for the till.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeClass {
    /// Approved in full.
    Approved,
    /// Approved in part.
    Partial,
    /// Declined: not this card.
    Declined,
    /// Declined: possible after a change.
    SoftDeclined,
    /// Declined: keep the card if instructed.
    CaptureCard,
    /// The system could not: later.
    RetryLater,
    /// The issuer may have debited.
    InDoubt,
    /// Terminal or session: sign on, or call the acquirer.
    Terminal,
    /// Our message is wrong.
    Format,
}

/// The class of this two-character code, or none if it is on no list.
#[must_use]
pub fn class_of(code: &str) -> Option<CodeClass> {
    use CodeClass as C;
    Some(match code {
        "00" | "11" | "Y1" | "Y3" | "A2" | "A4" | "A5" | "A6" => C::Approved,
        "10" => C::Partial,
        "01" | "02" | "05" | "12" | "15" | "21" | "23" | "25" | "31" | "38" | "39" | "40" | "42" | "44" | "52"
        | "53" | "54" | "56" | "57" | "59" | "62" | "75" | "93" | "A3" | "B1" | "N1" | "P1" | "Z1" | "Z3" => {
            C::Declined
        }
        "13" | "14" | "19" | "45" | "51" | "55" | "61" | "65" => C::SoftDeclined,
        "04" | "07" | "33" | "34" | "35" | "36" | "37" | "41" | "43" | "66" | "67" => C::CaptureCard,
        "06" | "09" | "20" | "90" | "91" | "92" | "96" | "A7" => C::RetryLater,
        "68" | "98" => C::InDoubt,
        "03" | "22" | "58" | "63" | "77" | "79" | "94" | "95" | "97" | "99" | "A0" | "C1" => C::Terminal,
        "30" | "64" | "A1" => C::Format,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p3_honest_an_unlisted_code_is_neither_approval_nor_decline() {
        assert_eq!(class_of("00"), Some(CodeClass::Approved));
        assert_eq!(class_of("51"), Some(CodeClass::SoftDeclined));
        assert_eq!(class_of("ZZ"), None);
        assert_eq!(class_of(""), None);
        assert_eq!(class_of("000"), None);
    }
}
