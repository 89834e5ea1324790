"""What the app implements throws, blocks, or calls back; the acquirer is a process behind HTTP."""

import asyncio
import json
import os
import subprocess
import threading
import time
import unittest

import takings as t
from border import SATURDAY_MS, Dirs, Key, Vault, play, request, sell


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

    async def test_a_merchant_whose_key_is_lost_begins_anew_and_is_told_what_is_missing(self):
        config = self.config()
        till = await t.Till.open(config, Key(), Vault(), None)
        await till.activate(self.code())
        self.stop()
        reader = t.DemoWorld(1, SATURDAY_MS).new_reader()
        self.assertEqual(await sell(till, reader, 1_250, "K-2"), t.ChargeOutcome.SAVED())
        with self.assertRaises(t.TakingsError.Storage) as caught:
            t.begin_anew(config.dir)
        self.assertEqual(caught.exception.code, "in_use")
        await till.shutdown()
        lost = Vault()
        with self.assertRaises(t.TakingsError.Storage) as caught:
            await t.Till.open(config, Key(), lost, None)
        self.assertEqual(caught.exception.code, "key_lost")
        self.assertEqual([sum.amount_minor for sum in t.begin_anew(config.dir).unsent], [1_250])
        with self.assertRaises(t.TakingsError.NotFound):
            t.begin_anew(self.directory())
        till = await t.Till.open(config, Key(), lost, None)
        self.assertEqual((await till.payments(t.PaymentQuery())).payments, [])
        alerts = await till.next_alerts(10)
        self.assertEqual([alert.alert_kind for alert in alerts], ["history_lost"])
        await till.shutdown()

    async def test_a_vault_that_calls_back_is_refused(self):
        other = await self.ready(t.DemoWorld(1, SATURDAY_MS), self.directory())
        said = []

        class Calls(Vault):
            def load(self):
                try:
                    asyncio.run(other.status())
                except t.TakingsError.Internal as error:
                    said.append(error.code)
                return super().load()

        till = await t.Till.open(self.config(), Key(), Calls(), None)
        self.assertEqual(set(said), {"called_back"})
        self.assertTrue((await till.verify()).sound)
        await till.shutdown()

    async def test_no_line_of_the_log_holds_what_a_reader_let_slip(self):
        number = "4111111111111111"
        lines, whole = [], threading.Event()

        class Kept(t.LogSink):
            def write(self, level, target, text):
                lines.append(f"{level} {target} {text}")
                whole.set()

        class Throws(t.VendorReader):
            def start(self, request):
                raise ValueError(f"no start with {number}")

            def cancel(self):
                raise ValueError(f"no cancel with {number}")

            def choose_application(self, index):
                raise ValueError(number)

        till = await t.Till.open(self.config(), Key(), Vault(), Kept())
        await till.activate(self.code())
        charge = await till.charge(request(500, "L-1"))
        for wrong in (lambda: charge.bytes(7, number.encode()), lambda: charge.link_up(20, 0) and charge.link_up(20, 0),
                      lambda: charge.vendor_event(9, t.VendorEvent.PROMPT(number, True)),
                      lambda: charge.choose_application(4_111)):
            try:
                wrong()
            except t.TakingsError as error:
                self.assertNotIn(number, f"{error} {error!r}")
        charge.cancel()
        charge = await till.charge(request(600, "L-2"))
        about = t.VendorAbout(serial=number, model=f"Pocket {number}")
        step = await asyncio.to_thread(charge.vendor_up, t.VendorLane(Throws()), about, 1)
        self.assertNotIn(number, f"{step} {step!r}")
        clear = t.VendorCard(ciphertext=f";{number}=2612".encode(), format="acme-dukpt", key_id=number, ksn_hex=number,
                             masked_number=number, entry=t.VendorEntry.CHIP)
        for event in (t.VendorEvent.STARTED(charge.payment_id()), t.VendorEvent.CARD_DATA(clear)):
            try:
                charge.vendor_event(1, event)
            except t.TakingsError as error:
                self.assertNotIn(number, f"{error} {error!r}")
        with self.assertRaises(t.TakingsError):
            await till.charge(request(-1, "L-3"))
        await asyncio.to_thread(whole.wait, 20)
        await till.shutdown()
        self.assertGreaterEqual(len(lines), 1, "the test hears the log")
        self.assertEqual([line for line in lines if number in line], [])

    async def test_a_log_that_blocks_delays_nobody_and_may_call_the_till(self):
        held, heard, tills = threading.Event(), threading.Event(), []

        class Slow(t.LogSink):
            def write(self, level, target, text):
                held.wait(60)
                tills.append(asyncio.run(tills[0].status()).line)
                heard.set()

        till = await t.Till.open(self.config(), Key(), Vault(), Slow())
        tills.append(till)
        for _ in range(300):
            with self.assertRaises(t.TakingsError.SignIn):
                await till.sign_on()
        self.assertEqual(len(tills), 1, "the log is still at its first line")
        held.set()
        self.assertTrue(await asyncio.to_thread(heard.wait, 30))
        self.assertTrue((await till.verify()).sound)
        await till.shutdown()
        tills.clear()

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


if __name__ == "__main__":
    unittest.main()
