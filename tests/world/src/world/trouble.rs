//! What goes wrong, and when it ends.

use serde_json::{Value, json};
use takings_till::simulation::Command;

use super::{Happening, World, WorldError};
use crate::directory::{copy_files, directory};
use crate::disk::{Disk, Failure, FailureKind};
use crate::phone::{Death, Purpose};
use crate::plan::{Fault, FaultKind, MINUTE, SECOND};
use crate::record::Deed;
use crate::streams::Stream;

impl World {
    pub(super) fn begin_fault(&mut self, number: usize) -> Result<(), WorldError> {
        if self.healed {
            return Ok(());
        }
        let fault = self.plan.faults[number].clone();
        let word = word(&fault.kind);
        *self.faults.entry(word).or_default() += 1;
        self.trace.tell(self.now_ms, &format!("fault {number}"), &told(&fault));
        if fault.lasts_ms > 0 {
            self.at(self.now_ms + fault.lasts_ms, Happening::Ends(number));
        }
        let phone = fault.phone;
        match &fault.kind {
            FaultKind::BadLine { .. } | FaultKind::NoNetwork | FaultKind::Blackhole | FaultKind::Portal => {
                self.weather[phone].insert(number, fault.kind);
            }
            FaultKind::Kill { .. }
            | FaultKind::PowerCut { .. }
            | FaultKind::Restart
            | FaultKind::Clock { .. }
            | FaultKind::DiskFull { .. }
            | FaultKind::DiskFails { .. }
            | FaultKind::Background
            | FaultKind::SecondProcess
            | FaultKind::KeysAway
            | FaultKind::OlderCopy { .. } => self.begin_at_phone(phone, &fault)?,
            _ => self.begin_at_acquirer(number, &fault)?,
        }
        Ok(())
    }

    fn begin_at_phone(&mut self, phone: usize, fault: &Fault) -> Result<(), WorldError> {
        let at_ms = self.now_ms;
        let until_ms = at_ms + fault.lasts_ms + MINUTE;
        let this = &mut self.phones[phone];
        match fault.kind {
            FaultKind::Kill { after_calls, again_after } => this.dies_at(Death::Killed, after_calls, again_after),
            FaultKind::PowerCut { after_calls, again_after } => {
                this.dies_at(Death::PowerCut, after_calls, again_after);
            }
            FaultKind::Restart => self.restart(phone),
            FaultKind::Clock { by_ms } => self.set_clock(phone, by_ms),
            FaultKind::DiskFull { left } => {
                let used = used_bytes(this.dir());
                this.disk.set_capacity(Some(used + left));
                this.disk_is_full = true;
                this.excused_until_ms = this.excused_until_ms.max(until_ms);
                self.oracle.deed(at_ms, Some(phone), Deed::DiskFull(true));
            }
            FaultKind::DiskFails { after_calls, calls, syncs } => {
                let kind = if syncs { FailureKind::Sync } else { FailureKind::Io };
                let at_call = this.disk.calls() + after_calls;
                this.disk.fail(Some(Failure { at_call, calls, kind }));
                this.excused_until_ms = this.excused_until_ms.max(until_ms);
                self.rare.count(if syncs { "sync_failed" } else { "disk_failed" });
                self.oracle.deed(at_ms, Some(phone), Deed::DiskFails(true));
            }
            FaultKind::Background => {
                if this.charging.is_some() {
                    self.rare.count("background_during_charge");
                }
                if let Some(reading) = &this.reading {
                    reading.rest();
                }
                self.command(phone, Purpose::Other, Command::Background);
            }
            FaultKind::SecondProcess => self.second_process(phone),
            FaultKind::KeysAway => {
                this.lock_keys(true);
                this.excused_until_ms = this.excused_until_ms.max(until_ms);
                self.rare.count("keys_away");
            }
            FaultKind::OlderCopy { witness_stays, .. } => self.put_older_copy_back(phone, witness_stays)?,
            _ => {}
        }
        Ok(())
    }

    fn restart(&mut self, phone: usize) {
        if self.phones[phone].engine.is_none() {
            return;
        }
        if self.weather[phone].values().any(|kind| matches!(kind, FaultKind::NoNetwork)) {
            self.rare.count("restart_without_network");
        }
        let at_ms = self.now_ms;
        self.take_up_sale_again(phone);
        self.phones[phone].end();
        self.phones[phone].boot(at_ms);
        self.oracle.deed(at_ms, Some(phone), Deed::Restarted);
        self.at(at_ms + MINUTE, Happening::Starts { phone });
    }

    fn set_clock(&mut self, phone: usize, by_ms: i64) {
        if by_ms < 0 {
            self.rare.count("clock_back");
        }
        self.phones[phone].wall_offset_ms += by_ms;
        self.oracle.deed(self.now_ms, Some(phone), Deed::ClockSet { by_ms });
        self.plan_waking(phone);
    }

    fn second_process(&mut self, phone: usize) {
        if self.phones[phone].engine.is_none() {
            return;
        }
        let at_ms = self.now_ms;
        let let_in = self.phones[phone].another_engine(at_ms).is_ok();
        if !let_in {
            self.rare.count("second_process_refused");
        }
        self.oracle.deed(at_ms, Some(phone), Deed::SecondProcess { let_in });
    }

    /// Files of a phone as they are now, for a copy that is put back later.
    pub(super) fn take_copy(&mut self, number: usize) -> Result<(), WorldError> {
        match self.plan.faults[number].kind {
            FaultKind::AcquirerRestored { .. } => {
                self.copies.insert(number, (self.now_ms, self.sandbox.clone()));
            }
            FaultKind::OlderCopy { .. } => {
                let this = &mut self.phones[self.plan.faults[number].phone];
                if this.engine.is_some() && this.activated {
                    let copy = directory()?;
                    copy_files(this.dir(), copy.path())?;
                    this.copy = Some((self.now_ms, copy));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn put_older_copy_back(&mut self, phone: usize, witness_stays: bool) -> Result<(), WorldError> {
        let at_ms = self.now_ms;
        let Some((of_ms, copy)) = self.phones[phone].copy.take() else { return Ok(()) };
        self.rare.count("older_copy");
        let this = &mut self.phones[phone];
        let witness = std::fs::read(this.dir().join("head"))?;
        // Where the power went just before, the witness may be an older one; where none was written since, it is the copy's.
        let witness_knows = witness_stays && !this.power_went && witness != std::fs::read(copy.path().join("head"))?;
        this.end();
        this.death = None;
        copy_files(copy.path(), this.dir())?;
        if witness_stays {
            std::fs::write(this.dir().join("head"), witness)?;
        }
        this.disk = Disk::new(this.dir());
        this.boot(at_ms);
        self.oracle.deed(at_ms, Some(phone), Deed::OlderCopy { of_ms });
        if witness_knows {
            self.oracle.deed(at_ms, Some(phone), Deed::WitnessStayed);
        }
        self.at(at_ms + MINUTE, Happening::Starts { phone });
        Ok(())
    }

    fn begin_at_acquirer(&mut self, number: usize, fault: &Fault) -> Result<(), WorldError> {
        let rule = match &fault.kind {
            FaultKind::Maintenance => json!({"on": "*", "kind": "refuse", "problem": "maintenance"}),
            FaultKind::BrownOut => {
                let status = if number.is_multiple_of(2) { 500 } else { 504 };
                json!({"on": "*", "kind": "status", "status": status, "processed": true, "probability": 0.5, "seed": number})
            }
            FaultKind::Refuses { on, problem, count } => {
                json!({"on": on, "kind": "refuse", "problem": problem, "count": count})
            }
            FaultKind::WrongSignature => json!({"on": "*", "kind": "wrong_signature", "count": 3}),
            _ => return self.happen_at_acquirer(number, fault),
        };
        let planted = self.admin("POST", "/admin/faults", &rule)?;
        let id = planted["fault_id"].as_str().unwrap_or_default().to_owned();
        self.acquirer_trouble.insert(number, (fault.kind.clone(), id));
        Ok(())
    }

    fn happen_at_acquirer(&mut self, number: usize, fault: &Fault) -> Result<(), WorldError> {
        match &fault.kind {
            FaultKind::AcquirerRestart => self.acquirer_restarted_ms = self.now_ms,
            FaultKind::AcquirerRestored { .. } => self.restore_acquirer(number),
            FaultKind::NewKeys { ends_sessions } => {
                self.admin("POST", "/admin/keys/rotate", &json!({"refuse_sessions": ends_sessions}))?;
                self.documents_changed_ms = self.now_ms;
            }
            FaultKind::Administers { path: "/admin/policy", body } => {
                self.publish_policy(body)?;
                self.rare.count("policy_changed");
                self.documents_changed_ms = self.now_ms;
            }
            FaultKind::Administers { path, body } => {
                self.try_admin("POST", path, body);
                self.documents_changed_ms = self.now_ms;
            }
            FaultKind::Holds => self.act_on_a_payment(number, &json!({"action": "hold"}))?,
            FaultKind::LateDecline => {
                let declined = self.act_on_a_payment_counted(number, &json!({"action": "decline", "code": "51"}))?;
                if declined {
                    self.rare.count("late_decline");
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn act_on_a_payment(&mut self, number: usize, action: &Value) -> Result<(), WorldError> {
        self.act_on_a_payment_counted(number, action).map(drop)
    }

    /// Something is done to one of the payments that the acquirer has; true if it was.
    fn act_on_a_payment_counted(&mut self, number: usize, action: &Value) -> Result<bool, WorldError> {
        let book = self.book()?;
        let ids: Vec<&str> = book["payments"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|payment| payment["payment_id"].as_str())
            .collect();
        if ids.is_empty() {
            return Ok(false);
        }
        let id = *Stream::new(self.plan.seed, &format!("payment {number}")).pick(&ids);
        Ok(self.try_admin("POST", &format!("/admin/payments/{id}"), action).is_some())
    }

    /// The acquirer comes back as it was: unless its documents changed since, which no acquirer would take back.
    fn restore_acquirer(&mut self, number: usize) {
        let Some((of_ms, copy)) = self.copies.remove(&number) else { return };
        if of_ms <= self.documents_changed_ms || !self.acquirer_trouble.is_empty() {
            return;
        }
        self.sandbox = copy;
        self.acquirer_restarted_ms = self.now_ms;
        self.rare.count("acquirer_restored");
        self.oracle.deed(self.now_ms, None, Deed::AcquirerRestored { of_ms });
    }

    pub(super) fn end_fault(&mut self, number: usize) -> Result<(), WorldError> {
        if self.healed {
            return Ok(());
        }
        let fault = self.plan.faults[number].clone();
        let phone = fault.phone;
        self.weather[phone].remove(&number);
        if let Some((_, id)) = self.acquirer_trouble.remove(&number) {
            self.admin("DELETE", &format!("/admin/faults/{id}"), &json!({}))?;
        }
        let at_ms = self.now_ms;
        let this = &mut self.phones[phone];
        match fault.kind {
            FaultKind::Kill { .. } | FaultKind::PowerCut { .. } if this.death.is_some() && this.engine.is_some() => {
                self.die(phone);
            }
            FaultKind::Clock { by_ms } => self.set_clock(phone, -by_ms),
            FaultKind::DiskFull { .. } => {
                this.disk.set_capacity(None);
                this.disk_is_full = false;
                self.oracle.deed(at_ms, Some(phone), Deed::DiskFull(false));
            }
            FaultKind::DiskFails { .. } => {
                this.disk.fail(None);
                self.oracle.deed(at_ms, Some(phone), Deed::DiskFails(false));
            }
            FaultKind::KeysAway => this.lock_keys(false),
            _ => {}
        }
        Ok(())
    }

    /// Nothing goes wrong any more: whatever still does ends now.
    pub(super) fn heal(&mut self) -> Result<(), WorldError> {
        let at_ms = self.now_ms;
        self.healed = true;
        self.weather.iter_mut().for_each(std::collections::BTreeMap::clear);
        self.acquirer_trouble.clear();
        self.admin("DELETE", "/admin/faults", &json!({}))?;
        for phone in 0..self.phones.len() {
            let this = &mut self.phones[phone];
            this.disk.die_at(None);
            this.death = None;
            this.dies_again_after = None;
            this.disk.set_capacity(None);
            this.disk_is_full = false;
            this.disk.fail(None);
            this.lock_keys(false);
            this.excused_until_ms = this.excused_until_ms.min(at_ms + 10 * MINUTE);
            let offset_ms = this.wall_offset_ms;
            if offset_ms != 0 {
                self.set_clock(phone, -offset_ms);
            }
            self.at(at_ms + SECOND, Happening::Starts { phone });
            self.at(at_ms + 2 * MINUTE, Happening::Looks { phone });
        }
        self.decide_what_waits()?;
        self.oracle.deed(at_ms, None, Deed::Healed);
        self.trace.tell(at_ms, "world", "nothing goes wrong any more");
        self.ends_ms = Some(self.last_ms());
        Ok(())
    }
}

fn used_bytes(dir: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum()
}

/// The fault's own word.
pub(crate) fn word(kind: &FaultKind) -> String {
    let value = serde_json::to_value(kind).unwrap_or(Value::Null);
    value["fault"].as_str().unwrap_or_default().to_owned()
}

fn told(fault: &Fault) -> String {
    serde_json::to_string(fault).unwrap_or_default()
}
