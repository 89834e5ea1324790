//! Drawing a day from its seed.

mod reader;

use serde_json::json;
use takings_domain::EntryMode;
use takings_readers::simulated::Behaviour;

use super::{DAY, Fault, FaultKind, HOUR, MINUTE, Plan, ReaderFault, SECOND, Sale, Size, card};
use crate::streams::Stream;

/// Mornings, eight o'clock in Shanghai: a Saturday, a make-up working day, before long holidays, a month's end.
const MORNINGS_MS: [i64; 5] = [
    1_795_219_200_000, // 2026-11-21
    1_771_027_200_000, // 2026-02-14
    1_790_726_400_000, // 2026-09-30
    1_775_174_400_000, // 2026-04-03
    1_782_691_200_000, // 2026-06-29
];
/// Jumps of a wall clock: twice beyond any deadline.
const JUMPS_MS: [i64; 9] =
    [-30 * DAY, -3 * DAY, -7 * HOUR, -20 * MINUTE, 20 * MINUTE, 5 * HOUR, 2 * DAY, 12 * DAY, 40 * DAY];
/// Cards on which the acquirer's published rules say something else than yes.
const SPECIAL: [&str; 8] = ["0001", "0005", "0010", "0051", "0054", "0068", "0069", "0099"];

impl Plan {
    /// The day of this seed.
    #[must_use]
    pub fn draw(seed: u64, size: Size) -> Self {
        let mut stream = Stream::new(seed, "the day");
        let start_ms = *stream.pick(&MORNINGS_MS);
        let heal_ms = start_ms + i64::from(size.hours) * HOUR;
        let merchant_of = (0..size.phones).map(|phone| phone / 2).collect();
        let mut plan = Self { seed, start_ms, heal_ms, merchant_of, sales: Vec::new(), faults: Vec::new() };
        for phone in 0..size.phones {
            plan.draw_sales(phone);
            if size.readers_fail {
                plan.draw_reader(phone);
            }
            plan.draw_line(phone);
            plan.draw_phone(phone);
        }
        plan.draw_acquirer();
        plan.draw_terms();
        plan.sales.sort_by_key(|sale| (sale.at_ms, sale.phone));
        plan.faults.sort_by_key(|fault| (fault.at_ms, fault.phone));
        for (number, fault) in plan.faults.iter_mut().enumerate() {
            fault.number = number;
        }
        plan
    }

    fn draw_sales(&mut self, phone: usize) {
        let mut stream = Stream::new(self.seed, &format!("customers {phone}"));
        let pause_ms = stream.between(5, 25) * MINUTE;
        let offline = stream.below(1_000);
        let mut at_ms = self.start_ms + 5 * MINUTE;
        let mut number = 0;
        loop {
            at_ms += stream.between(2 * MINUTE, 2 * pause_ms);
            if at_ms >= self.heal_ms - 2 * MINUTE {
                return;
            }
            number += 1;
            let sale = draw_sale(&mut stream, at_ms, phone, number, offline);
            self.sales.push(sale);
        }
    }

    fn draw_reader(&mut self, phone: usize) {
        let mut stream = Stream::new(self.seed, &format!("reader {phone}"));
        for sale in self.sales.iter_mut().filter(|sale| sale.phone == phone) {
            reader::draw(&mut stream, sale);
        }
    }

    fn fault(&mut self, at_ms: i64, lasts_ms: i64, phone: usize, kind: FaultKind) {
        self.faults.push(Fault { number: 0, at_ms, lasts_ms, phone, kind });
    }

    /// What the acquirer allows and when its day ends, on days that are not like the others.
    fn draw_terms(&mut self) {
        let mut stream = Stream::new(self.seed, "terms");
        let limits = |count: u64, total: u64| {
            json!({"limits": [{
                "currency": "CNY", "max_amount": 50_000, "max_amount_contactless_no_pin": 50_000,
                "max_count_open": count, "max_total_open": total, "max_count_per_card_per_day": 20,
            }]})
        };
        let policy = match stream.below(10) {
            0 => Some(limits(2 + stream.below(3), 5_000_000)),
            1 => Some(limits(500, 30_000 + stream.below(40_000))),
            2 => Some(json!({"max_age_h": 1 + stream.below(3)})),
            3 => Some(json!({"max_clock_age_h": 1 + stream.below(3)})),
            4 => {
                let until_ms = self.start_ms + stream.between(1, 5) * HOUR;
                let until = chrono::DateTime::from_timestamp_millis(until_ms);
                until.map(|until| json!({"valid_until": until.format("%Y-%m-%dT%H:%M:%SZ").to_string()}))
            }
            5 => Some(json!({"upload_deadline_days": 1})),
            _ => None,
        };
        if let Some(body) = policy {
            self.fault(self.start_ms + MINUTE, 0, 0, FaultKind::Administers { path: "/admin/policy", body });
        }
        if stream.below(3) == 0 {
            let hour = stream.between(10, 15);
            let body = json!({"cut_off": format!("{hour:02}:00:00")});
            self.fault(self.start_ms + MINUTE, 0, 0, FaultKind::Administers { path: "/admin/terms", body });
            // The last customer's answer is lost, and then there is no network until it is too late to undo his payment.
            let cut_off_ms = self.start_ms + (hour - 8) * HOUR;
            for phone in 0..self.merchant_of.len() {
                let before = |sale: &&Sale| (cut_off_ms - HOUR..cut_off_ms - 2 * MINUTE).contains(&sale.at_ms);
                let live = self.sales.iter().filter(|sale| sale.phone == phone && !sale.offline);
                let Some(at_ms) = live.filter(before).map(|sale| sale.at_ms).max() else { continue };
                let silent = FaultKind::BadLine {
                    lost_request: 0,
                    lost_answer: 1_000,
                    half_answer: 0,
                    spoiled: 0,
                    doubled: 0,
                    delay_ms: 300,
                };
                self.fault(at_ms, 45 * SECOND, phone, silent);
                self.fault(at_ms + 45 * SECOND, cut_off_ms - at_ms + 20 * MINUTE, phone, FaultKind::NoNetwork);
            }
        }
    }

    /// Weather for the line of one phone: good, bad and none by turns.
    fn draw_line(&mut self, phone: usize) {
        let mut stream = Stream::new(self.seed, &format!("line {phone}"));
        let mut at_ms = self.start_ms + stream.between(0, 40) * MINUTE;
        while at_ms < self.heal_ms {
            let long = stream.below(12) == 0;
            let lasts_ms = stream.between(2, if long { 300 } else { 50 }) * MINUTE;
            let kind = match stream.below(10) {
                _ if long => FaultKind::NoNetwork,
                0..=2 => FaultKind::NoNetwork,
                3 => FaultKind::Blackhole,
                4 => FaultKind::Portal,
                _ => FaultKind::BadLine {
                    lost_request: stream.below(300),
                    lost_answer: stream.below(400),
                    half_answer: stream.below(100),
                    spoiled: stream.below(200),
                    doubled: stream.below(200),
                    delay_ms: *stream.pick(&[300, 3_000, 20_000, 50_000]),
                },
            };
            self.fault(at_ms, lasts_ms, phone, kind);
            at_ms += lasts_ms + stream.between(0, 90) * MINUTE;
        }
    }

    fn draw_phone(&mut self, phone: usize) {
        let mut stream = Stream::new(self.seed, &format!("phone {phone}"));
        let often = stream.between(10, 90) * MINUTE;
        let mut at_ms = self.start_ms + stream.between(6, 60) * MINUTE;
        while at_ms < self.heal_ms - 10 * MINUTE {
            let (lasts_ms, kind) = draw_phone_fault(&mut stream);
            self.fault(at_ms, lasts_ms, phone, kind);
            at_ms += lasts_ms + stream.between(MINUTE, 2 * often);
        }
    }

    fn draw_acquirer(&mut self) {
        let mut stream = Stream::new(self.seed, "acquirer");
        let often = stream.between(20, 120) * MINUTE;
        let mut at_ms = self.start_ms + stream.between(10, 90) * MINUTE;
        while at_ms < self.heal_ms - 10 * MINUTE {
            let lasts_ms = stream.between(1, 40) * MINUTE;
            let kind = draw_acquirer_fault(&mut stream);
            self.fault(at_ms, lasts_ms, 0, kind);
            at_ms += stream.between(MINUTE, 2 * often);
        }
        // What the bank does with the payouts of the days that follow is decided today.
        for _ in 0..stream.below(3) {
            let action = *stream.pick(&["late", "never", "return", "reject", "unconfirmed"]);
            let mut body = json!({"action": action, "days": stream.below(3), "before_arrival": stream.below(2) == 0});
            if stream.below(3) == 0 {
                body["reissue"] = json!(false);
            }
            let at_ms = self.start_ms + stream.between(1, 60) * MINUTE;
            self.fault(at_ms, 0, 0, FaultKind::Administers { path: "/admin/bank", body });
        }
    }
}

fn draw_sale(stream: &mut Stream, at_ms: i64, phone: usize, number: u32, offline: u64) -> Sale {
    let last_four = match stream.below(1_000) {
        0..=199 => (*stream.pick(&SPECIAL)).to_owned(),
        _ => format!("{:04}", 1_000 + stream.below(9_000)),
    };
    let leading = *stream.pick(&["6222", "6222", "4761", "5413", "3714"]);
    let entry_mode = match stream.below(20) {
        0 => EntryMode::Stripe,
        1..=8 => EntryMode::Contactless,
        _ => EntryMode::Chip,
    };
    let behaviour = match stream.below(100) {
        0..=1 => Behaviour::RemovedEarly,
        2..=3 => Behaviour::CollisionThenNormal,
        4 => Behaviour::ChooseApplication(vec!["DEBIT".to_owned(), "CREDIT".to_owned()]),
        5 => Behaviour::UserCancels,
        6 => Behaviour::EndsWith([0x10, 0x7f, 0x00, 0x00]),
        7 => Behaviour::OnlineThenEndsWith([0x10, 0x7f, 0x00, 0x00]),
        8..=9 => Behaviour::CardDataTwice,
        _ => Behaviour::Normal,
    };
    let values = u32::try_from(stream.below(40)).unwrap_or(0);
    let reader = match stream.below(60) {
        0..=1 => ReaderFault::Loses(values),
        2 => ReaderFault::Dies(values),
        3 => ReaderFault::Doubles(values),
        4 => ReaderFault::Drops(values),
        5 => ReaderFault::Swaps(values),
        6 => ReaderFault::Cancels(values),
        _ => ReaderFault::None,
    };
    let amount_minor = match stream.below(40) {
        0 => stream.between(50_001, 90_000),
        1..=3 => stream.between(1, 40) * 100 + *stream.pick(&[5, 51, 54, 61]),
        _ => stream.between(1, 300) * 100 + *stream.pick(&[0, 0, 0, 50, 80, 99]),
    };
    Sale {
        at_ms,
        phone,
        amount_minor,
        offline: stream.once_in_thousand(offline),
        order: (stream.below(4) != 0).then(|| format!("P{phone}-{number}")),
        card: card(leading, &last_four, entry_mode, behaviour),
        presents_again: 0,
        reader,
        failures: Vec::new(),
        patience_ms: stream.between(5, 100) * SECOND,
        cancelled: stream.below(8) == 0,
        repeated: stream.below(2) == 0,
    }
}

fn draw_phone_fault(stream: &mut Stream) -> (i64, FaultKind) {
    let after_calls = stream.below(60);
    let again_after = if stream.below(3) == 0 { 1 + stream.below(12) } else { 0 };
    let short_ms = stream.between(1, 20) * MINUTE;
    match stream.below(24) {
        0..=5 => (5 * MINUTE, FaultKind::Kill { after_calls, again_after }),
        6..=10 => (5 * MINUTE, FaultKind::PowerCut { after_calls, again_after }),
        11 => (0, FaultKind::Restart),
        12 | 13 => {
            let by_ms = *stream.pick(&JUMPS_MS);
            (short_ms, FaultKind::Clock { by_ms })
        }
        14 | 15 => (short_ms, FaultKind::DiskFull { left: stream.below(900_000) }),
        16 => (short_ms, FaultKind::DiskFails { after_calls, calls: 1 + stream.below(30), syncs: false }),
        17 => (short_ms, FaultKind::DiskFails { after_calls, calls: 1 + stream.below(4), syncs: true }),
        18 | 19 => (0, FaultKind::Background),
        20 => (0, FaultKind::SecondProcess),
        21 => (short_ms, FaultKind::KeysAway),
        22 if stream.below(2) == 0 => {
            let age_ms = stream.between(2, 60) * MINUTE;
            (0, FaultKind::OlderCopy { age_ms, witness_stays: stream.below(2) == 0 })
        }
        _ => (0, FaultKind::Background),
    }
}

fn draw_acquirer_fault(stream: &mut Stream) -> FaultKind {
    let on = *stream.pick(&["*", "POST /v1/payments", "POST /v1/payments/batch"]);
    let count = 1 + u32::try_from(stream.below(4)).unwrap_or(0);
    match stream.below(30) {
        0..=2 => FaultKind::Maintenance,
        3..=6 => FaultKind::BrownOut,
        7..=8 => FaultKind::AcquirerRestart,
        9 => FaultKind::AcquirerRestored { age_ms: stream.between(10, 600) * SECOND },
        10..=12 => FaultKind::Refuses { on, problem: "request-in-progress", count },
        13 => FaultKind::Refuses { on, problem: "batch-mismatch", count: 1 },
        14 => FaultKind::Refuses { on, problem: "terminal-not-signed-on", count: 1 },
        15 => FaultKind::Refuses { on, problem: "rate-limited", count },
        16 => FaultKind::Refuses { on, problem: "outcome-unknown", count },
        17 => FaultKind::Refuses { on, problem: "internal", count },
        18 => FaultKind::WrongSignature,
        19 => FaultKind::NewKeys { ends_sessions: stream.below(2) == 0 },
        20..=21 => FaultKind::Holds,
        22..=24 => FaultKind::LateDecline,
        25 => FaultKind::Administers {
            path: "/admin/policy",
            body: json!({"limits": [{
                "currency": "CNY", "max_amount": *stream.pick(&[20_000, 50_000]),
                "max_amount_contactless_no_pin": 20_000, "max_count_open": *stream.pick(&[3, 10, 500]),
                "max_total_open": *stream.pick(&[40_000, 100_000, 5_000_000]), "max_count_per_card_per_day": 20,
            }]}),
        },
        26 => FaultKind::Administers { path: "/admin/policy", body: json!({"offline_allowed": stream.below(4) != 0}) },
        27 => FaultKind::Administers {
            path: "/admin/terms",
            body: json!({"cycle": {"basis": *stream.pick(&["business_day", "calendar_day"]), "n": stream.below(3)}}),
        },
        28 => FaultKind::Administers {
            path: "/admin/fees",
            body: json!({"amount_minor": stream.between(1, 900), "kind": "sim"}),
        },
        _ => FaultKind::Administers {
            path: "/admin/channels",
            body: json!({"channel": *stream.pick(&["bank_network", "clearing", "payouts"]), "status": "degraded"}),
        },
    }
}
