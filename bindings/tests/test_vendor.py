"""A vendor's card reader from Python: its SDK throws, stalls, answers twice, answers late, calls back, disconnects."""

import asyncio
import gc
import json
import threading
import time
import unittest

import takings as t
from border import SATURDAY_MS, Dirs, request


class Sdk(t.VendorReader):
    """Another maker's reader, scripted: what it does when it is told to start, and what it was told."""

    def __init__(self, on_start=lambda: None):
        self.on_start, self.told = on_start, []
        self.lane = t.VendorLane(self)

    def start(self, request):
        self.told.append("start")
        self.asked = request
        self.on_start()

    def cancel(self):
        self.told.append("cancel")

    def choose_application(self, index):
        self.told.append(index)


ABOUT = t.VendorAbout(serial="WSC-0042", model="Pocket")
DONE = t.VendorEvent.ENDED(t.VendorEnd.DEFERRED)


def started(charge):
    return t.VendorEvent.STARTED(charge.payment_id())


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
        return await asyncio.wait_for(asyncio.to_thread(charge.vendor_up, sdk.lane, ABOUT, generation), 30)

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
        self.say(charge, started(charge), t.VendorEvent.PROMPT("insert_card", True), sealed(), DONE)
        payment = await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.assertEqual((payment.last_four, payment.scheme, payment.entry_mode), ("1232", "unionpay", "chip"))
        self.assertTrue(charge.link_down(1).disconnect)
        self.world.set_line("down")
        charge = await self.charge(700)
        await self.runs(charge, sdk, 2)
        self.say(charge, started(charge), sealed(), generation=2)
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
        self.say(charge, started(charge), sealed(), DONE)
        await self.judged(charge, not_charged("reader_fault"), 0)
        sdk.on_start = lambda: None
        charge = await self.charge()
        await self.runs(charge, sdk, 2)
        self.say(charge, started(charge), sealed(), generation=2)
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
        self.say(first, started(first), sealed(), DONE)
        await self.judged(first, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.say(second, started(second), sealed(), DONE)
        await self.judged(second, not_charged("reader_fault"), 0)
        free.set()
        while stuck.told != ["start", "cancel"]:
            await asyncio.sleep(0.01)

    async def test_a_start_that_comes_late_is_not_the_next_charge(self):
        """The SDK runs the first charge after it was given up; the second must not take its card."""
        free, sdk = threading.Event(), Sdk()
        sdk.on_start = lambda: free.wait(60)
        first = await self.charge(9_900)
        self.assertEqual((await self.runs(first, sdk)).saved, not_charged("reader_fault"))
        second, begun = await self.charge(800), time.monotonic()
        self.assertEqual((await self.runs(second, sdk)).saved, not_charged("reader_fault"))
        self.assertLess(time.monotonic() - begun, 5, "nothing more is asked of an SDK that is stuck")
        sdk.on_start = lambda: None
        free.set()
        while "cancel" not in sdk.told:
            await asyncio.sleep(0.01)
        self.assertEqual(sdk.told, ["start", "cancel"])
        third = await self.charge(700)
        await self.runs(third, sdk)
        # It did not hear the cancel.
        self.assertIsNone(self.say(third, started(first), t.VendorEvent.PROMPT("APPROVED", False), sealed("0048"), DONE).prompt)
        self.say(third, started(third), sealed(), DONE)
        payment = await self.judged(third, t.ChargeOutcome.APPROVED(approved_minor=700), 1)
        self.assertEqual(payment.last_four, "1232")
        for given_up in (first, second):
            await self.judged(given_up, not_charged("reader_fault"), 0)

    async def test_a_charge_let_go_of_tells_the_reader_to_cancel(self):
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk)
        self.say(charge, started(charge))
        del charge
        gc.collect()
        for _ in range(3_000):
            if "cancel" in sdk.told:
                break
            await asyncio.sleep(0.01)
        self.assertEqual(sdk.told, ["start", "cancel"])
        # After the card there is nothing to cancel.
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk)
        self.say(charge, started(charge), sealed(), DONE)
        await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        del charge
        gc.collect()
        after = await self.charge()
        await self.runs(after, sdk)
        self.assertEqual(sdk.told, ["start", "start"])
        after.cancel()

    async def test_a_cancel_does_not_wait_for_a_start(self):
        free, sdk = threading.Event(), Sdk()
        began = threading.Event()
        sdk.on_start = lambda: (began.set(), free.wait(60))
        charge = await self.charge()
        up = asyncio.ensure_future(self.runs(charge, sdk))
        await asyncio.to_thread(began.wait, 30)
        self.assertIsNone((await asyncio.wait_for(asyncio.to_thread(charge.cancel), 5)).saved)
        self.assertFalse(up.done())
        free.set()
        await up
        while sdk.told != ["start", "cancel"]:
            await asyncio.sleep(0.01)
        self.say(charge, started(charge), t.VendorEvent.ENDED(t.VendorEnd.CANCELLED))
        await self.judged(charge, not_charged("cancelled"), 0)

    async def test_a_connection_has_a_number_of_its_own(self):
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk, 2)
        with self.assertRaises(t.TakingsError.FixInput) as caught:
            await self.runs(charge, sdk, 3)
        self.assertEqual(caught.exception.code, "link_is_up")
        charge.link_down(2)
        with self.assertRaises(t.TakingsError.FixInput) as caught:
            charge.link_up(244, 2)
        self.assertEqual(caught.exception.code, "generation")
        self.assertEqual(sdk.told, ["start"], "what was refused reached no reader")
        await self.runs(charge, sdk, 3)
        self.say(charge, started(charge), sealed(), generation=3)
        await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)

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
            other = threading.Thread(target=lambda: said.append(charge.vendor_event(1, started(charge)).saved))
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
        self.say(charge, started(charge), started(charge), sealed(), sealed("0048"), DONE, DONE, t.VendorEvent.ENDED(t.VendorEnd.DECLINED), sealed())
        payment = await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.assertEqual(payment.last_four, "1232")

    async def test_a_reader_that_dies_after_the_card(self):
        charge = await self.charge()
        await self.runs(charge, Sdk())
        self.say(charge, started(charge), sealed())
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
        self.say(charge, started(charge))
        charge.link_down(1)
        await self.runs(charge, sdk, 2)
        self.say(charge, started(charge), sealed())
        self.say(charge, started(charge), sealed(), generation=2)
        await self.judged(charge, t.ChargeOutcome.APPROVED(approved_minor=1_250), 1)
        self.assertEqual(sdk.told, ["start", "start"])

    async def test_card_data_that_is_more_than_ciphertext_charges_nothing(self):
        for other in ({"ciphertext": b";4111111111111111=26122010000012300000?"}, {"ciphertext": b""},
                      {"ciphertext": bytes(16_385)}, {"ksn_hex": "4111111111111111"}, {"key_id": "4111111111111111"},
                      {"format": "Acme"}, {"masked_number": "6212********"}):
            charge, sdk = await self.charge(), Sdk()
            await self.runs(charge, sdk)
            self.assertEqual(self.say(charge, started(charge), sealed(**other)).saved, not_charged("reader_fault"), other)
            self.assertEqual(sdk.told, ["start", "cancel"])
            await self.judged(charge, not_charged("reader_fault"), 0)

    def test_card_data_prints_its_lengths(self):
        card = sealed(masked_number="4111111111111111").card
        for said in (str(card), repr(card), f"{card}", f"{[card]}"):
            self.assertTrue(said.startswith(("VendorCard[96,", "[VendorCard[96,")), said)
            self.assertNotIn("4111", said)
        self.assertNotIn("FFFF9876", f"{sealed()} {sealed()!r}")
        prompt = t.VendorEvent.PROMPT("4111111111111111", True)
        for said in (str(prompt), repr(prompt), str(t.VendorAbout(serial="4111111111111111")), repr(ABOUT)):
            self.assertNotIn("4111", said)
            self.assertNotIn("WSC-0042", said)

    async def test_a_cancel_and_a_choice_reach_the_reader(self):
        charge, sdk = await self.charge(), Sdk()
        await self.runs(charge, sdk)
        step = self.say(charge, started(charge), t.VendorEvent.CHOOSE_APPLICATION(["UnionPay", "Visa"]))
        self.assertEqual(step.prompt.choices, ["UnionPay", "Visa"])
        charge.choose_application(1)
        self.assertIsNone(charge.cancel().saved)
        self.assertEqual(sdk.told, ["start", 1, "cancel"])
        self.assertEqual(self.say(charge, t.VendorEvent.ENDED(t.VendorEnd.CANCELLED)).saved, not_charged("cancelled"))
        await self.judged(charge, not_charged("cancelled"), 0)


if __name__ == "__main__":
    unittest.main()
