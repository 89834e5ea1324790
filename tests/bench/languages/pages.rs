//! Pages of 50 through the library's own objects, without a border; and the ledger that every language reads.
//!
//!     pages make DIR COUNT    a ledger of so many payments in DIR
//!     pages DIR               reads lines `first N` or `deep N`, answers with the nanoseconds of N pages

use std::env;
use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use takings_ffi::Till;
use takings_ffi::demo::{CardEntry, CardPlay, DemoCard, DemoWorld};
use takings_ffi::records::{ChargeMode, ChargeRequest, Language, PaymentQuery};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Saturday 2026-11-21, 10:00 in Shanghai.
const SATURDAY_MS: i64 = 1_795_226_400_000;
const SEED: u64 = 17;
/// How many pages lie before the deep one.
const DEEP: usize = 100;

fn query(after: Option<String>) -> PaymentQuery {
    PaymentQuery { after, limit: Some(50), ..PaymentQuery::default() }
}

/// Sales with a line, a few seconds apart.
async fn make(world: &DemoWorld, till: &Till, count: i64) -> Outcome<()> {
    till.activate(world.activation_code()?).await?;
    let reader = world.new_reader()?;
    for number in 0..count {
        let request = ChargeRequest {
            amount_minor: 1_000 + number % 40,
            currency: "CNY".to_owned(),
            order_reference: Some(format!("P-{number}")),
            mode: ChargeMode::PreferOnline,
            charge_again: false,
            operator: None,
        };
        let charge = till.charge(request).await?;
        let play = CardPlay {
            card: Some(DemoCard::usual(CardEntry::Chip)),
            next_cards: Vec::new(),
            choose: 0,
            lose_link_at: None,
            reconnect: false,
            cancel_at: None,
            stop_at: None,
        };
        reader.take_card(charge, play)?;
        world.advance(3_000)?;
    }
    Ok(())
}

async fn serve(till: &Till) -> Outcome<()> {
    let mut deep = None;
    for _ in 0..DEEP {
        deep = till.payments(query(deep)).await?.next;
    }
    let mut said = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (place, count) = line.split_once(' ').ok_or("first N or deep N")?;
        let mut times = Vec::new();
        for _ in 0..count.parse::<u32>()? {
            let asked = query(if place == "deep" { deep.clone() } else { None });
            let start = Instant::now();
            let page = till.payments(asked).await?;
            times.push(start.elapsed().as_nanos().to_string());
            if page.payments.len() != 50 {
                return Err("the ledger is too small".into());
            }
        }
        writeln!(said, "{}", times.join(" "))?;
        said.flush()?;
    }
    Ok(())
}

async fn run() -> Outcome<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let world = DemoWorld::new(SEED, SATURDAY_MS)?;
    let open = |dir: &str| world.open_till(dir.to_owned(), Language::En);
    let till: Arc<Till> = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", dir, count] => {
            let till = open(dir).await?;
            make(&world, &till, count.parse()?).await?;
            till
        }
        [dir] => {
            let till = open(dir).await?;
            serve(&till).await?;
            till
        }
        _ => return Err("pages make DIR COUNT, or pages DIR".into()),
    };
    till.shutdown().await?;
    Ok(())
}

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().build()?.block_on(run())
}
