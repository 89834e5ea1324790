"""The border from Python: a day, cancelled calls, planted panics, an interpreter that ends."""

import asyncio
import collections
import gc
import json
import os
import random
import subprocess
import sys
import time
import unittest

import takings as t
from border import DAY_MS, SATURDAY_MS, SEED, Dirs, play, request, sell

MOMENTS = 100


class Day(Dirs):
    async def a_day(self, seed):
        path, world = self.directory(), t.DemoWorld(seed, SATURDAY_MS)
        till, reader = await self.ready(world, path), world.new_reader()
        world.set_line("down")
        self.assertEqual(await sell(till, reader, 1_250, "A-1"), t.ChargeOutcome.SAVED())
        self.assertEqual(t.at_stake(path).unsent[0].amount_minor, 1_250)
        world.set_line("up")
        self.assertEqual((await till.sync(120_000)).approved, 1)
        self.assertEqual(await sell(till, reader, 500, "A-2"), t.ChargeOutcome.APPROVED(approved_minor=500))
        for _ in range(8):
            world.advance(DAY_MS)
            await till.tick()
            await till.sync(120_000)
        page = await till.payments(t.PaymentQuery())
        self.assertEqual([payment.stage for payment in page.payments], ["arrived", "arrived"])
        payout = (await till.payouts(t.PayoutQuery())).payouts[0]
        entries = (await till.payout(payout.payout_id)).entries
        self.assertEqual((payout.status, payout.difference_minor), ("arrived", 0))
        self.assertEqual(sum(entry.net_minor for entry in entries), payout.net_minor)
        captures = json.loads(world.admin("GET", "/admin/ledger", ""))["captures"]
        self.assertEqual(len(captures), 2)
        self.assertEqual([alert.alert_kind for alert in await till.next_alerts(9)], ["payout_sent", "payout_arrived"])
        self.assertTrue((await till.verify()).sound)
        await till.shutdown()
        return world.chain_hash(path)

    async def test_a_day_ends_with_the_money_in_the_bank_and_repeats(self):
        first = await self.a_day(7)
        self.assertEqual(first, await self.a_day(7))
        self.assertNotEqual(first, await self.a_day(8))

    async def by_hand(self, world, till, calls):
        """A charge without a line, served by a loop of its own; `calls` counts what crosses the border."""
        reader = world.new_reader()
        world.set_line("down")
        charge = Counted(await till.charge(request(700, "L-1")), calls)
        reader.link_up(244)
        reader.present(t.DemoCard(entry=t.CardEntry.CONTACTLESS))
        step, writes = charge.link_up(244, 1), []
        written = heard = 0
        while step.saved is None:
            writes += step.writes
            if writes:
                reader.receive(writes.pop(0))
                step, written = charge.write_done(1), written + 1
            elif (value := reader.outbound()) is not None:
                step, heard = charge.bytes(1, value), heard + 1
            else:
                self.fail(f"the reader is silent: {reader.stage()}")
        self.assertEqual(step.saved, t.ChargeOutcome.SAVED())
        self.assertEqual(await charge.outcome(), step.saved)
        charge.link_down(1)
        return written, heard

    async def test_the_readers_loop_written_by_hand_crosses_once_a_value_and_three_times_more(self):
        path, world, calls = self.directory(), t.DemoWorld(7, SATURDAY_MS), collections.Counter()
        till = await self.ready(world, path)
        written, heard = await self.by_hand(world, till, calls)
        self.assertEqual(calls, {"link_up": 1, "write_done": written, "bytes": heard, "outcome": 1, "link_down": 1})
        print(f"crossings of a card sale from Python: {calls.total()}, {dict(calls)}")
        self.assertLessEqual(written + heard, 44)


class Counted:
    """Anything, with every call of it counted."""

    def __init__(self, counted, calls):
        self.counted, self.calls = counted, calls

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(self.counted, name)


def threads():
    """Threads of this process, the host's own among them."""
    return len(os.listdir("/proc/self/task"))


class Cancelled(Dirs):
    """Cancelled at any moment, a call is done whole or never began."""

    async def prepare(self):
        path, world = self.directory(), t.DemoWorld(11, SATURDAY_MS)
        till, reader = await self.ready(world, path), world.new_reader()
        world.set_line("down")
        await sell(till, reader, 1_250, "A-1")
        await sell(till, reader, 800, "A-2")
        world.set_line("up")
        payment = (await till.payments(t.PaymentQuery())).payments[0].payment_id
        return path, world, till, payment

    OPERATIONS = {
        "sync": lambda till, payment: till.sync(120_000),
        "charge": lambda till, payment: till.charge(request(300, "A-3")),
        "cancel": lambda till, payment: till.cancel(payment, "li.na"),
        "mark_service": lambda till, payment: till.mark_service(payment, True, None),
        "sign_on": lambda till, payment: till.sign_on(),
    }

    async def chain_after(self, name, whole):
        """The chain before the call, or after it and after what it made was let go; and how long it took."""
        path, world, till, payment = await self.prepare()
        taken, chains = 0.0, set()
        if whole:
            start = time.perf_counter()
            made = await self.OPERATIONS[name](till, payment)
            taken = time.perf_counter() - start
            chains.add(world.chain_hash(path))
            del made
            gc.collect()
            await till.status()
        await till.shutdown()
        chains.add(world.chain_hash(path))
        return chains, taken

    async def test_a_cancelled_call_never_began_or_was_done_whole(self):
        rng, outcomes = random.Random(SEED), {}
        print(f"seed {SEED}")
        await self.prepare()
        gc.collect()
        allowed = {}
        for name in self.OPERATIONS:
            before, _ = await self.chain_after(name, whole=False)
            after, taken = await self.chain_after(name, whole=True)
            self.assertFalse(before & after, name)
            allowed[name] = (before, after, taken)
        gc.collect()
        for moment in range(MOMENTS):
            name = rng.choice(list(self.OPERATIONS))
            before, after, taken = allowed[name]
            path, world, till, payment = await self.prepare()
            task = asyncio.ensure_future(self.OPERATIONS[name](till, payment))
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(0)
            if rng.random() < 0.7:
                await asyncio.sleep(rng.uniform(0, 1.5 * taken))
            task.cancel()
            try:
                del_me = await task
                del del_me
            except asyncio.CancelledError:
                pass
            del task
            gc.collect()
            self.assertTrue((await till.verify()).sound)
            await till.shutdown()
            chain = world.chain_hash(path)
            self.assertIn(chain, before | after, f"moment {moment}: {name}")
            kind = "never began" if chain in before else "done"
            outcomes[kind] = outcomes.get(kind, 0) + 1
            del till, world
        print(f"cancelled {MOMENTS} times: {outcomes}")
        self.assertEqual(sum(outcomes.values()), MOMENTS)
        self.assertEqual(len(outcomes), 2, "the moments do not spread")
        gc.collect()

    async def test_no_thread_is_left(self):
        async def once():
            path, world = self.directory(), t.DemoWorld(1, SATURDAY_MS)
            till = await self.ready(world, path)
            task = asyncio.ensure_future(till.sync(120_000))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await till.shutdown()

        await once()
        before = threads()
        for _ in range(5):
            await once()
        gc.collect()
        deadline = time.monotonic() + 10
        while threads() > before and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        self.assertLessEqual(threads(), before)


class Panics(Dirs):
    async def test_a_panic_is_an_error_and_the_next_call_works(self):
        path, world = self.directory(), t.DemoWorld(5, SATURDAY_MS)
        till, reader = await self.ready(world, path), world.new_reader()
        world.set_line("down")
        for place in ["call", "engine", "here"] * 2:
            with self.assertRaises(t.TakingsError.Internal) as caught:
                await t.planted_panic(till, place)
            self.assertIn(caught.exception.code, ("broken", "panic"))
            with self.assertRaises(t.TakingsError.Internal) as caught:
                t.planted_panic_now()
            self.assertEqual(caught.exception.code, "panic")
            self.assertEqual((await till.status()).activation.merchant_id, "M000001")
            self.assertTrue((await till.verify()).sound)
        self.assertEqual(await sell(till, reader, 500, "P-1"), t.ChargeOutcome.SAVED())

    async def test_a_panic_beside_a_charge_loses_nothing_that_was_said(self):
        path, world = self.directory(), t.DemoWorld(6, SATURDAY_MS)
        till, reader = await self.ready(world, path), world.new_reader()
        world.set_line("down")
        self.assertEqual(await sell(till, reader, 500, "P-1"), t.ChargeOutcome.SAVED())
        charge = await till.charge(request(700, "P-2"))
        with self.assertRaises(t.TakingsError.Internal):
            await t.planted_panic(till, "engine")
        with self.assertRaises(t.TakingsError.NotFound):
            reader.take_card(charge, play())
        world.set_line("up")
        self.assertEqual((await till.sync(120_000)).approved, 1)
        stages = [payment.stage for payment in (await till.payments(t.PaymentQuery())).payments]
        self.assertEqual(stages, ["not_charged", "approved"])


class Exit(Dirs):
    """The interpreter ends while a till is open and its threads still have something to say."""

    LEAVES = """
import asyncio, sys, time
sys.path.insert(0, sys.argv[1])
import border as b

class Slow:
    def __del__(self):
        time.sleep(0.5)  # Long enough for every thread to come back while the interpreter ends.

class Log(b.t.LogSink):
    def write(self, level, target, text):
        time.sleep(0.02)

async def day():
    config = b.t.TillConfig(dir=sys.argv[2], acquirer_url="http://127.0.0.1:9", app_version="1", language=b.t.Language.EN)
    till = await b.t.Till.open(config, b.Key(), b.Vault(), Log())
    for _ in range(200):
        try:
            await till.sign_on()
        except b.t.TakingsError.SignIn:
            pass
    return till

till, slow = asyncio.run(day()), Slow()
print("left", flush=True)
"""

    async def test_an_interpreter_that_ends_with_an_open_till_ends_well(self):
        here = os.path.dirname(os.path.abspath(__file__))
        leave = [sys.executable, "-c", self.LEAVES, here]
        ends = [asyncio.to_thread(subprocess.run, [*leave, self.directory()], capture_output=True, text=True, timeout=60)
                for _ in range(4)]
        for end in await asyncio.gather(*ends):
            self.assertEqual((end.returncode, end.stdout), (0, "left\n"), end.stderr)


if __name__ == "__main__":
    unittest.main()
