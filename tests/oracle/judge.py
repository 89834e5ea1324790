#!/usr/bin/env python3
"""Was the market day right? Computed from the script and the acquirer's book alone, without a line of the core's code.

    .tools/venv/bin/python tests/oracle/judge.py SCRIPT.jsonl ACQUIRER-LEDGER.json OUT.json

Every payment of OUT is computed anew: class, authorization, clearing, arrival, stage, expected day, gross, fee, net,
evidence, payout. So are the payouts, the alerts that were told, and the totals. The book itself is held against the published rules, too: an
acquirer that is wrong is no witness. Prints the first differences and exits with 1; 0 if there is none.
"""

import collections
import datetime as dt
import json
import pathlib
import sys

import calendar_oracle as calendar
import judge_told as told_of

SHOWN = 20
TERMS = calendar.Terms("business_day", 1, dt.time(23, 0))
LINE_SCENES = {"morning", "drain", "second_live", "third_live"}
DECLINED_CARDS = {"0005": "05", "0051": "51", "0054": "54"}
DECLINED_AMOUNTS = {5: "05", 51: "51", 54: "54", 61: "61"}
NOT_CHARGED = {"interrupted", "abandoned", "not_received"}
BEFORE_DATA = {"before_card", "card_data"}
NOTHING = ("delivery", "authorization", "clearing", "arrival", "expected_date", "payout_id",
           "gross_minor", "fee_minor", "net_minor", "accepted_at_ms")

PAYOUT_BY_ARRIVAL = {"in_payout": "created", "sent": "sent", "arrived": "arrived"}
BANK_LINES = {"created": [], "sent": [], "arrived": ["credit"], "returned": ["credit", "debit"]}

Paid = collections.namedtuple("Paid", "arrival stage evidence cause expected payouts")


class Findings:
    """What differs, in words."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def equal(self, where: str, what: str, ours, theirs) -> None:
        """Notes a figure that is not what it should be."""
        if ours != theirs:
            self.lines.append(f"{where}: {what} is {theirs!r}, must be {ours!r}")

    def check(self, holds: bool, line: str) -> None:
        """Notes a sentence that must be true."""
        if not holds:
            self.lines.append(line)


def load(paths: list[str]) -> tuple[dict, dict, dict, dict]:
    """Head and sales of the script, the book, the account."""
    lines = [json.loads(line) for line in pathlib.Path(paths[0]).read_text(encoding="utf-8").splitlines()]
    head = lines[0]
    sales = {line["order"]: line for line in lines[1:]}
    ledger = json.loads(pathlib.Path(paths[1]).read_text(encoding="utf-8"))
    out = json.loads(pathlib.Path(paths[2]).read_text(encoding="utf-8"))
    return head, sales, ledger, out


def at(day: dt.date, hour: int, minute: int) -> int:
    """The instant of this local time, milliseconds UTC."""
    moment = dt.datetime.combine(day, dt.time(hour, minute), calendar.SHANGHAI)
    return (moment - calendar.EPOCH) // dt.timedelta(milliseconds=1)


def settlement_day_after(day: dt.date, count: int) -> dt.date:
    """The count-th settlement day strictly after this one."""
    while count:
        day += calendar.DAY
        count -= calendar.settles(day)
    return day


def verdict(sale: dict) -> tuple[str, int | None, str]:
    """Authorization, approved amount and code by the sandbox's published rules."""
    amount, last_four = sale["amount_minor"], sale["card"]["last_four"]
    if last_four in DECLINED_CARDS:
        return "declined", None, DECLINED_CARDS[last_four]
    if last_four == "0010":
        return "partially_approved", amount // 2, "10"
    if last_four != "0068" and amount % 100 in DECLINED_AMOUNTS:
        return "declined", None, DECLINED_AMOUNTS[amount % 100]
    return "approved", amount, "00"


def fee(sale: dict, gross: int) -> int:
    """Debit 0.5 %, at most 20.00; credit 0.6 %; half up."""
    debit = sale["card"]["first"].startswith("62")
    rounded = (gross * (50 if debit else 60) + 5_000) // 10_000
    return min(rounded, 2_000) if debit else rounded


def paid(head: dict, accepted_at_ms: int, closed_at_ms: int) -> Paid:
    """What becomes of the money of a payment accepted then."""
    business_date = calendar.business_date(accepted_at_ms, TERMS.cut_off)
    due = calendar.expected_date(accepted_at_ms, TERMS).date
    first = (business_date, due)
    # Cleared at the cut-off and planned for its day; a payout from 09:30 on.
    if closed_at_ms < at(business_date, 23, 0):
        return Paid("pending", "approved", "none", None, due, [])
    if closed_at_ms < at(due, 9, 30):
        return Paid("scheduled", "approved", "none", None, due, [])
    if business_date.isoformat() == head["returned_business_date"]:
        again = settlement_day_after(due, 1)
        if closed_at_ms >= at(again, 10, 30):
            return Paid("arrived", "arrived", "bank_notification", None, again, [first, (business_date, again)])
        sys.exit("the day was closed before the returned payout was paid again: nothing to judge by")
    credit_at_ms = at(due, 10, 30)
    if business_date.isoformat() == head["overdue_business_date"]:
        late = head["overdue"] == "late"
        credit_at_ms = at(settlement_day_after(due, 3), 10, 30) if late else None
    if credit_at_ms is not None and closed_at_ms >= credit_at_ms:
        return Paid("arrived", "arrived", "bank_notification", None, due, [first])
    if closed_at_ms >= calendar.overdue_after_ms(due):
        return Paid("sent", "needs_you", "none", "unknown_overdue", due, [first])
    return Paid("sent" if closed_at_ms >= at(due, 10, 0) else "in_payout", "on_its_way", "none", None, due, [first])


def judge_unknown(findings: Findings, where: str, sale: dict, payment: dict) -> None:
    """A payment the acquirer has never heard of: nothing is charged, and the till says so."""
    # Sent while the customer waited, and the acquirer promises that it never came.
    never_came = payment["cause"] == "not_received"
    findings.equal(where, "class", "live" if never_came else None, payment["class"])
    for name in NOTHING:
        findings.equal(where, name, None, payment[name])
    findings.equal(where, "stage", "not_charged", payment["stage"])
    findings.equal(where, "evidence", "none", payment["evidence"])
    if sale["expect"].startswith("refused"):
        findings.check(payment["cause"] in {"offline_refused", *NOT_CHARGED}, f"{where}: cause {payment['cause']!r}")
    else:
        findings.check(payment["cause"] in NOT_CHARGED, f"{where}: cause {payment['cause']!r}: this customer was to be served")


def judge_reversed(findings: Findings, where: str, payment: dict) -> None:
    """Undone while the customer waited: nothing is charged."""
    findings.equal(where, "stage", "not_charged", payment["stage"])
    findings.equal(where, "cause", "reversed", payment["cause"])
    findings.equal(where, "class", "live", payment["class"])
    for name in ("payout_id", "gross_minor", "fee_minor", "net_minor"):
        findings.equal(where, name, None, payment[name])


def judge_known(findings: Findings, head: dict, sale: dict, book: dict, payment: dict, closed_at_ms: int) -> None:
    """A payment the acquirer has: the book by the rules, then the till by both."""
    where = f"{sale['order']} {payment['payment_id']}"
    authorization, approved, code = verdict(sale)
    # On a bad line the acquirer may have asked the till to wait: then the sale is a stored one, and the book says so.
    live = book["kind"] == "live" if sale["scene"] == "drain" else sale["scene"] in LINE_SCENES
    for name, must in (("authorization", authorization), ("approved_minor", approved), ("response_code", code),
                       ("amount_minor", sale["amount_minor"]), ("last_four", sale["card"]["last_four"]),
                       ("kind", "live" if live else "deferred_authorization")):
        findings.equal(f"book: {where}", name, must, book[name])
    findings.equal(where, "captured_at_ms", book["captured_at_ms"], payment["captured_at_ms"])
    for name in ("amount_minor", "currency"):
        findings.equal(where, name, sale[name], payment[name])
    findings.equal(where, "authorization", authorization, payment["authorization"])
    findings.equal(where, "delivery", "delivered", payment["delivery"])
    findings.equal(where, "payout_id", book["payout_id"], payment["payout_id"])
    if authorization == "declined":
        findings.equal(where, "class", "live" if live else "deferred", payment["class"])
        findings.equal(where, "stage", "not_charged" if live else "needs_you", payment["stage"])
        findings.equal(where, "cause", "declined" if live else "declined_after_deferral", payment["cause"])
        findings.equal(where, "clearing", "none", payment["clearing"])
        findings.equal(where, "arrival", "not_eligible", payment["arrival"])
        findings.equal(where, "evidence", "none", payment["evidence"])
        for name in ("expected_date", "gross_minor", "fee_minor", "net_minor", "payout_id"):
            findings.equal(where, name, None, payment[name])
        return
    findings.equal(where, "class", "live" if live else "deferred", payment["class"])
    findings.equal(where, "accepted_at_ms", book["accepted_at_ms"], payment["accepted_at_ms"])
    money = paid(head, book["accepted_at_ms"], closed_at_ms)
    findings.equal(where, "clearing", "accepted" if money.arrival == "pending" else "cleared", payment["clearing"])
    findings.equal(where, "arrival", money.arrival, payment["arrival"])
    findings.equal(where, "stage", money.stage, payment["stage"])
    findings.equal(where, "cause", money.cause, payment["cause"])
    findings.equal(where, "expected_date", money.expected.isoformat(), payment["expected_date"])
    findings.equal(where, "evidence", money.evidence, payment["evidence"])
    if money.payouts:
        cost = fee(sale, approved)
        for name, must in (("gross_minor", approved), ("fee_minor", cost), ("net_minor", approved - cost)):
            findings.equal(where, name, must, payment[name])
        findings.equal(f"book: {where}", "captures", 1, book["captures"])
    findings.equal(f"book: {where}", "authorizations", 1, book["authorizations"])


def judge_orders(findings: Findings, sales: dict, ledger: dict, by_order: dict) -> int:
    """Every customer was served as the script says, once. Returns how many were lost."""
    lost = 0
    for order, sale in sales.items():
        at_acquirer = [payment for payment in ledger["payments"]
                       if payment["order_reference"] == order and payment["authorization"] != "reversed"]
        wanted = 0 if sale["expect"].startswith("refused") else 1
        findings.equal(order, "number of payments at the acquirer", wanted, len(at_acquirer))
        findings.check(bool(by_order[order]), f"{order}: the till does not know this order")
        lost += len(at_acquirer) < wanted or not by_order[order]
        if sale["expect"].startswith("refused"):
            causes = {payment["cause"] for payment in by_order[order]}
            findings.check("offline_refused" in causes, f"{order}: must be refused offline, is {causes}")
            before = sale["expect"] == "refused_before_card"
            for payment in by_order[order]:
                if payment["cause"] == "offline_refused":
                    read = (payment["last_four"], payment["scheme"] is not None)
                    must = (None, False) if before else (sale["card"]["last_four"], True)
                    findings.equal(order, "card of the refused payment", must, read)
        if sale.get("kill") in BEFORE_DATA or sale.get("link") in BEFORE_DATA:
            given_up = [payment for payment in by_order[order] if payment["stage"] == "not_charged"]
            findings.check(bool(given_up), f"{order}: the broken attempt left no trace")
    return lost


def judge_twice(findings: Findings, ledger: dict) -> int:
    """Nobody's card was authorised or captured twice: by payment, and by card, amount and moment."""
    twice = set()
    for records, name in ((ledger["authorizations"], "authorised"), (ledger["captures"], "captured")):
        for payment_id, count in collections.Counter(record["payment_id"] for record in records).items():
            if count > 1:
                findings.lines.append(f"{payment_id}: {name} {count} times")
                twice.add(payment_id)
    cards = collections.Counter((record["last_four"], record["amount_minor"], record["captured_at_ms"])
                                for record in ledger["authorizations"])
    for card, count in cards.items():
        if count > 1:
            findings.lines.append(f"card, amount, moment {card}: authorised {count} times")
            twice.add(card)
    return len(twice)


def judge_payouts(findings: Findings, head: dict, sales: dict, ledger: dict, out: dict) -> set:
    """Payouts computed from the payments: which there must be, what they must pay and where they must stand. Returns
    those whose day passed without the money."""
    must: dict[tuple, list] = collections.defaultdict(list)
    moneys = {}
    for payment in ledger["payments"]:
        sale = sales[payment["order_reference"]]
        authorization, approved, _ = verdict(sale)
        if payment["authorization"] != authorization or authorization == "declined":
            continue
        money = paid(head, payment["accepted_at_ms"], out["closed_at_ms"])
        for place, (_, day) in enumerate(money.payouts):
            must[day, place > 0].append((payment["payment_id"], approved, fee(sale, approved)))
            # What was paid again had come back before.
            came_back = place + 1 < len(money.payouts)
            moneys[day, place > 0] = "returned" if came_back else PAYOUT_BY_ARRIVAL[money.arrival]
    told = {payout["payout"]["payout_id"]: payout for payout in out["payouts"]}
    findings.equal("payouts", "number in the book", len(must), len(ledger["payouts"]))
    findings.equal("payouts", "number in the till", len(must), len(told))
    overdue = set()
    for payout in ledger["payouts"]:
        where = payout["payout_id"]
        key = (dt.date.fromisoformat(payout["payout_date"]), payout["reissue_of"] is not None)
        if key not in must or where not in told:
            findings.lines.append(f"{where}: no such payout by the rules, or not in the till")
            continue
        judge_payout_money(findings, must[key], payout, told[where])
        judge_payout_state(findings, ledger, moneys[key], payout, told[where]["payout"])
        after_ms = calendar.overdue_after_ms(key[0])
        waits = payout["status"] in ("created", "sent")
        findings.equal(where, "overdue", waits and out["closed_at_ms"] >= after_ms, told[where]["payout"]["overdue"])
        if min([out["closed_at_ms"], *(line["at_ms"] for line in bank_lines(ledger, where))]) >= after_ms:
            overdue.add(where)
    return overdue


def bank_lines(ledger: dict, payout_id: str) -> list:
    """What the bank booked for a payout, in order."""
    return [line for line in ledger["bank"]["lines"] if line["payout_id"] == payout_id]


def judge_payout_money(findings: Findings, rows: list, payout: dict, told: dict) -> None:
    """Entries and sums: by the rules, in the acquirer's book, in the till."""
    where = payout["payout_id"]
    gross, cost = sum(row[1] for row in rows), sum(row[2] for row in rows)
    for name, figure in (("gross_minor", gross), ("fee_minor", cost), ("net_minor", gross - cost)):
        findings.equal(where, name, figure, told["payout"][name])
        # The book writes a fee as what it takes away.
        findings.equal(f"book: {where}", name, -figure if name == "fee_minor" else figure, payout[name])
    findings.equal(where, "difference_minor", 0, told["payout"]["difference_minor"])
    findings.equal(where, "entry_count", len(rows), told["payout"]["entry_count"])
    findings.equal(where, "entries", sorted((row[0], row[1], row[2], row[1] - row[2]) for row in rows),
                   sorted((entry["payment_id"], entry["gross_minor"], entry["fee_minor"], entry["net_minor"])
                          for entry in told["entries"]))


def judge_payout_state(findings: Findings, ledger: dict, status: str, payout: dict, told: dict) -> None:
    """Status, direction, evidence and days: by the rules, in both books, in the till."""
    where = payout["payout_id"]
    evidence = "bank_notification" if status == "arrived" else "none"
    for whose, say in ((f"book: {where}", payout), (where, told)):
        findings.equal(whose, "status", status, say["status"])
        findings.equal(whose, "evidence", evidence, say["evidence"])
    lines = bank_lines(ledger, where)
    findings.equal(f"bank: {where}", "lines", BANK_LINES[status], [line["direction"] for line in lines])
    for line in lines:
        findings.equal(f"bank: {where}", "amount_minor", abs(told["net_minor"]), line["amount_minor"])
        findings.equal(f"bank: {where}", "reference", told["end_to_end_id"], line["reference"])
    findings.equal(where, "direction", "credit" if payout["net_minor"] >= 0 else "debit", told["direction"])
    findings.equal(where, "arrived_at_ms", lines[0]["at_ms"] if lines else None, told["arrived_at_ms"])
    findings.equal(where, "expected_date", payout["payout_date"], told["expected_date"])
    failure = payout["failure"][0] if payout["failure"] else None
    findings.equal(where, "failure_code", failure, told["failure_code"])
    for name in ("business_date", "currency", "reissue_of", "reissued_by"):
        findings.equal(where, name, payout[name], told[name])


def total(payments: list, name: str) -> int:
    """The sum of a figure; one that is missing was found before."""
    return sum(payment[name] or 0 for payment in payments)


def judge_totals(findings: Findings, out: dict, lost: int, twice: int) -> None:
    """Counts and sums, from the payments that were judged one by one."""
    payments = out["payments"]
    approved = [p for p in payments if p["authorization"] in ("approved", "partially_approved")]
    arrived = [p for p in payments if p["arrival"] == "arrived"]
    saved = [p for p in payments if p["class"] == "deferred" or p["class"] == "live" and p in approved]
    declined = [p for p in payments if p["authorization"] == "declined"]
    totals = out["totals"]
    for name, figure in (("saved", len(saved)), ("approved", len(approved)), ("declined", len(declined)),
                         ("arrived", len(arrived)), ("lost", lost), ("charged_twice", twice)):
        findings.equal("totals", name, figure, totals[name])
    sums = totals["sums"]["CNY"]
    for name, figure in (("saved_minor", total(saved, "amount_minor")),
                         ("approved_minor", total(approved, "approved_minor")),
                         ("declined_minor", total(declined, "amount_minor")),
                         ("arrived_gross_minor", total(arrived, "gross_minor")),
                         ("arrived_fee_minor", total(arrived, "fee_minor")),
                         ("arrived_net_minor", total(arrived, "net_minor"))):
        findings.equal("totals", name, figure, sums[name])
    by_stage = collections.Counter()
    for payment in payments:
        # What is approved counts; what nobody approved counts as it was asked.
        worth = payment["amount_minor"] if payment["approved_minor"] is None else payment["approved_minor"]
        by_stage[payment["stage"], payment["currency"]] += worth
    told = {(line["stage"], line["currency"]): line["amount_minor"] for line in out["takings"]}
    findings.equal("takings", "by stage", dict(by_stage), told)
    findings.equal("account", "verified", True, out["verified"])


def judge_bank(findings: Findings, ledger: dict, out: dict) -> None:
    """What lies in the bank is what the arrived payouts paid."""
    balance = sum(line["amount_minor"] * (-1 if line["direction"] == "debit" else 1) for line in ledger["bank"]["lines"])
    arrived = sum(p["payout"]["net_minor"] for p in out["payouts"] if p["payout"]["status"] == "arrived")
    findings.equal("bank", "net of the payouts that arrived", balance, arrived)


def judge(head: dict, sales: dict, ledger: dict, out: dict) -> list[str]:
    """All of it. The differences, in words."""
    findings = Findings()
    book = {payment["payment_id"]: payment for payment in ledger["payments"]}
    by_order = collections.defaultdict(list)
    for payment in out["payments"]:
        by_order[payment["order_reference"]].append(payment)
        sale = sales.get(payment["order_reference"])
        if sale is None:
            findings.lines.append(f"{payment['payment_id']}: an order that is not in the script")
            continue
        where = f"{sale['order']} {payment['payment_id']}"
        known = book.get(payment["payment_id"])
        if known is None:
            judge_unknown(findings, where, sale, payment)
        elif known["authorization"] == "reversed":
            judge_reversed(findings, where, payment)
        else:
            judge_known(findings, head, sale, known, payment, out["closed_at_ms"])
    told = {payment["payment_id"] for payment in out["payments"]}
    for payment_id in book.keys() - told:
        findings.lines.append(f"{payment_id}: the acquirer has it, the till does not")
    for reversal in ledger["reversals"]:
        findings.check(book.get(reversal["payment_id"], {}).get("kind") != "deferred_authorization",
                       f"{reversal['payment_id']}: a deferred payment was reversed by itself")
    lost = judge_orders(findings, sales, ledger, by_order)
    twice = judge_twice(findings, ledger)
    overdue = judge_payouts(findings, head, sales, ledger, out)
    told_of.judge_faults(findings, head, ledger, out)
    told_of.judge_alerts(findings, head, ledger, out, overdue)
    judge_totals(findings, out, lost, twice)
    judge_bank(findings, ledger, out)
    return findings.lines


def main() -> None:
    """Judges the three files."""
    if len(sys.argv) != 4:
        sys.exit("usage: judge.py SCRIPT.jsonl ACQUIRER-LEDGER.json OUT.json")
    head, sales, ledger, out = load(sys.argv[1:])
    lines = judge(head, sales, ledger, out)
    for line in lines[:SHOWN]:
        print(line)
    if len(lines) > SHOWN:
        print(f"... and {len(lines) - SHOWN} more")
    if lines:
        print(f"WRONG: seed {head['seed']}, {len(lines)} differences")
        sys.exit(1)
    print(f"right: seed {head['seed']}, {head['saturday']}, {len(out['payments'])} payments, {len(out['payouts'])} payouts")


if __name__ == "__main__":
    main()
