"""The border from Python: a day, cancelled calls, planted panics, an app that misbehaves, records there and back.

Run by tests/run bindings: needs the module generated with --planted on PYTHONPATH.
"""

import asyncio
import collections
import enum
import gc
import inspect
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest

import takings as t
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# Saturday 2026-11-21, 10:00 in Shanghai.
SATURDAY_MS = 1_795_226_400_000
DAY_MS = 86_400_000
SEED = int(os.environ.get("SEED", "20261121"))
MOMENTS = 100


class Dirs(unittest.IsolatedAsyncioTestCase):
    def directory(self):
        path = tempfile.mkdtemp(prefix="takings-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    async def ready(self, world, path):
        till = await world.open_till(path, t.Language.EN)
        await till.activate(world.activation_code())
        return till


def request(amount_minor, order, mode=t.ChargeMode.PREFER_ONLINE):
    return t.ChargeRequest(amount_minor=amount_minor, currency="CNY", order_reference=order, mode=mode)


def play(**more):
    return t.CardPlay(card=t.DemoCard(entry=t.CardEntry.CHIP), **more)


async def sell(till, reader, amount_minor, order, **more):
    return reader.take_card(await till.charge(request(amount_minor, order)), play(**more)).outcome


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
        self.assertLessEqual(written + heard, 40)


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


class Vault(t.KeyVault):
    def __init__(self):
        self.key = None

    def load(self):
        return self.key

    def store(self, key):
        self.key = key


class Key(t.DeviceKey):
    """A phone's key: P-256, in the forms Android's key store hands out. What it does when it signs can be set."""

    def __init__(self):
        self.private, self.before = ec.generate_private_key(ec.SECP256R1()), lambda: None
        self.signed = 0

    def algorithm(self):
        return "ecdsa-p256-sha256"

    def public_key(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.DER, form)

    def sign(self, bytes):
        self.signed += 1
        self.before()
        return self.private.sign(bytes, ec.ECDSA(hashes.SHA256()))


class Log(t.LogSink):
    def __init__(self):
        self.lines = []

    def write(self, level, target, text):
        self.lines.append((level, target, text))
        raise ValueError("a log that throws")


class Broken(t.KeyVault):
    def load(self):
        raise ValueError("no key store")

    def store(self, key):
        raise ValueError("no key store")


class Apps(Dirs):
    """What the app implements throws, blocks, or calls back; the acquirer is a process behind HTTP."""

    def setUp(self):
        self.acquirer = subprocess.Popen(
            [os.environ["SANDBOX"], "--real-clock", "--now-ms", str(int(time.time() * 1000))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.url = json.loads(self.acquirer.stdout.readline())["listening"]

    def stop(self):
        self.acquirer.stdin.close()
        self.acquirer.wait(10)
        self.acquirer.stdout.close()

    def config(self):
        return t.TillConfig(dir=self.directory(), acquirer_url=self.url, app_version="1", language=t.Language.EN)

    def code(self):
        import urllib.request
        asked = urllib.request.Request(self.url + "/admin/activation-codes", b"{}", {"content-type": "application/json"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)["activation_code"]

    async def test_a_phones_key_in_its_own_form_activates_and_pays(self):
        till = await t.Till.open(self.config(), Key(), Vault(), None)
        self.assertEqual((await till.activate(self.code())).merchant_id, "M000001")
        reader = t.DemoWorld(1, SATURDAY_MS).new_reader()
        self.assertEqual(await sell(till, reader, 500, "K-1"), t.ChargeOutcome.APPROVED(approved_minor=500))
        await till.shutdown()

    async def test_a_vault_that_throws_is_an_error(self):
        with self.assertRaises(t.TakingsError.Internal) as caught:
            await t.Till.open(self.config(), Key(), Broken(), None)
        self.assertEqual(caught.exception.code, "callback")

    async def test_a_key_that_throws_fails_the_call_and_a_charge_survives(self):
        key, log = Key(), Log()
        till = await t.Till.open(self.config(), key, Vault(), log)

        def throw():
            raise ValueError("the secure element is busy")

        await till.activate(self.code())
        reader = t.DemoWorld(1, SATURDAY_MS).new_reader()
        charge = await till.charge(request(500, "K-2"))
        key.before = throw
        with self.assertRaises(t.TakingsError):
            await till.sign_on()
        # Nothing left the phone: the customer is served offline.
        self.assertEqual(reader.take_card(charge, play()).outcome, t.ChargeOutcome.SAVED())
        key.before = lambda: None
        self.assertEqual((await till.sync(60_000)).approved, 1)
        self.assertTrue((await till.verify()).sound)
        await till.shutdown()
        self.assertIn("sign_on", [target for _, target, _ in log.lines])

    async def test_a_key_that_blocks_delays_and_does_not_lock(self):
        key = Key()
        till = await t.Till.open(self.config(), key, Vault(), None)
        await till.activate(self.code())
        reader = t.DemoWorld(1, SATURDAY_MS).new_reader()
        charge = await till.charge(request(500, "K-3"))
        held = threading.Event()
        key.before = lambda: held.wait(5)
        start = time.monotonic()
        task = asyncio.ensure_future(till.sign_on())
        outcome = await asyncio.to_thread(reader.take_card, charge, play())
        self.assertIsInstance(outcome.outcome, (type(t.ChargeOutcome.SAVED()), type(t.ChargeOutcome.APPROVED(approved_minor=1))))
        held.set()
        key.before = lambda: None
        await asyncio.gather(task, return_exceptions=True)
        self.assertLess(time.monotonic() - start, 30)
        self.assertTrue((await till.verify()).sound)
        await till.shutdown()

    async def test_a_key_that_calls_back_is_refused_at_once_or_after_its_own_wait(self):
        key, said = Key(), []
        till = await t.Till.open(self.config(), key, Vault(), None)

        def here():
            try:
                asyncio.run(till.status())
            except t.TakingsError.Internal as error:
                said.append(error.code)

        def elsewhere():
            thread = threading.Thread(target=lambda: said.append(asyncio.run(till.status()).line))
            thread.start()
            thread.join(0.5)
            said.append("waited")

        key.before = here
        await till.activate(self.code())
        self.assertEqual(set(said), {"called_back"})
        said.clear()
        key.before = elsewhere
        await till.sign_on()
        key.before = lambda: None
        await till.status()
        self.assertIn("waited", said)
        self.assertTrue((await till.verify()).sound)
        await till.shutdown()


class Sdk(t.VendorReader):
    """Another maker's reader, scripted: what it does when it is told to start, and what it was told."""

    def __init__(self, on_start=lambda: None):
        self.on_start, self.told = on_start, []

    def start(self, request):
        self.told.append("start")
        self.asked = request
        self.on_start()

    def cancel(self):
        self.told.append("cancel")

    def choose_application(self, index):
        self.told.append(index)


ABOUT = t.VendorAbout(serial="WSC-0042", model="Pocket")
STARTED = t.VendorEvent.STARTED()
DONE = t.VendorEvent.ENDED("deferred")


def sealed(last_four="1232", **other):
    fields = {"ciphertext": bytes(range(96)), "format": "acme-dukpt", "key_id": "bdk-1", "ksn_hex": "FFFF9876543210E00008",
              "masked_number": f"621234******{last_four}", "entry": t.VendorEntry.CHIP, **other}
    return t.VendorEvent.CARD_DATA(t.VendorCard(**fields))


def not_charged(detail):
    return t.ChargeOutcome.NOT_CHARGED(cause="abandoned", detail=detail)


class Vendor(Dirs):
    """A vendor's SDK that throws, stalls, answers twice, answers late, calls back, disconnects."""

    async def asyncSetUp(self):
        self.world = t.DemoWorld(23, SATURDAY_MS)
        self.till = await self.ready(self.world, self.directory())
        self.orders = 0

    async def charge(self, amount_minor=1_250):
        self.orders += 1
        return await self.till.charge(request(amount_minor, f"V-{self.orders}"))

    async def runs(self, charge, sdk, generation=1):
        """Plugs the reader in, beside the event loop as an app would; the bound is what a deadlock would break."""
        return await asyncio.wait_for(asyncio.to_thread(charge.vendor_up, sdk, ABOUT, generation), 30)

    def say(self, charge, *events, generation=1):
        return [charge.vendor_event(generation, event) for event in events][-1]

    async def judged(self, charge, outcome, asked):
        """How it ended, on the phone and in the acquirer's own book."""
        self.assertEqual(await asyncio.wait_for(charge.outcome(), 30), outcome)
        self.assertTrue((await self.till.verify()).sound)
        book = json.loads(self.world.admin("GET", "/admin/ledger", ""))
        self.assertEqual(sum(each["payment_id"] == charge.payment_id() for each in book["authorizations"]), asked)
        return (await self.till.payment(charge.payment_id())).payment

    async def test_a_sale_live_and_offline(self):
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk)
        self.assertEqual((sdk.asked.amount_minor, sdk.asked.currency, sdk.asked.currency_numeric), (1_250, "CNY", 156))
        self.say(charge, STARTED, t.VendorEvent.PROMPT("insert_card", True), sealed(), DONE)
        payment = await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.assertEqual((payment.last_four, payment.scheme, payment.entry_mode), ("1232", "unionpay", "chip"))
        self.assertTrue(charge.link_down(1).disconnect)
        self.world.set_line("down")
        charge = await self.charge(700)
        await self.runs(charge, sdk, 2)
        self.say(charge, STARTED, sealed(), generation=2)
        await self.judged(charge, t.ChargeOutcome.SAVED(), 0)
        self.world.set_line("up")
        self.assertEqual((await self.till.sync(120_000)).approved, 1)
        await self.judged(charge, t.ChargeOutcome.SAVED(), 1)
        self.assertEqual(sdk.told, ["start", "start"])

    async def test_a_start_that_throws_charges_nothing_and_the_next_charge_works(self):
        def throw():
            raise ValueError("not connected to 4111 1111 1111 1111")

        charge, sdk = await self.charge(), Sdk(throw)
        self.assertEqual((await self.runs(charge, sdk)).saved, not_charged("reader_fault"))
        self.assertEqual(sdk.told, ["start", "cancel"])
        # It ran after all: what it says is too late.
        self.say(charge, STARTED, sealed(), DONE)
        await self.judged(charge, not_charged("reader_fault"), 0)
        sdk.on_start = lambda: None
        charge = await self.charge()
        await self.runs(charge, sdk, 2)
        self.say(charge, STARTED, sealed(), generation=2)
        await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)

    async def test_a_start_that_blocks_is_waited_for_and_one_that_is_stuck_given_up(self):
        slow, stuck, free = Sdk(lambda: time.sleep(5)), Sdk(), threading.Event()
        stuck.on_start = lambda: free.wait(30)
        first, second = await self.charge(), await self.charge(800)
        begun = time.monotonic()
        ups = asyncio.gather(self.runs(first, slow), self.runs(second, stuck))
        # The till serves everybody else meanwhile.
        self.assertTrue((await self.till.verify()).sound)
        self.assertLess(time.monotonic() - begun, 4)
        waited, given_up = await ups
        self.assertIsNone(waited.saved)
        self.assertEqual(given_up.saved, not_charged("reader_fault"))
        self.assertLess(time.monotonic() - begun, 20)
        self.say(first, STARTED, sealed(), DONE)
        await self.judged(first, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.say(second, STARTED, sealed(), DONE)
        await self.judged(second, not_charged("reader_fault"), 0)
        free.set()
        while stuck.told != ["start", "cancel"]:
            await asyncio.sleep(0.01)

    async def test_a_reader_that_calls_back_is_refused_here_and_heard_elsewhere(self):
        said = []

        def speak():
            # On this thread the charge may be waiting for what calls it.
            for call in (charge.tick, lambda: charge.vendor_event(1, sealed()), lambda: asyncio.run(self.till.status())):
                try:
                    call()
                except t.TakingsError.Internal as error:
                    said.append(error.code)
            # An SDK's own thread is nobody's business, also while its start has not returned.
            other = threading.Thread(target=lambda: said.append(charge.vendor_event(1, STARTED).saved))
            other.start()
            other.join(10)

        charge = await self.charge()
        await self.runs(charge, Sdk(speak))
        self.assertEqual(said, ["called_back", "called_back", "called_back", None])
        self.say(charge, sealed(), DONE)
        await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)

    async def test_a_reader_that_reports_twice_charges_once(self):
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk)
        self.say(charge, STARTED, STARTED, sealed(), sealed("0048"), DONE, DONE, t.VendorEvent.ENDED("declined"), sealed())
        payment = await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.assertEqual(payment.last_four, "1232")

    async def test_a_reader_that_dies_after_the_card(self):
        charge = await self.charge()
        await self.runs(charge, Sdk())
        self.say(charge, STARTED, sealed())
        charge.link_down(1)
        # Its ghost, and the same reader connected again: the card was read, nothing is started.
        self.say(charge, sealed(), DONE)
        sdk = Sdk()
        self.assertTrue((await self.runs(charge, sdk, 2)).disconnect)
        self.assertEqual(sdk.told, [])
        await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)

    async def test_a_reader_that_dies_before_the_card_and_comes_back(self):
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk)
        self.say(charge, STARTED)
        charge.link_down(1)
        await self.runs(charge, sdk, 2)
        self.say(charge, STARTED, sealed())
        self.say(charge, STARTED, sealed(), generation=2)
        await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.assertEqual(sdk.told, ["start", "start"])

    async def test_card_data_that_is_more_than_ciphertext_charges_nothing(self):
        for other in ({"ciphertext": b";4111111111111111=26122010000012300000?"}, {"ciphertext": b""},
                      {"ciphertext": bytes(16_385)}, {"ksn_hex": "4111111111111111"}, {"key_id": "4111111111111111"},
                      {"format": "Acme"}, {"masked_number": "6212********"}):
            charge, sdk = await self.charge(), Sdk()
            await self.runs(charge, sdk)
            self.assertEqual(self.say(charge, STARTED, sealed(**other)).saved, not_charged("reader_fault"), other)
            self.assertEqual(sdk.told, ["start", "cancel"])
            await self.judged(charge, not_charged("reader_fault"), 0)

    def test_card_data_prints_its_lengths(self):
        card = sealed(masked_number="4111111111111111").card
        for said in (str(card), repr(card), f"{card}", f"{[card]}"):
            self.assertTrue(said.startswith(("VendorCard[96,", "[VendorCard[96,")), said)
            self.assertNotIn("4111", said)
        self.assertNotIn("FFFF9876", f"{sealed()} {sealed()!r}")

    async def test_a_cancel_and_a_choice_reach_the_reader(self):
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk)
        step = self.say(charge, STARTED, t.VendorEvent.CHOOSE_APPLICATION(["UnionPay", "Visa"]))
        self.assertEqual(step.prompt.choices, ["UnionPay", "Visa"])
        charge.choose_application(1)
        self.assertIsNone(charge.cancel().saved)
        self.assertEqual(sdk.told, ["start", 1, "cancel"])
        self.assertEqual(self.say(charge, t.VendorEvent.ENDED("cancelled")).saved, not_charged("cancelled"))
        await self.judged(charge, not_charged("cancelled"), 0)


class Exit(Dirs):
    """The interpreter ends while a till is open and its threads still have something to say."""

    LEAVES = """
import asyncio, sys, time
sys.path.insert(0, sys.argv[1])
import test_border as b

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


class Records(unittest.TestCase):
    """Any record crosses the border and comes back the same."""

    INTEGERS = {"amount_minor": 63}

    def value(self, rng, hint):
        origin = typing.get_origin(hint)
        if origin is typing.Union:
            return None if rng.random() < 0.3 else self.value(rng, typing.get_args(hint)[0])
        if origin in (list, typing.List):
            return [self.value(rng, typing.get_args(hint)[0]) for _ in range(rng.randrange(4))]
        if hint is bool:
            return rng.random() < 0.5
        if hint is int:
            return rng.choice([0, 1, 199, 2**31 - 1, 2**32 - 1])
        if hint is str:
            return "".join(rng.choice("aZ9 \"\\\n\0é王早点💰\u200f") for _ in range(rng.randrange(12)))
        if hint is bytes:
            return rng.randbytes(rng.randrange(300))
        if hint is t.ChargeOutcome:
            return rng.choice([
                t.ChargeOutcome.SAVED(), t.ChargeOutcome.NOT_CONFIRMED(),
                t.ChargeOutcome.APPROVED(approved_minor=rng.randrange(-2**63, 2**63)),
                t.ChargeOutcome.NOT_CHARGED(cause="x", detail=None)])
        if hint is t.VendorEvent:
            return self.vendor_event(rng)
        if inspect.isclass(hint) and issubclass(hint, enum.Enum):
            return rng.choice(list(hint))
        hints = typing.get_type_hints(hint.__init__, vars(t))
        return hint(**{name: self.value(rng, inner) for name, inner in hints.items() if name != "return"})

    def vendor_event(self, rng):
        event = t.VendorEvent
        entry, text = rng.choice(list(t.VendorEntry)), self.value(rng, str)
        return rng.choice([
            event.STARTED(), event.CARD_REMOVED(), event.SEVERAL_CARDS(), event.PROMPT(text, rng.random() < 0.5),
            event.CHOOSE_APPLICATION([text] * rng.randrange(3)), event.CARD_SEEN(entry), event.ENDED(text),
            event.FAILED(rng.choice(list(t.VendorAsked))), event.BATTERY_LOW(rng.randrange(2**32)),
            event.CARD_DATA(self.value(rng, t.VendorCard))])

    def test_there_and_back(self):
        rng = random.Random(SEED)
        print(f"seed {SEED}")
        for _ in range(200):
            records = self.value(rng, t.PlantedRecords)
            self.assertEqual(t.planted_echo(records), records)


if __name__ == "__main__":
    unittest.main()
