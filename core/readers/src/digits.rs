//! Runs of digits: which could be a card's number, and how they are hidden and written.

use std::ops::RangeInclusive;

/// Card numbers have so many digits.
pub(crate) const NUMBER_LENS: RangeInclusive<usize> = 12..=19;

/// Whether the check digit of a card number fits, over values 0 to 9.
pub(crate) fn passes_luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(*digit);
        let weighed = if place % 2 == 0 { digit } else { digit * 2 };
        sum + if weighed > 9 { weighed - 9 } else { weighed }
    });
    sum.is_multiple_of(10)
}

/// A text without any run of digits as long as a card number, whatever but letters stands between them, cut to so many
/// characters.
pub(crate) fn without_numbers(text: impl Iterator<Item = char>, max_len: usize) -> String {
    let mut kept: Vec<char> = text.collect();
    let part_of_number = |found: &char| found.is_numeric() || !found.is_alphanumeric();
    let mut start = 0;
    while start < kept.len() {
        let run = kept.iter().skip(start).take_while(|&found| part_of_number(found)).count();
        if let Some(part) = kept.get_mut(start..start + run)
            && part.iter().filter(|found| found.is_numeric()).count() >= *NUMBER_LENS.start()
        {
            part.iter_mut().filter(|found| found.is_numeric()).for_each(|found| *found = '*');
        }
        start += run.max(1);
    }
    // Cut last: the beginning of a number does not look like one.
    kept.into_iter().take(max_len).collect()
}

/// Upper-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_test_numbers_pass_and_their_neighbours_do_not() {
        for number in ["4111111111111111", "378282246310005", "6011111111111117", "5555555555554444"] {
            let mut digits: Vec<u8> = number.bytes().map(|digit| digit - b'0').collect();
            assert!(passes_luhn(&digits), "{number}");
            digits[3] = (digits[3] + 1) % 10;
            assert!(!passes_luhn(&digits), "{number}");
        }
    }

    #[test]
    fn p8_a_number_is_hidden_before_the_text_is_cut() {
        let shown = |text: &str, len| without_numbers(text.chars(), len);
        assert_eq!(shown("4111 1111 1111 1111", 9), "**** ****");
        assert_eq!(shown("41111111111", 20), "41111111111", "eleven digits are no card's");
        assert_eq!(shown("4111-1111 a 1111-1111", 30), "4111-1111 a 1111-1111");
        assert_eq!(shown("４１１１.１１１１/１１１１", 30), "****.****/****");
        assert_eq!(hex(&[0x0A, 0xFF]), "0AFF");
    }
}
