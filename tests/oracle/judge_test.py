#!/usr/bin/env python3
"""Does the judge see? Plants one fault after the other into copies of a right day; each must be found.

    .tools/venv/bin/python tests/oracle/judge_test.py SCRIPT.jsonl ACQUIRER-LEDGER.json OUT.json
"""

import copy
import sys

import judge


FAR_AWAY = "00000000-0000-7000-8000-000000000000"


def first(payments: list, **wanted) -> dict:
    """The first payment that is so."""
    return next(p for p in payments if all(p[name] == value for name, value in wanted.items()))


def faults():
    """Name and planting of each fault: (ledger, out) are copies that may be spoilt."""
    arrived = {"stage": "arrived"}

    def figure(name, change):
        def plant(_ledger, out):
            payment = first(out["payments"], **arrived)
            payment[name] = change(payment[name])
        return f"{name} of a payment", plant

    yield figure("net_minor", lambda value: value + 1)
    yield figure("fee_minor", lambda value: value - 1)
    yield figure("gross_minor", lambda value: value + 1)
    yield figure("amount_minor", lambda value: value + 1)
    yield figure("captured_at_ms", lambda value: value + 1)
    yield figure("expected_date", lambda value: value[:-1] + str((int(value[-1]) + 1) % 10))
    yield figure("stage", lambda _: "on_its_way")
    yield figure("evidence", lambda _: "acquirer")
    yield figure("clearing", lambda _: "accepted")
    yield figure("class", lambda value: "live" if value == "deferred" else "deferred")
    yield figure("payout_id", lambda value: value + "x")
    yield "a payment is gone", lambda _ledger, out: out["payments"].remove(first(out["payments"], **arrived))
    yield "a decline becomes an approval", lambda _ledger, out: first(
        out["payments"], authorization="declined").update(authorization="approved")
    yield "the overdue one is not told", lambda _ledger, out: next(
        p for p in out["payments"] if p["arrival"] in ("arrived", "sent")).update(cause="in_doubt")
    yield "a payout pays one fen less", lambda _ledger, out: out["payouts"][0]["payout"].update(
        net_minor=out["payouts"][0]["payout"]["net_minor"] - 1)
    yield "an entry is gone", lambda _ledger, out: out["payouts"][0]["entries"].pop()
    yield "a total is off", lambda _ledger, out: out["totals"].update(saved=out["totals"]["saved"] + 1)
    yield "takings are off", lambda _ledger, out: out["takings"][0].update(
        amount_minor=out["takings"][0]["amount_minor"] + 1)
    yield "a card is read that the policy refused before", lambda _ledger, out: next(
        p for p in out["payments"] if p["cause"] == "offline_refused" and p["last_four"] is None).update(
            last_four="1111", scheme="visa")
    yield "it does not verify", lambda _ledger, out: out.update(verified=False)
    yield "a card is authorised twice", lambda ledger, _out: ledger["authorizations"].append(
        dict(ledger["authorizations"][0], payment_id=FAR_AWAY))
    yield "a payment is captured twice", lambda ledger, _out: ledger["captures"].append(ledger["captures"][0])
    yield "the acquirer lost a payment", lambda ledger, _out: ledger["payments"].pop()
    yield "the acquirer is off by one fen", lambda ledger, _out: first(
        ledger["payments"], authorization="approved").update(approved_minor=1)
    yield from payout_faults()
    yield from line_faults()
    yield from alert_faults()


def payout_faults():
    """What a payout says, in the till, in the acquirer's book and in the bank's."""
    wrong = {"status": "sent", "direction": "debit", "evidence": "acquirer", "expected_date": "2026-01-01",
             "business_date": "2026-01-01", "arrived_at_ms": 0, "failure_code": "account_closed", "overdue": True,
             "end_to_end_id": "TK0", "reissue_of": "po_0", "reissued_by": "po_0", "currency": "USD"}
    for name, value in wrong.items():
        yield f"{name} of a payout", lambda _ledger, out, name=name, value=value: out["payouts"][0]["payout"].update(
            {name: value})
    for name in ("fee_minor", "gross_minor", "net_minor", "entry_count", "difference_minor"):
        yield f"{name} of a payout", lambda _ledger, out, name=name: out["payouts"][0]["payout"].update(
            {name: out["payouts"][0]["payout"][name] + 1})
    yield "net_minor of a payout in the book", lambda ledger, _out: ledger["payouts"][0].update(net_minor=1)

    def both(ledger, out):
        for payout in (first(ledger["payouts"], status="returned"),
                       first([p["payout"] for p in out["payouts"]], status="returned")):
            payout.update(status="arrived", evidence="bank_notification")
    yield "book and till agree that a returned payout arrived", both
    yield "the bank never saw a payout", lambda ledger, _out: ledger["bank"]["lines"].pop(0)
    yield "the bank credited one fen less", lambda ledger, _out: ledger["bank"]["lines"][0].update(
        amount_minor=ledger["bank"]["lines"][0]["amount_minor"] - 1)
    yield "the bank took back what it kept", lambda ledger, _out: ledger["bank"]["lines"].append(
        dict(ledger["bank"]["lines"][0], direction="debit"))


def line_faults():
    """What went wrong on the line."""
    for kind in judge.told_of.FAULT_KINDS:
        def never(ledger, out, kind=kind):
            ledger["faults_fired"] = [fault for fault in ledger["faults_fired"] if fault["kind"] != kind]
            out["faults"] = [fault for fault in out["faults"] if fault["kind"] != kind]
        yield f"{kind} never fires", never
    yield "a fault is told that is in nobody's log", lambda _ledger, out: out["faults"][0].update(
        count=out["faults"][0]["count"] + 1)
    yield "a fault is not told", lambda _ledger, out: out["faults"].pop(0)
    yield "the line is never cut", lambda _ledger, out: out.update(
        faults=[fault for fault in out["faults"] if fault["by"] != "relay"])


def alert_faults():
    """What was told, and what was not."""
    for kind in ("payout_arrived", "payout_returned", "payout_overdue", "declined_after_deferral", "partly_approved"):
        yield f"{kind} is not told", lambda _ledger, out, kind=kind: out["alerts"].remove(
            first(out["alerts"], alert_kind=kind))

        def twice(_ledger, out, kind=kind):
            out["alerts"].append(dict(first(out["alerts"], alert_kind=kind), alert=out["alerts"][-1]["alert"] + 1,
                                      at_ms=out["alerts"][-1]["at_ms"]))
        yield f"{kind} is told twice", twice

    def also(kind, find):
        def plant(_ledger, out):
            out["alerts"].append(dict(out["alerts"][-1], alert=out["alerts"][-1]["alert"] + 1, alert_kind=kind,
                                      subject_kind="payment", subject_id=find(out["payments"])["payment_id"]))
        return f"{kind} without a reason", plant
    yield also("payment_overdue", lambda payments: next(p for p in payments if p["payout_id"]))
    yield also("declined_after_deferral", lambda payments: first(payments, authorization="approved"))
    yield also("payment_confirmed_late", lambda payments: first(payments, authorization="approved", **{"class": "live"}))
    yield also("payment_in_doubt", lambda payments: first(payments, **{"class": "deferred"}))
    yield also("payment_parked", lambda payments: payments[0])
    yield "a payout is overdue that is not", lambda _ledger, out: first(
        out["alerts"], alert_kind="payout_overdue").update(subject_id=out["payouts"][0]["payout"]["payout_id"])
    yield "an alert comes again after it was acknowledged", lambda _ledger, out: out["alerts"].insert(
        1, dict(out["alerts"][0]))
    yield "alerts in another order", lambda _ledger, out: out["alerts"].reverse()
    yield "an alert of another amount", lambda _ledger, out: first(out["alerts"], alert_kind="payout_arrived").update(
        amount_minor=1)
    yield "no alert came again", lambda _ledger, out: [alert.update(deliveries=1) for alert in out["alerts"]]

    def late(ledger, _out):
        live = first(ledger["payments"], kind="live", authorization="approved")["payment_id"]
        asked = first(ledger["contacts"], payment_id=live)
        place = ledger["contacts"].index(asked)
        ledger["contacts"].insert(place, dict(asked, at_ms=asked["at_ms"] - 60_000, fault={"kind": "drop_answer"}))
    yield "a late approval is not told", late


def main() -> None:
    """Plants them all."""
    head, sales, ledger, out = judge.load(sys.argv[1:])
    if judge.judge(head, sales, ledger, out):
        sys.exit("the day to start from is not right")
    blind = []
    count = 0
    for name, plant in faults():
        spoilt = copy.deepcopy(ledger), copy.deepcopy(out)
        plant(*spoilt)
        count += 1
        if not judge.judge(head, sales, *spoilt):
            blind.append(name)
    count += 1
    if not judge.judge({**head, "faults": "none"}, sales, ledger, out):
        blind.append("faults on a day that was to be good")
    for name in blind:
        print(f"not seen: {name}")
    if blind:
        sys.exit(1)
    print(f"the judge finds all of {count} planted faults")


if __name__ == "__main__":
    main()
