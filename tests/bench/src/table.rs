//! The table that is printed.

use std::fmt;
use std::io::Write;

/// Lines under headings; printed as each is known.
#[derive(Debug, Default)]
pub struct Table;

impl Table {
    /// A heading with the names of its columns.
    pub fn heading(&mut self, title: &str, columns: &[&str]) {
        self.line(&format!("\n## {title}\n"));
        self.row(columns);
        self.row(&vec!["---"; columns.len()]);
    }

    /// One row.
    pub fn row<T: fmt::Display>(&mut self, cells: &[T]) {
        let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    /// A line of text.
    pub fn note(&mut self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    fn line(&mut self, text: &str) {
        // Whoever reads may be gone; the measuring goes on.
        let mut out = std::io::stdout().lock();
        drop(writeln!(out, "{text}"));
        drop(out.flush());
    }
}
