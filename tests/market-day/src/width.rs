//! How many columns a text takes on a terminal: two for a Chinese character and its punctuation, one for the rest.

fn columns(letter: char) -> usize {
    match u32::from(letter) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe4f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

/// The columns this text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// The text in at most so many columns.
pub(crate) fn shorten(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut taken = 1;
    let fits = |letter: &char| {
        taken += columns(*letter);
        taken <= room
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The text in lines of at most so many columns: broken at spaces where there are some near the end, else where it must.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(2);
    let mut lines = Vec::new();
    let mut rest = text;
    while width(rest) > room {
        let mut taken = 0;
        let mut full = |letter: char| {
            taken += columns(letter);
            taken > room
        };
        let end = rest.char_indices().find(|(_, letter)| full(*letter)).map_or(rest.len(), |(at, _)| at);
        let (head, after) = rest.split_at(end);
        // A long piece without a space is broken where the room ends, as Chinese is.
        let space = if after.starts_with(' ') { Some(end) } else { head.rfind(' ') };
        let at = space.filter(|at| width(rest.get(..*at).unwrap_or_default()) * 2 > room).unwrap_or(end);
        let (line, next) = rest.split_at(at);
        lines.push(line.trim_end().to_owned());
        rest = next.trim_start();
    }
    lines.push(rest.to_owned());
    lines
}

/// What is missing to so many columns, as spaces.
pub(crate) fn space(text: &str, room: usize) -> String {
    " ".repeat(room.saturating_sub(width(text)))
}

/// The text aligned left in so many columns.
pub(crate) fn pad(text: &str, room: usize) -> String {
    format!("{text}{}", space(text, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_goes_on_in_the_next_line() {
        assert_eq!(wrap("saved on this phone", 30), ["saved on this phone"]);
        assert_eq!(wrap("saved on this phone", 13), ["saved on this", "phone"]);
        assert_eq!(wrap("saved on this phone", 12), ["saved on", "this phone"]);
        assert_eq!(wrap("po_20260427_1", 6), ["po_202", "60427_", "1"]);
        assert_eq!(wrap("手机突然关机", 5), ["手机", "突然", "关机"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn a_chinese_character_takes_two_columns() {
        assert_eq!(width("MD-0001 •••• 12"), 15);
        assert_eq!(width("未扣款：A"), 9);
        assert_eq!(pad("插卡", 6), "插卡  ");
        assert_eq!(shorten("未扣款", 6), "未扣款");
        assert_eq!(shorten("未扣款", 5), "未扣…");
        assert_eq!(shorten("未扣款", 4), "未…");
        assert_eq!(shorten("approved", 4), "app…");
    }
}
