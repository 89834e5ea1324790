#!/usr/bin/env python3
"""Does the judge see? Plants one fault after the other into copies of a right day; each must be found.

    .tools/venv/bin/python tests/oracle/judge_test.py SCRIPT.jsonl ACQUIRER-LEDGER.json OUT.json
"""

import copy
import sys

import judge


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
        dict(ledger["authorizations"][0], payment_id="00000000-0000-7000-8000-000000000000"))
    yield "a payment is captured twice", lambda ledger, _out: ledger["captures"].append(ledger["captures"][0])
    yield "the acquirer lost a payment", lambda ledger, _out: ledger["payments"].pop()
    yield "the acquirer is off by one fen", lambda ledger, _out: first(
        ledger["payments"], authorization="approved").update(approved_minor=1)


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
    for name in blind:
        print(f"not seen: {name}")
    if blind:
        sys.exit(1)
    print(f"the judge finds all of {count} planted faults")


if __name__ == "__main__":
    main()
