"""Plays days at the market through the Python binding; see README.md.

    python3 run.py [DAY.json …]     without names: every day in days/, in order

Each day's result goes to standard output as one line of canonical JSON; what is wrong, to standard error. Exit code 1 if
a day is not as it says, 2 if a file is no day. The generated module `takings` is found by PYTHONPATH.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import takings as t

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE / "day.schema.json").read_text("utf-8"))
ALWAYS = json.loads((HERE / "always.json").read_text("utf-8"))
ALL_DAYS = ("2020-01-01", "2039-12-31")
BOOK = ("authorizations", "bank", "captures", "payments", "payouts", "requests", "reversals", "totals")
CLOCKS = ("now_ms", "trusted_ms", "oldest_unsent_age_ms", "oldest_age_ms")
UNITS_MS = {"days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1_000}
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


class NoDay(Exception):
    """The file is not a day."""


class Wrong(Exception):
    """The day is not as it says."""


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def short(value):
    """As much of it as a line of an error bears."""
    text = canonical(value)
    return text if len(text) <= 300 else text[:300] + "…"


def check(value, rule, place):
    """Holds a value against the part of JSON Schema that day.schema.json uses."""
    if "$ref" in rule:
        name = rule["$ref"].removeprefix("#/$defs/")
        if name == "pattern":
            return
        if name == "step":
            word = value.get("do") if isinstance(value, dict) else None
            if word not in SCHEMA["$defs"]["steps"]:
                raise NoDay(f"{place}: no step is called {canonical(word)}")
            return check(value, SCHEMA["$defs"]["steps"][word], f"{place} ({word})")
        return check(value, SCHEMA["$defs"][name], place)
    if "type" in rule and type(value) is not TYPES[rule["type"]]:
        raise NoDay(f"{place}: not of type {rule['type']}")
    if "enum" in rule and value not in rule["enum"]:
        raise NoDay(f"{place}: {canonical(value)} is none of {', '.join(rule['enum'])}")
    for index, item in enumerate(value if "items" in rule else []):
        check(item, rule["items"], f"{place} {index + 1}")
    if "properties" in rule:
        for name in rule.get("required", []):
            if name not in value:
                raise NoDay(f"{place}: {name} is missing")
        for name, member in sorted(value.items()):
            if name not in rule["properties"]:
                raise NoDay(f"{place}: unknown field {name}")
            check(member, rule["properties"][name], f"{place} {name}")


def match(pattern, found, place, names):
    """Raises `Wrong` where `found` is not as `pattern` says."""
    def wrong(what):
        raise Wrong(f"{place}: expected {what}, found {short(found)}")
    if isinstance(pattern, dict):
        members = {key: inner for key, inner in pattern.items() if not key.startswith("$")}
        for operator in sorted(pattern.keys() - members.keys()):
            if not holds(operator, pattern[operator], found, place, names):
                wrong(f"{operator} {canonical(pattern[operator])}")
        if not isinstance(found, dict) and len(members) == len(pattern):
            wrong("an object")
        for key, inner in sorted(members.items()):
            if not isinstance(found, dict) or key not in found:
                wrong(f"a member {key}")
            match(inner, found[key], f"{place}.{key}", names)
    elif isinstance(pattern, list):
        if not isinstance(found, list) or len(found) != len(pattern):
            wrong(f"{len(pattern)} elements")
        for index, (inner, element) in enumerate(zip(pattern, found)):
            match(inner, element, f"{place}[{index}]", names)
    else:
        expected = resolve(pattern, names, place)
        if type(expected) is not type(found) or expected != found:
            wrong(canonical(expected))


def holds(operator, operand, found, place, names):
    elements = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else None
    number = found if type(found) is int else None

    def fits(element, pattern=operand):
        try:
            match(pattern, element, place, names)
            return True
        except Wrong:
            return False
    match operator:
        case "$at_least": return number is not None and number >= operand
        case "$at_most": return number is not None and number <= operand
        case "$count": return elements is not None and len(elements) == operand
        case "$every": return elements is not None and all(fits(element) for element in elements)
        case "$some": return elements is not None and any(fits(element) for element in elements)
        case "$holds": return isinstance(found, str) and operand in found
        case "$not": return not fits(found)
    raise NoDay(f"{place}: no operator is called {operator}")


def resolve(value, names, place):
    """`@name` is the id of the payment of that name, in every string it is the whole of."""
    if isinstance(value, dict):
        return {key: resolve(member, names, place) for key, member in value.items()}
    if isinstance(value, list):
        return [resolve(member, names, place) for member in value]
    if isinstance(value, str) and value.startswith("@"):
        if value[1:] not in names:
            raise NoDay(f"{place}: no payment is called {value[1:]}")
        return names[value[1:]]
    return value


def plain(value):
    """What the binding gives, as JSON."""
    if isinstance(value, list):
        return [plain(element) for element in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return {name: plain(member) for name, member in vars(value).items()}


def plain_charge(payment_id, taken):
    outcome = taken.outcome
    said = {name: getattr(outcome, name, None) for name in ("approved_minor", "cause", "detail")}
    word = None if outcome is None else type(outcome).__name__.rsplit(".", 1)[-1].lower()
    return said | {"outcome": word, "payment_id": payment_id, "prompts": taken.prompts, "stopped": taken.stopped,
                   "calls": taken.calls}


def plain_error(error):
    kind = "".join("_" + letter.lower() if letter.isupper() else letter for letter in type(error).__name__)
    return {"kind": kind.removeprefix("_"), "code": error.code, "detail": error.detail}


def span_ms(step):
    return sum(step.get(unit, 0) * ms for unit, ms in UNITS_MS.items())


def without_clocks(status):
    if isinstance(status, dict):
        return {key: without_clocks(member) for key, member in status.items() if key not in CLOCKS}
    return [without_clocks(member) for member in status] if isinstance(status, list) else status


def demo_card(asked):
    return t.DemoCard(
        leading=asked.get("leading", "6222"), last_four=asked["last_four"], number_len=asked.get("number_len", 16),
        entry=t.CardEntry[asked.get("entry", "chip").upper()], behaviour=asked.get("behaviour", "normal"),
        code=asked.get("code"), applications=asked.get("applications", []), signs=asked.get("signs", False))


class Day:
    """One day while it is played."""

    def __init__(self, file, directory):
        if file["seed"] < 0:
            raise NoDay("seed: below zero")
        self.file, self.directory = file, directory
        self.world = t.DemoWorld(file["seed"], file["start_ms"])
        self.card_reader = self.world.new_reader()
        self.till = None
        self.charges = []
        self.names = {}
        self.told, self.acknowledged = [], 0

    async def play(self):
        try:
            return await self.whole()
        finally:
            if self.till is not None:
                await self.till.shutdown()

    async def whole(self):
        await self.open_app({})
        answers = []
        for number, step in enumerate(self.file["steps"], 1):
            answers.append(await self.step(step, f"step {number} ({step['do']})"))
        await self.alerts({})
        seen = await self.seen() | {"ledger": await self.ledger()}
        match(ALWAYS, seen, "always", self.names)
        match(self.file["end"], seen, "end", self.names)
        return seen | {"answers": answers}

    async def step(self, step, place):
        if self.till is None and step["do"] not in ("open_app", "admin", "line", "wait", "set_clock", "restart_phone"):
            raise NoDay(f"{place}: the app is not open")
        try:
            answer = await getattr(self, step["do"])(step)
        except t.TakingsError as error:
            answer = plain_error(error)
            if "fails" not in step:
                raise Wrong(f"{place}: failed: {canonical(answer)}") from None
            match(step["fails"], answer, f"{place} fails", self.names)
            return {"error": answer}
        except (Wrong, NoDay) as error:
            raise type(error)(f"{place}: {error}") from None
        if "fails" in step:
            raise Wrong(f"{place}: expected to fail, gave {short(answer)}")
        if "gives" in step:
            match(step["gives"], answer, f"{place} gives", self.names)
        return answer

    def payment_id(self, step):
        return self.names.get(step["payment"], step["payment"])

    # The app.

    async def open_app(self, step):
        if self.till is not None:
            raise NoDay("the app is open")
        language = t.Language.ZH if self.file.get("language") == "zh" else t.Language.EN
        self.till = await self.world.open_till(self.directory, language)

    async def kill_app(self, step):
        # The charges are let go of only when the till is gone: before, that would give them up.
        await self.till.shutdown()
        self.till, self.charges = None, []
        # The link dies with the app, and the customer does not wait.
        self.card_reader.link_down()
        self.card_reader.take_card_away()

    async def restart_phone(self, step):
        if self.till is not None:
            await self.kill_app(step)
        self.world.restart_phone()

    async def background(self, step):
        await self.till.going_to_background()

    # The merchant.

    async def activate(self, step):
        return plain(await self.till.activate(self.world.activation_code()))

    async def sign_on(self, step):
        return plain(await self.till.sign_on())

    async def charge(self, step):
        name = step.get("as", step.get("order"))
        if name in self.names:
            raise NoDay(f"a payment is called {name} already")
        mode = t.ChargeMode[step.get("mode", "prefer_online").upper()]
        charge = await self.till.charge(t.ChargeRequest(
            amount_minor=step["amount_minor"], currency=step.get("currency", "CNY"), order_reference=step.get("order"),
            mode=mode, charge_again=step.get("again", False), operator=step.get("operator")))
        self.charges.append(charge)
        if name is not None:
            self.names[name] = charge.payment_id()
        play = t.CardPlay(card=demo_card(step["card"]) if "card" in step else None,
                          next_cards=[demo_card(asked) for asked in step.get("next_cards", [])],
                          choose=step.get("choose", 0), lose_link_at=step.get("lose_link_at"),
                          reconnect=step.get("reconnect", False), cancel_at=step.get("cancel_at"), stop_at=step.get("stop_at"))
        return plain_charge(charge.payment_id(), self.card_reader.take_card(charge, play))

    async def cancel(self, step):
        return plain(await self.till.cancel(self.payment_id(step), step.get("operator")))

    async def mark_service(self, step):
        return plain(await self.till.mark_service(self.payment_id(step), step["given"], step.get("operator")))

    async def sync(self, step):
        return plain(await self.till.sync(step.get("budget_ms", 600_000)))

    async def alerts(self, step):
        told = plain(await self.till.next_alerts(200))
        for alert in told:
            if alert["alert"] <= self.acknowledged:
                raise Wrong(f"told again although acknowledged: {canonical(alert)}")
        known = {alert["alert"]: alert for alert in self.told}
        for alert in told:
            if known.setdefault(alert["alert"], alert) != alert:
                raise Wrong(f"told differently: {canonical(alert)}")
        self.told = [known[number] for number in sorted(known)]
        return told

    async def acknowledge(self, step):
        if self.told:
            self.acknowledged = self.told[-1]["alert"]
            await self.till.acknowledge(self.acknowledged)

    async def receipt(self, step):
        copy = t.ReceiptCopy[step.get("copy", "customer").upper()]
        return plain(await self.till.receipt(self.payment_id(step), copy))

    async def history(self, step):
        return plain(await self.till.payment(self.payment_id(step)))

    async def find(self, step):
        query = {key: member for key, member in step.items() if key not in ("do", "why", "gives", "fails")}
        return list((await self.payments(query)).values())

    # The world.

    async def reader(self, step):
        self.card_reader.set_health(step.get("battery_percent"), step.get("tampered"), step.get("usable"))

    async def line(self, step):
        self.world.set_line(step["state"])

    async def admin(self, step):
        path = "/".join(resolve(part, self.names, "path") for part in step["path"].split("/"))
        body = canonical(resolve(step["body"], self.names, "body")) if "body" in step else ""
        return json.loads(self.world.admin(step["method"], path, body))

    async def wait(self, step):
        if span_ms(step) < 0:
            raise NoDay("time only passes forward")
        self.world.advance(span_ms(step))
        if self.till is not None:
            await self.till.tick()

    async def set_clock(self, step):
        self.world.set_phone_clock(span_ms(step))

    # What is to be seen.

    async def expect(self, step):
        match(step["that"], await self.seen(), "that", self.names)

    async def payments(self, query):
        called = {payment_id: name for name, payment_id in self.names.items()}
        found, after = {}, None
        while True:
            page = await self.till.payments(t.PaymentQuery(**query, after=after))
            found |= {called.get(payment.payment_id, payment.payment_id): plain(payment) for payment in page.payments}
            after = page.next
            if after is None:
                return found

    async def payouts(self):
        found, after = [], None
        while True:
            page = await self.till.payouts(t.PayoutQuery(after=after))
            for payout in page.payouts:
                detail = await self.till.payout(payout.payout_id)
                found.insert(0, plain(detail.payout) | {"entries": plain(detail.entries)})
            after = page.next
            if after is None:
                return found

    def book(self):
        book = json.loads(self.world.admin("GET", "/admin/ledger", ""))
        called = {payment_id: name for name, payment_id in self.names.items()}
        payments = {called.get(payment["payment_id"], payment["payment_id"]): payment for payment in book["payments"]}
        return {member: book[member] for member in BOOK} | {"payments": payments}

    async def seen(self):
        status = plain(await self.till.status())
        if status["trouble"] is not None:
            del status["trouble"]["at_ms"]
        return {"alerts": self.told, "book": self.book(), "payments": await self.payments({}),
                "payouts": await self.payouts(), "status": without_clocks(status),
                "takings": plain(await self.till.takings(*ALL_DAYS))}

    async def ledger(self):
        return plain(await self.till.verify()) | {"chain_hash": self.world.chain_hash(self.directory)}


async def run(path):
    file = json.loads(path.read_text("utf-8"))
    check(file, {"$ref": "#/$defs/day"}, "day")
    with tempfile.TemporaryDirectory() as directory:
        return {"day": path.stem} | await Day(file, directory).play()


def main():
    code = 0
    for path in [Path(name) for name in sys.argv[1:]] or sorted((HERE / "days").glob("*.json")):
        try:
            print(canonical(asyncio.run(run(path))), flush=True)
        except (NoDay, Wrong, json.JSONDecodeError) as error:
            print(f"{path.name}: {error}", file=sys.stderr, flush=True)
            code = max(code, 1 if isinstance(error, Wrong) else 2)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a thread of the library that still comes back from its last call would end the process with SIGABRT.
    os._exit(code)


if __name__ == "__main__":
    main()
