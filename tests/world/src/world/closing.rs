//! The days after, and the books.

use std::fs;

use serde_json::{Value, json};
use takings_till::simulation::Command;

use super::{World, WorldError};
use crate::phone::Purpose;
use crate::plan::{DAY, HOUR};
use crate::streams::Stream;

/// Long enough for every payout of a week without a holiday: two days, a return, a second payout.
const DAYS: i64 = 7;
/// Long enough for one with a long holiday in it.
const HOLIDAYS: i64 = 16;
/// Mornings before long holidays, milliseconds UTC.
const BEFORE_HOLIDAYS_MS: [i64; 3] = [1_771_027_200_000, 1_790_726_400_000, 1_775_174_400_000];

impl World {
    /// When everything that is to come has come.
    pub(super) fn last_ms(&self) -> i64 {
        let days = if BEFORE_HOLIDAYS_MS.contains(&self.plan.start_ms) { HOLIDAYS } else { DAYS };
        self.now_ms + days * DAY + HOUR
    }

    /// Banks that answered nothing for certain do so now.
    pub(super) fn decide_what_waits(&mut self) -> Result<(), WorldError> {
        let book = self.book()?;
        let mut stream = Stream::new(self.plan.seed, "decisions");
        for payment in book["payments"].as_array().into_iter().flatten() {
            if payment["authorization"] != json!("processing") {
                continue;
            }
            let Some(id) = payment["payment_id"].as_str() else { continue };
            let action = if stream.below(2) == 0 { "approve" } else { "decline" };
            self.try_admin("POST", &format!("/admin/payments/{id}"), &json!({"action": action}));
        }
        Ok(())
    }

    /// The last look, the files, the books.
    pub(super) fn close(&mut self) -> Result<(), WorldError> {
        for phone in 0..self.phones.len() {
            self.command(phone, Purpose::Verify, Command::Verify);
            self.glance(phone, true);
            let files = self.files(phone)?;
            self.oracle.files(self.now_ms, phone, &files);
        }
        let book = self.book()?;
        self.count_from_book(&book);
        self.oracle.finish(self.now_ms, &book);
        Ok(())
    }

    fn files(&self, phone: usize) -> Result<Vec<(String, Vec<u8>)>, WorldError> {
        let mut files = Vec::new();
        for file in fs::read_dir(self.phones[phone].dir())? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if name != "ballast" {
                files.push((name, fs::read(file.path())?));
            }
        }
        files.sort();
        Ok(files)
    }

    fn count_from_book(&mut self, book: &Value) {
        for payment in book["payments"].as_array().into_iter().flatten() {
            match payment["response_code"].as_str() {
                Some("10") => self.rare.count("partial_approval"),
                Some("ZZ") => self.rare.count("unlisted_code"),
                _ => {}
            }
            if payment["last_four"] == json!("0099") {
                self.rare.count("unlisted_code");
            }
        }
        for reversal in book["reversals"].as_array().into_iter().flatten() {
            let asked = |record: &Value| record["payment_id"] == reversal["payment_id"];
            if book["authorizations"].as_array().into_iter().flatten().any(asked) {
                self.rare.count("reversal_after_capture");
            }
        }
        for payout in book["payouts"].as_array().into_iter().flatten() {
            if payout["status"] == json!("returned") {
                self.rare.count("payout_returned");
            }
            if !payout["reissue_of"].is_null() {
                self.rare.count("payout_paid_again");
            }
        }
    }
}
