"""What went wrong on the line, and what the till told: each computed from the books alone.

A fault counts when the acquirer's own log has it. An alert must be told exactly as often as the books give a reason for
it, never twice, in the order of the till's numbers (promise P7).
"""

import collections

FAULT_KINDS = ("drop_request", "drop_answer", "half_answer", "wrong_signature", "status", "duplicate")
# These leave the till without an answer it may believe.
HARMLESS = {None, "delay", "duplicate"}
CUSTOMER_WAITS_MS = 60_000
ORDINARY = {"payout_sent", "payout_arrived", "payout_returned", "payout_overdue", "declined_after_deferral",
            "partly_approved", "payment_in_doubt", "payment_confirmed_late", "payment_reversed"}


def judge_faults(findings, head: dict, ledger: dict, out: dict) -> None:
    """What the day says went wrong is what the acquirer has in its log; a market day has some of each kind."""
    logged = collections.Counter((fault["kind"], f"{fault['method']} {fault['path']}") for fault in ledger["faults_fired"])
    told = collections.Counter()
    cuts = 0
    for fault in out["faults"]:
        if fault["by"] == "acquirer":
            told[fault["kind"], fault["path"]] += fault["count"]
        else:
            findings.equal("faults", "what the relay does", "cut_answer", fault["kind"])
            cuts += fault["count"]
    findings.equal("faults", "by the acquirer's log", dict(logged), dict(told))
    kinds = {kind for kind, _ in logged}
    if head["faults"] == "none":
        findings.equal("faults", "number on a good day", 0, logged.total() + cuts)
        return
    for kind in FAULT_KINDS:
        findings.check(kind in kinds, f"faults: no {kind} in the acquirer's log")
    findings.check(cuts > 0, "faults: the line was never cut")


def waits(captured_at_ms: int, contacts: list) -> tuple[int, int]:
    """How long a customer waited at least and at most for an answer, by what the acquirer was asked, milliseconds.

    At most: a phone that dies asks for the first time, or once more, when it is on again.
    """
    first, last = contacts[0]["at_ms"], contacts[-1]["at_ms"]
    good = [contact["at_ms"] for contact in contacts
            if 200 <= contact["status"] < 300 and (contact["fault"] or {}).get("kind") in HARMLESS]
    return (good[0] if good else last) - first, last - min(first, captured_at_ms)


def bounds(ledger: dict, out: dict, overdue: set) -> dict[tuple[str, str], tuple[int, int]]:
    """How often each alert must and may be told, by kind and subject."""
    must: dict[tuple[str, str], tuple[int, int]] = {}
    lines = collections.Counter((line["direction"], line["payout_id"]) for line in ledger["bank"]["lines"])
    for payout in ledger["payouts"]:
        subject = payout["payout_id"]
        # The bank's book decides what arrived and what went back, not the acquirer's word for it.
        must["payout_arrived", subject] = (lines["credit", subject],) * 2
        must["payout_returned", subject] = (lines["debit", subject],) * 2
        must["payout_overdue", subject] = (int(subject in overdue),) * 2
        # Sent and credited between two looks is told as arrived.
        must["payout_sent", subject] = (int(subject in overdue), 1)
    contacts = collections.defaultdict(list)
    for contact in ledger["contacts"]:
        contacts[contact["payment_id"]].append(contact)
    deferred = {payment["payment_id"] for payment in out["payments"] if payment["class"] == "deferred"}
    for payment in ledger["payments"]:
        subject, state = payment["payment_id"], payment["authorization"]
        gone = subject in deferred and payment["kind"] != "live"
        must["declined_after_deferral", subject] = (int(gone and state == "declined"),) * 2
        must["partly_approved", subject] = (int(gone and state == "partially_approved"),) * 2
        must["payment_reversed", subject] = (0, int(state == "reversed"))
        if payment["kind"] == "live" and contacts[subject]:
            least, most = waits(payment["captured_at_ms"], contacts[subject])
            late = state in ("approved", "partially_approved")
            must["payment_confirmed_late", subject] = (int(late and least >= CUSTOMER_WAITS_MS),
                                                       int(late and most >= CUSTOMER_WAITS_MS))
            must["payment_in_doubt", subject] = (0, int(most >= CUSTOMER_WAITS_MS))
    for payment in out["payments"]:
        # Asked about, and never heard of: it stayed in doubt until the acquirer said so.
        if payment["cause"] == "not_received" and payment["payment_id"] in contacts:
            must["payment_in_doubt", payment["payment_id"]] = (0, 1)
    return must


def judge_alerts(findings, head: dict, ledger: dict, out: dict, overdue: set) -> None:
    """Every alert has its reason in the books, and every reason its alert; nothing is told twice."""
    alerts = out["alerts"]
    numbers = [alert["alert"] for alert in alerts]
    findings.check(numbers == sorted(set(numbers)), f"alerts: not in order, or one number twice: {numbers}")
    times = [alert["at_ms"] for alert in alerts]
    findings.check(times == sorted(times), "alerts: told in another order than they were written down")
    told = collections.Counter((alert["alert_kind"], alert["subject_id"]) for alert in alerts)
    for (kind, subject), count in told.items():
        findings.check(count == 1, f"alerts: {kind} of {subject} is told {count} times")
        findings.check(kind in ORDINARY, f"alerts: {kind} of {subject} has no reason in the books")
    must = bounds(ledger, out, overdue)
    for (kind, subject) in sorted(told.keys() | must.keys()):
        least, most = must.get((kind, subject), (0, 0))
        count = told[kind, subject]
        findings.check(least <= count <= most, f"alerts: {kind} of {subject} is told {count} times, must be {least} to {most}")
    figures = {payout["payout_id"]: payout["net_minor"] for payout in ledger["payouts"]}
    for alert in alerts:
        where = f"alert {alert['alert']}"
        if alert["subject_kind"] == "payout":
            findings.equal(where, "amount_minor", figures.get(alert["subject_id"]), alert["amount_minor"])
        findings.check(alert["deliveries"] >= 1, f"{where}: never delivered")
    again = sum(alert["deliveries"] > 1 for alert in alerts)
    if head["kill"] and any(alert["alert_kind"] == "payout_arrived" for alert in alerts):
        findings.check(again > 0, "alerts: none came again after the phone died before it was acknowledged")
