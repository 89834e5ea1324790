//! A market day: from the card on the reader to the money in the bank, with real parts and virtual time.
//!
//! * [`main`]: the program. It starts itself again as `__acquirer` and `__till`: three processes, as in life.
//! * `args`: what can be asked. `weeks`, `script`, `steps`: what happens when, all of it from the seed.
//! * `day`: the stallholder who walks through the steps. `selling`: one sale. `draining`: the queue. `spoiling`: the bad line.
//!   `hearing`: alerts.
//! * `journal`: how far the day is, so that it goes on after a kill at any moment.
//! * `children`, `till`, `acquirer`, `http`: the other processes and how one talks to them.
//! * `closing`, `books`: the final account and its comparison with the acquirer's and the bank's books.
//! * `screen`, `table`, `width`: what one sees. `words`: what it says, in two languages; `telling`: the till's words.

mod acquirer;
mod args;
mod books;
mod children;
mod closing;
mod day;
mod draining;
mod error;
mod hearing;
mod http;
mod journal;
mod program;
mod screen;
mod script;
mod selling;
mod spoiling;
mod steps;
mod stream;
mod table;
mod telling;
mod till;
mod weeks;
mod width;
mod words;

pub use program::{check, main};
