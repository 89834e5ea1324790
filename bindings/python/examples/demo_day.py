"""A Saturday in the demo world, and the days after: what where_is_the_money.py --demo asks about.

Seven sales: two arrive (one of them approved for half), one was held and is on its way, one is late, two are declined, and of
one the bank has not yet spoken. Nothing is charged and no network is used.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import takings as t

DAY = "2026-11-14"
# 10:00 of that day in Shanghai.
START_MS = 1_794_621_600_000
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
SEED = 14


@dataclass(frozen=True)
class Sale:
    order: str
    amount_minor: int
    last_four: str = "4242"
    offline: bool = False


# The demo acquirer judges by the last four digits: 0005 and 0051 are declined, of 0010 it approves half, of 0099 it does
# not yet know.
SALES = [
    Sale("A-1", 12_50),
    Sale("A-2", 80_00),
    Sale("A-3", 45_00, "0005"),
    Sale("A-4", 66_00, "0010"),
    Sale("A-5", 30_00, offline=True),
    Sale("A-6", 28_00, "0051", offline=True),
    Sale("A-7", 19_90, "0099", offline=True),
]


class Player:
    def __init__(self, world: t.DemoWorld, till: t.Till) -> None:
        self.world, self.till, self.reader = world, till, world.new_reader()

    async def sell(self, sale: Sale) -> str:
        self.world.set_line("down" if sale.offline else "up")
        charge = await self.till.charge(t.ChargeRequest(
            amount_minor=sale.amount_minor, currency="CNY", order_reference=sale.order,
            mode=t.ChargeMode.PREFER_ONLINE))
        card = t.DemoCard(last_four=sale.last_four, entry=t.CardEntry.CHIP)
        self.reader.take_card(charge, t.CardPlay(card=card))
        self.world.advance(7 * MINUTE_MS)
        return charge.payment_id()

    async def wait(self, hours: int, minutes: int = 0) -> None:
        """So much time passes, an hour at a time, and the till hears what happened."""
        for step_ms in [HOUR_MS] * hours + [minutes * MINUTE_MS] * bool(minutes):
            self.world.advance(step_ms)
            await self.till.tick()
        await self.till.sync(120_000)

    def admin(self, path: str, **body: str | int) -> None:
        self.world.admin("POST", path, json.dumps(body))


async def play(world: t.DemoWorld, till: t.Till) -> None:
    await till.activate(world.activation_code())
    player = Player(world, till)
    ids = {sale.order: await player.sell(sale) for sale in SALES}
    held = f"/admin/payments/{ids['A-2']}"
    player.admin(held, action="hold")
    player.admin("/admin/bank", action="late", payout_date="2026-11-17", days=5)
    # The network stays away until Monday noon: what was sold without it is of Monday's batch.
    await player.wait(49)
    world.set_line("up")
    await player.wait(1)
    await player.wait(47)
    player.admin(held, action="release")
    # Thursday, a quarter past ten: the payout is with the bank, which credits at half past.
    await player.wait(21)
    now = (world.now_ms() - START_MS) // MINUTE_MS
    await player.wait(0, 5 * 24 * 60 + 15 - now)


async def kept(folder: Path, lang: t.Language) -> tuple[t.DemoWorld, t.Till]:
    """Plays the day into `folder`/ledger, with what support gets beside it: keys.json; and book.json, the acquirer's own
    book, to compare with."""
    folder.mkdir(parents=True, exist_ok=True)
    world = t.DemoWorld(SEED, START_MS)
    till = await world.open_till(str(folder / "ledger"), lang)
    await play(world, till)
    (folder / "book.json").write_text(world.admin("GET", "/admin/ledger", ""), "utf-8")
    keys = {
        "ledger_key": drawn("ledger key").hex(),
        "device_public_key": p256_point(int.from_bytes(drawn("device key"), "big")).hex(),
        "algorithm": "ecdsa-p256-sha256",
    }
    file = folder / "keys.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(keys, indent=1) + "\n", "utf-8")
    return world, till


def drawn(purpose: str) -> bytes:
    """A key of the demo world's first phone: it follows from the seed. No phone's real key does."""
    return hashlib.sha256(SEED.to_bytes(8, "big") + bytes(8) + purpose.encode()).digest()


P = 2**256 - 2**224 + 2**192 + 2**96 - 1
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def p256_sum(a: tuple[int, int] | None, b: tuple[int, int] | None) -> tuple[int, int] | None:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if a[1] != b[1]:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def p256_point(secret: int) -> bytes:
    """The public key of a demo phone, 65 bytes. For keys that are no secret: it takes no care of time."""
    total: tuple[int, int] | None = None
    power: tuple[int, int] | None = G
    while secret:
        if secret & 1:
            total = p256_sum(total, power)
        power, secret = p256_sum(power, power), secret >> 1
    assert total is not None
    return b"\x04" + total[0].to_bytes(32, "big") + total[1].to_bytes(32, "big")
