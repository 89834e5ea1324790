"""Where is the money of the 14th? For support, with a merchant's ledger at hand.

    python where_is_the_money.py LEDGER_DIR --day 2026-11-14 --key-file keys.json
    python where_is_the_money.py --demo

LEDGER_DIR is a copy of the ledger's folder. It is not written to: what is opened is a copy of the copy, deleted at the end.
Nothing is sent: the acquirer's address leads nowhere, and nothing can be signed, because the phone's key is not here.

The keys come from --key-file (JSON: ledger_key, 64 hex digits, what the app's KeyVault keeps; device_public_key, in hex, what
its DeviceKey shows; algorithm, if it is not ecdsa-p256-sha256) or from TAKINGS_LEDGER_KEY and TAKINGS_DEVICE_PUBLIC_KEY.

Exit codes: 0 answered, 2 wrong arguments, 3 no ledger there, 4 no key or the wrong one, 5 the ledger is damaged, 6 nothing
was sold that day, 7 it needs a newer version, 1 anything else.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import NoReturn

import takings as t

import demo_day

# Nobody listens there, and the address leaves no machine.
NOWHERE = "http://127.0.0.1:9"
# Minor units that are not hundredths.
EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Where is the money of {day}?", "{day} 的钱在哪里？"),
    "whose": ("merchant {merchant}, terminal {terminal}", "商户 {merchant}，终端 {terminal}"),
    "checked": ("The ledger verifies: {events} events.", "账本校验无误：{events} 条记录。"),
    "judged": ("Judged as of {now}; the newest event of these payments is of {at}. What came after the copy was made is not in it.",
               "以 {now} 为准判断；这些交易的最新记录为 {at}。副本生成之后的情况不在其中。"),
    "expected": ("expected {day}", "预计 {day} 到账"),
    "provisional": ("expected {day}, may still move", "预计 {day} 到账，日期可能变动"),
    "payout": ("payout {payout}", "打款 {payout}"),
    "evidence": ("on the word of: {evidence}", "依据：{evidence}"),
    "approved": ("approved only {amount}", "仅批准 {amount}"),
    "net": ("{amount} after fees", "扣除手续费后 {amount}"),
    "why": ("why: {cause}", "原因：{cause}"),
    "code": ("response code {code}", "应答码 {code}"),
    "next": ("next: {step} ({who})", "下一步：{step}（{who}）"),
    "sums": ("By stage", "按状态汇总"),
    "payouts": ("Payouts that carry them", "相关打款"),
    "none": ("none yet", "暂无"),
    "share": ("{count} of this day, {amount} after fees", "其中当日 {count} 笔，扣除手续费后 {amount}"),
    "overdue": ("overdue", "逾期"),
    # Who acts, on whose word, and the states of a payout.
    "app": ("the app, by itself", "应用自动处理"),
    "bank": ("the bank", "银行"),
    "nobody": ("nobody", "无需处理"),
    "bank_notification": ("the bank", "银行通知"),
    "statement_line": ("a line of the bank statement", "银行对账单"),
    "acquirer": ("the acquirer", "收单机构"),
    "merchant": ("the merchant", "商户"),
    "created": ("made up", "已生成"),
    "sent": ("with the bank", "已提交银行"),
    "arrived": ("arrived", "已到账"),
    "failed": ("refused by the bank", "银行拒绝"),
    "returned": ("given back by the bank", "银行退回"),
    "held": ("held", "暂缓"),
}


class Refused(Exception):
    """A sentence for the reader, and the exit code."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Keys:
    ledger: bytes
    device: bytes
    algorithm: str


class Vault(t.KeyVault):
    """Has the copy's key, and keeps no other."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def load(self) -> bytes | None:
        return self.key

    def store(self, key: bytes) -> None:
        raise PermissionError("a copy gets no new key")


class PublicHalf(t.DeviceKey):
    """What is known of the phone's key. Without its other half nothing can be signed, so nothing can be sent."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def algorithm(self) -> str:
        return self.keys.algorithm

    def public_key(self) -> bytes:
        return self.keys.device

    def sign(self, bytes: bytes) -> NoReturn:
        raise PermissionError("a copy signs nothing")


@dataclass(frozen=True)
class Day:
    """What the ledger says of one day."""

    day: str
    status: t.StatusView
    events: int
    heard_at_ms: int
    payments: list[t.PaymentView]
    payouts: list[t.PayoutView]
    sums: list[t.TakingsLine]


def read_keys(file: Path | None) -> Keys:
    found: dict[str, str] = {}
    if file is not None:
        try:
            read = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            raise Refused(4, f"The key file cannot be read, or is not JSON: {file}") from None
        if not isinstance(read, dict):
            raise Refused(4, f"The key file holds no keys: {file}")
        found = {str(name): str(value) for name, value in read.items()}
    ledger = found.get("ledger_key") or os.environ.get("TAKINGS_LEDGER_KEY", "")
    device = found.get("device_public_key") or os.environ.get("TAKINGS_DEVICE_PUBLIC_KEY", "")
    if not ledger or not device:
        raise Refused(4, "Both keys are needed: --key-file, or TAKINGS_LEDGER_KEY and TAKINGS_DEVICE_PUBLIC_KEY.")
    try:
        keys = Keys(bytes.fromhex(ledger), bytes.fromhex(device), found.get("algorithm", "ecdsa-p256-sha256"))
    except ValueError:
        raise Refused(4, "A key is not written in hexadecimal digits.") from None
    if len(keys.ledger) != 32:
        raise Refused(4, "The ledger's key is not 64 hexadecimal digits long.")
    return keys


@contextmanager
def copied(ledger: Path) -> Iterator[Path]:
    """A copy that opening may write to."""
    if not ledger.is_dir():
        raise Refused(3, f"There is no such folder: {ledger}")
    if not (ledger / "ledger.db").is_file():
        raise Refused(3, f"There is no ledger in this folder (a file ledger.db): {ledger}")
    with tempfile.TemporaryDirectory(prefix="takings-support-") as temporary:
        copy = Path(temporary) / "ledger"
        try:
            shutil.copytree(ledger, copy)
        except (OSError, shutil.Error) as error:
            raise Refused(3, f"The folder cannot be copied: {error}") from None
        yield copy


def refusal(error: t.TakingsError) -> Refused:
    if isinstance(error, t.TakingsError.UpgradeApp):
        return Refused(7, f"A newer version wrote this ledger; use that one ({error.code}).")
    if error.code in ("wrong_key", "another_key", "device_key"):
        return Refused(4, f"This is not the key of this ledger ({error.code}): {error.detail}")
    if isinstance(error, t.TakingsError.Storage):
        return Refused(5, f"The ledger cannot be opened ({error.code}): {error.detail}")
    return Refused(1, f"The library says ({error.code}): {error.detail}")


async def opened(copy: Path, keys: Keys, lang: t.Language) -> t.Till:
    config = t.TillConfig(dir=str(copy), acquirer_url=NOWHERE, app_version="support", language=lang)
    return await t.Till.open(config, PublicHalf(keys), Vault(keys.ledger), None)


async def look(till: t.Till, day: str) -> Day:
    checked, status = await till.verify(), await till.status()
    if checked.missing_events:
        raise Refused(5, f"The end of the ledger is missing: {checked.missing_events} events. Copy the whole folder, the file "
                         "ledger.db-wal too.")
    if not checked.sound:
        raise Refused(5, "The ledger is damaged, and its word is not to be taken: "
                         f"{checked.detail or 'it does not verify'}.")
    payments: list[t.PaymentView] = []
    after: str | None = None
    while True:
        page = await till.payments(t.PaymentQuery(from_day=day, to_day=day, after=after, limit=200))
        payments += page.payments
        after = page.next
        if after is None:
            break
    if not payments:
        raise Refused(6, f"Nothing was sold on {day}, as far as this ledger knows.")
    payments.reverse()
    heard = [entry.at_ms for payment in payments for entry in (await till.payment(payment.payment_id)).timeline]
    ids = sorted({payment.payout_id for payment in payments if payment.payout_id is not None})
    payouts = [(await till.payout(payout_id)).payout for payout_id in ids]
    heard += [payout.arrived_at_ms for payout in payouts if payout.arrived_at_ms is not None]
    sums = await till.takings(day, day)
    return Day(day, status, checked.events, max(heard), payments, payouts, sums)


class Report:
    """The answer in words."""

    def __init__(self, day: Day, lang: t.Language, zone: tzinfo) -> None:
        self.day, self.lang, self.zone = day, lang, zone

    def say(self, word: str, **fields: object) -> str:
        return WORDS[word][0 if self.lang == t.Language.EN else 1].format(**fields)

    def word(self, word: str) -> str:
        return self.say(word) if word in WORDS else word

    def text(self, kind: t.WordKind, word: str) -> str:
        try:
            return t.text_of(kind, word, self.lang)
        except t.TakingsError.NotFound:
            return word

    def amount(self, minor: int, currency: str) -> str:
        exponent = EXPONENTS.get(currency, 2)
        whole, part = divmod(abs(minor), 10**exponent)
        point = f".{part:0{exponent}}" if exponent else ""
        return f"{'-' if minor < 0 else ''}{whole:,}{point} {currency}"

    def at(self, ms: int, form: str) -> str:
        return datetime.fromtimestamp(ms / 1000, self.zone).strftime(form)

    def payment(self, found: t.PaymentView) -> Iterator[str]:
        card = f"{found.scheme or ''} •••• {found.last_four}" if found.last_four else ""
        amount = self.amount(found.amount_minor, found.currency)
        yield f"{self.at(found.captured_at_ms, '%H:%M')}  {found.order_reference or '-':10} {amount:>16}  {card}".rstrip()
        facts = [self.text(t.WordKind.STAGE, found.stage)]
        if found.approved_minor is not None and found.approved_minor != found.amount_minor:
            facts.append(self.say("approved", amount=self.amount(found.approved_minor, found.currency)))
        if found.stage != "arrived" and found.expected_date is not None:
            facts.append(self.say("provisional" if found.expected_provisional else "expected", day=found.expected_date))
        if found.payout_id is not None:
            facts.append(self.say("payout", payout=found.payout_id))
        if found.net_minor is not None:
            facts.append(self.say("net", amount=self.amount(found.net_minor, found.currency)))
        if found.evidence != "none":
            facts.append(self.say("evidence", evidence=self.word(found.evidence)))
        yield "       " + " · ".join(facts)
        if found.cause is not None:
            cause = self.say("why", cause=self.text(t.WordKind.CAUSE, found.cause))
            code = [self.say("code", code=found.response_code)] if found.response_code else []
            yield "       " + " · ".join([cause, *code])
        if found.next_step is not None:
            step = self.text(t.WordKind.NEXT_STEP, found.next_step)
            yield "       " + self.say("next", step=step, who=self.word(found.acts or "nobody"))

    def lines(self) -> Iterator[str]:
        day = self.day
        yield self.say("title", day=day.day)
        if day.status.activation is not None:
            whose = day.status.activation
            yield self.say("whose", merchant=whose.merchant_id, terminal=whose.terminal_id)
        yield self.say("checked", events=day.events)
        now, at = (self.at(ms, "%Y-%m-%d %H:%M") for ms in (day.status.now_ms, day.heard_at_ms))
        yield self.say("judged", now=now, at=at)
        for found in day.payments:
            yield ""
            yield from self.payment(found)
        yield from ("", self.say("sums"))
        for line in day.sums:
            amount = self.amount(line.amount_minor, line.currency)
            yield f"  {line.count:>5} {amount:>18}  {self.text(t.WordKind.STAGE, line.stage)}"
        yield from ("", self.say("payouts"))
        if not day.payouts:
            yield "  " + self.say("none")
        for payout in day.payouts:
            yield "  " + self.payout(payout)

    def payout(self, payout: t.PayoutView) -> str:
        carried = [found for found in self.day.payments if found.payout_id == payout.payout_id]
        share = self.amount(sum(found.net_minor or 0 for found in carried), payout.currency)
        facts = [payout.payout_id, self.word(payout.status), self.amount(payout.net_minor, payout.currency)]
        if payout.overdue:
            facts.append(self.say("overdue"))
        if payout.arrived_at_ms is not None:
            facts.append(self.at(payout.arrived_at_ms, "%Y-%m-%d %H:%M"))
        elif payout.expected_date is not None:
            facts.append(self.say("expected", day=payout.expected_date))
        facts += [payout.end_to_end_id or "", self.say("share", count=len(carried), amount=share)]
        return " · ".join(filter(None, facts))


def as_json(day: Day) -> str:
    """The same for programs: the library's own words, amounts in minor units."""
    answer = {
        "day": day.day,
        "events": day.events,
        "payments": [vars(found) for found in day.payments],
        "stages": [vars(line) for line in day.sums],
        "payouts": [vars(payout) for payout in day.payouts],
    }
    return json.dumps(answer, ensure_ascii=False, indent=1, sort_keys=True)


def calendar_day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a day like 2026-11-14: {text}") from None


def offset(text: str) -> tzinfo:
    try:
        return datetime.strptime(text, "%z").tzinfo or timezone.utc
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an offset like +08:00: {text}") from None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Where is the money of one day? For support.")
    parser.add_argument("ledger", nargs="?", type=Path, metavar="LEDGER_DIR", help="a copy of the ledger's folder")
    parser.add_argument("--day", type=calendar_day, help="the day of the sale, 2026-11-14")
    parser.add_argument("--key-file", type=Path, help="JSON with ledger_key and device_public_key")
    parser.add_argument("--lang", choices=["zh", "en"], default="en")
    parser.add_argument("--utc-offset", type=offset, default=timezone(timedelta(hours=8)), metavar="+08:00",
                        help="for the times of day; +08:00 if not given")
    parser.add_argument("--json", action="store_true", help="the library's words instead of text")
    parser.add_argument("--demo", action="store_true", help="play a day in a demo world first, and ask about that")
    parser.add_argument("--keep", type=Path, metavar="DIR",
                        help="with --demo: leave ledger, keys.json and the acquirer's book.json in DIR")
    args = parser.parse_args()
    if args.demo == (args.ledger is not None):
        parser.error("either LEDGER_DIR or --demo")
    if not args.demo and args.day is None:
        parser.error("--day is needed")
    if args.keep is not None and (not args.demo or args.keep.exists()):
        parser.error("--keep needs --demo, and a folder that is not there yet")
    return args


async def answer(args: argparse.Namespace) -> str:
    lang = t.Language.ZH if args.lang == "zh" else t.Language.EN
    with tempfile.TemporaryDirectory(prefix="takings-demo-") as temporary:
        if args.demo:
            # The world is kept while its till is read: its clock says what is overdue.
            world, till = await demo_day.kept(args.keep or Path(temporary) / "demo", lang)
            day = await look(till, args.day or demo_day.DAY)
            await till.shutdown()
        else:
            keys = read_keys(args.key_file)
            with copied(args.ledger) as copy:
                till = await opened(copy, keys, lang)
                try:
                    day = await look(till, args.day)
                finally:
                    await till.shutdown()
    return as_json(day) if args.json else "\n".join(Report(day, lang, args.utc_offset).lines())


def main() -> int:
    args = arguments()
    try:
        print(asyncio.run(answer(args)))
    except t.TakingsError as error:
        refused = refusal(error)
    except Refused as error:
        refused = error
    else:
        return 0
    print(f"error: {refused}", file=sys.stderr)
    return refused.code


if __name__ == "__main__":
    sys.exit(main())
