//! What the simulator found, each as the shortest day that shows it.

use takings_domain::event::ChargeMode;
use takings_till::ChargeOutcome;
use world::disk::{Failure, FailureKind};
use world::stall::{Line, Sale, Stall, Template};

/// A sync fails at one call of a live sale, and the process ends before it wrote anything more. What the screen called not
/// charged used to come back with the next process: the commit that failed was in the log, and nothing had overwritten it.
#[test]
fn p3_honest_a_commit_whose_sync_failed_does_not_come_back_after_not_charged_was_said() {
    let mut given_up = 0;
    for mode in [ChargeMode::PreferOnline, ChargeMode::Offline] {
        for call in 1..60 {
            let template = Template::new(call, false).unwrap();
            let mut stall = Stall::bare(call).unwrap();
            stall.reset(&template, call).unwrap();
            stall.open().unwrap();
            // A list is open beside the till: nobody reads the log anew while it is.
            stall.list().unwrap();
            stall.line = Line::Down;
            let at_call = stall.disk.calls() + call;
            stall.disk.fail(Some(Failure { at_call, calls: 1, kind: FailureKind::Sync }));
            let id = stall.sell(&Sale { amount_minor: 1_000, mode, last_four: "0048" });
            let said = id.and_then(|id| stall.told.get(&id).map(|told| told.outcome.clone()));
            stall.kill();
            stall.end_process();
            stall.disk.revive();
            stall.disk.fail(None);
            stall.open().unwrap();
            let (Some(id), Some(said)) = (id, said) else { continue };
            let list = stall.list().unwrap();
            let line = list.iter().find(|line| line.payment_id == id.to_string()).expect("the intent was on disk");
            match said {
                ChargeOutcome::NotCharged { .. } => {
                    given_up += 1;
                    assert_eq!(line.stage, "not_charged", "{mode:?}, sync failed at call {call}: {line:?}");
                }
                ChargeOutcome::Saved => assert_eq!(line.class.as_deref(), Some("deferred"), "{mode:?} {call}"),
                ChargeOutcome::Approved { .. } | ChargeOutcome::NotConfirmed => {}
            }
        }
    }
    assert!(given_up > 0, "no sync failed where it matters");
}
