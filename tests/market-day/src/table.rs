//! Tables that fit: columns that matter less go first.

use crate::screen::{Look, Screen};
use crate::width::{shorten, space, width};

/// One column.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) right: bool,
    /// What is dropped first when there is no room: the highest; 0 never.
    pub(crate) drop: u8,
}

/// One cell.
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) look: Look,
}

/// A column that is aligned left.
pub(crate) const fn left(title: &'static str, drop: u8) -> Column {
    Column { title, right: false, drop }
}

/// A column that is aligned right.
pub(crate) const fn right(title: &'static str, drop: u8) -> Column {
    Column { title, right: true, drop }
}

/// A cell.
pub(crate) fn cell(look: Look, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), look }
}

/// Prints a table.
pub(crate) fn print(screen: &mut Screen, columns: &[Column], rows: &[Vec<Cell>]) {
    let lengths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let held = rows.iter().filter(|row| column.right || at + 1 == columns.len() || !is_last(row, at));
            let cells = held.filter_map(|row| row.get(at)).map(|cell| width(&cell.text));
            cells.chain([width(column.title)]).max().unwrap_or(0)
        })
        .collect();
    let kept = fitting(columns, &lengths, screen.width());
    let title: Vec<Cell> = columns.iter().map(|column| cell(Look::Dim, column.title)).collect();
    for row in std::iter::once(&title).chain(rows) {
        let mut used = 0;
        let mut line = Vec::new();
        for &(at, length) in &kept {
            let (Some(cell), Some(column)) = (row.get(at), columns.get(at)) else { continue };
            let room = if is_last(row, at) { screen.width().saturating_sub(used) } else { length };
            let text = shorten(&cell.text, room);
            let space = space(&text, length);
            let text = screen.paint(cell.look, &text);
            line.push(if column.right { format!("{space}{text}") } else { format!("{text}{space}") });
            used += length + 2;
        }
        screen.line(line.join("  ").trim_end());
    }
}

/// Nothing stands to the right of this cell: it may take the room there, and does not widen its column.
fn is_last(row: &[Cell], at: usize) -> bool {
    row.iter().skip(at + 1).all(|cell| cell.text.is_empty())
}

/// The columns that fit, with their lengths.
fn fitting(columns: &[Column], lengths: &[usize], width: usize) -> Vec<(usize, usize)> {
    let mut kept: Vec<(usize, usize)> = lengths.iter().copied().enumerate().collect();
    let total = |kept: &[(usize, usize)]| kept.iter().map(|(_, length)| length + 2).sum::<usize>().saturating_sub(2);
    while total(&kept) > width {
        let drop = |at: usize| columns.get(at).map_or(0, |column| column.drop);
        let Some(&(worst, _)) = kept.iter().max_by_key(|(at, _)| drop(*at)).filter(|(at, _)| drop(*at) > 0) else {
            let over = total(&kept) - width;
            if let Some((_, longest)) = kept.iter_mut().max_by_key(|(_, length)| *length) {
                *longest = longest.saturating_sub(over).max(4);
            }
            break;
        };
        kept.retain(|(at, _)| *at != worst);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_less_goes_first() {
        let columns = [left("a", 0), left("b", 2), right("c", 1)];
        assert_eq!(fitting(&columns, &[10, 10, 10], 40), [(0, 10), (1, 10), (2, 10)]);
        assert_eq!(fitting(&columns, &[10, 10, 10], 30), [(0, 10), (2, 10)]);
        assert_eq!(fitting(&columns, &[10, 10, 10], 20), [(0, 10)]);
        assert_eq!(fitting(&columns, &[30, 10, 10], 20), [(0, 20)]);
    }
}
