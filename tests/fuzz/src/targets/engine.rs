//! The engine, fed with an acquirer's answers that were changed on the way and are validly signed all the same.

use sandbox_acquirer::Request;
use serde_json::{Value, json};
use takings_acquirers::Answer;
use takings_acquirers::http::Carried;
use takings_domain::PaymentId;
use takings_domain::event::ChargeMode;
use takings_till::simulation::{Command, Outlook, Reading, Reply};
use takings_till::views::{PaymentQuery, PayoutQuery};

use crate::edit::edit;
use crate::seal;
use crate::stall::{Acquirer, DAY_MS, Honest, Line, Stall, store};
use crate::tape::Tape;

/// More steps than this say nothing new.
const MOST_STEPS: usize = 24;
/// Contacts with an honest acquirer at the end.
const CALM: usize = 6;
const PASSING_MS: &[i64] = &[1_000, 30_000, 90_000, 600_000, 3_600_000, DAY_MS, 3 * DAY_MS, 30 * DAY_MS];
const AMOUNTS: &[i64] = &[1_000, 1, 1_005, 29_900, 999_999_999, 9_007_199_254_740_991];
const CARDS: &[&str] = &["2010", "0001", "0051", "0010", "0068", "0069", "0099"];
const STATUSES: &[u16] = &[200, 201, 202, 304, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 302, 99];

/// The bytes are what happens: steps of the stall, and for each request how its answer comes back. When they are over the acquirer
/// is honest; whatever it said before, the ledger must then verify, and every list be readable.
pub fn engine(data: &[u8]) {
    let mut stall = Stall::of_base();
    let mut line = Liar { tape: Tape::new(data), former: Vec::new() };
    for _ in 0..MOST_STEPS {
        if line.tape.is_over() {
            break;
        }
        step(&mut stall, &mut line);
    }
    for _ in 0..CALM {
        stall.sync(&mut Honest);
        stall.pass(1_200_000);
        stall.ask(Command::Tick, &mut Honest);
    }
    let sound = match stall.ask(Command::Verify, &mut Honest) {
        Some(Ok(Reply::Verified(report))) => report.sound,
        other => panic!("verify: {other:?}"),
    };
    assert!(sound, "the ledger does not verify");
    read_everything(&stall);
}

fn step(stall: &mut Stall, line: &mut Liar<'_>) {
    let what = line.tape.byte();
    let nth = |stall: &Stall| stall.payments[usize::from(what / 16) % stall.payments.len()];
    match what % 16 {
        0..=4 => stall.sync(line),
        5 | 6 => {
            let (amount, card) = (*line.tape.pick(AMOUNTS), *line.tape.pick(CARDS));
            stall.charge(
                amount,
                card,
                if what % 16 == 5 { ChargeMode::PreferOnline } else { ChargeMode::Offline },
                line,
            );
        }
        7 | 8 => {
            stall.pass(*line.tape.pick(PASSING_MS));
            stall.ask(Command::Tick, line);
        }
        9 => {
            stall.kill();
            assert!(stall.open(), "a till that was killed does not open");
        }
        10 => {
            stall.now.wall_ms += line.tape.pick(PASSING_MS) * if what & 16 == 0 { 1 } else { -1 };
            stall.ask(Command::Tick, line);
        }
        11 => drop(stall.ask(Command::SignOn, line)),
        12 => drop(stall.ask(Command::Cancel { payment: nth(stall), operator: None }, line)),
        13 => drop(stall.ask(Command::Acknowledge { upto: u64::from(what) }, line)),
        14 => drop(stall.acquirer.admin(
            "POST",
            "/admin/bank",
            &json!({"action": line.tape.pick(&["late", "return", "reject", "never"])}),
        )),
        _ => drop(stall.acquirer.admin("POST", "/admin/keys/rotate", &json!({"refuse_sessions": what & 16 == 0}))),
    }
}

fn read_everything(stall: &Stall) {
    let reading = Reading::open(&store(stall.dir.path()), Outlook::default()).expect("the ledger is read");
    let payments = reading.payments(&PaymentQuery::default(), stall.now).expect("payments are listed");
    for payment in payments.payments {
        let id = PaymentId::parse(&payment.payment_id).expect("an id");
        reading.payment(id, stall.now).expect("a payment is shown");
    }
    let payouts = reading.payouts(&PayoutQuery::default(), stall.now).expect("payouts are listed");
    for payout in payouts.payouts {
        reading.payout(&payout.payout_id, stall.now).expect("a payout is shown");
    }
    reading
        .takings("2026-01-01".parse().unwrap(), "2027-12-31".parse().unwrap(), stall.now)
        .expect("takings are summed");
    reading.alerts(200).expect("alerts are told");
}

struct Liar<'a> {
    tape: Tape<'a>,
    former: Vec<Answer>,
}

impl Line for Liar<'_> {
    fn carry(&mut self, acquirer: &mut Acquirer, request: &Request) -> Carried {
        let how = self.tape.byte();
        let (tape, former) = (&mut self.tape, &self.former);
        let mut answer = match how % 32 {
            0..=11 => acquirer.answer(request, |_| {}),
            12 => return Carried::NotSent("no route".to_owned()),
            13 => return Carried::Maybe("timed out".to_owned()),
            14 => {
                acquirer.answer(request, |_| {});
                return Carried::Maybe("the answer broke off".to_owned());
            }
            15 => unsigned(tape),
            16 => acquirer.answer(request, |answer| {
                let count = usize::from(tape.byte());
                answer.body = tape.bytes(count).to_vec();
            }),
            17 => acquirer.answer(request, |answer| answer.status = *tape.pick(STATUSES)),
            18 => acquirer.answer(request, |answer| change_headers(answer, tape)),
            19 => acquirer.answer(request, |answer| {
                if let Some(other) = former.get(usize::from(tape.byte()) % former.len().max(1)) {
                    (answer.status, answer.body) = (other.status, other.body.clone());
                }
            }),
            20 => acquirer.answer(request, |answer| change_event(answer, tape)),
            _ => acquirer.answer(request, |answer| {
                let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return };
                for _ in 0..=how / 64 {
                    edit(&mut body, tape);
                }
                answer.body = body.to_string().into_bytes();
            }),
        };
        self.former.push(answer.clone());
        if how == 255 {
            answer.headers.retain(|(name, _)| !name.starts_with("webhook-"));
        }
        Carried::Answer(answer)
    }
}

fn unsigned(tape: &mut Tape<'_>) -> Answer {
    let retry = (*tape.pick(&["0", "5", "-1", "4294967295", "18446744073709551616", "soon"])).to_owned();
    Answer { status: *tape.pick(STATUSES), headers: vec![("retry-after".to_owned(), retry)], body: b"{}".to_vec() }
}

fn change_headers(answer: &mut Answer, tape: &mut Tape<'_>) {
    let name = *tape.pick(&["etag", "retry-after", "webhook-timestamp", "webhook-id", "idempotent-replayed"]);
    let value = *tape.pick(&["0", "1", "1795219200", "9223372036854775807", "-1", "\"x\"", "", "true", "253402300800"]);
    answer.headers.retain(|(known, _)| known != name);
    answer.headers.push((name.to_owned(), value.to_owned()));
}

fn change_event(answer: &mut Answer, tape: &mut Tape<'_>) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return };
    if let Some(wrapper) = body["data"].as_array_mut().and_then(|events| events.last_mut()) {
        let payload = URL_SAFE_NO_PAD.decode(wrapper["p"].as_str().unwrap_or_default()).unwrap_or_default();
        let mut payload: Value = serde_json::from_slice(&payload).unwrap_or_default();
        edit(&mut payload, tape);
        seal::wrap(wrapper, payload.to_string().as_bytes());
    }
    answer.body = body.to_string().into_bytes();
}
