package app.takings

import app.takings.FakeSdk.Companion.DONE
import app.takings.FakeSdk.Companion.sealed
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** Another maker's reader: it throws, stalls, repeats, calls back, speaks too late, goes away. */
class VendorTest {
    private val lastWords = 50.milliseconds

    private fun notCharged(detail: String) = ChargeOutcome.NotCharged("abandoned", detail)

    /** How it ended, on the phone and in the acquirer's own book. */
    private suspend fun Stall.judge(
        till: Till,
        charged: Charged,
        outcome: ChargeOutcome,
        asked: Int,
    ): PaymentView {
        assertEquals(outcome, charged.outcome)
        assertTrue(till.verify().sound)
        val book = Json.parseToJsonElement(world.admin("GET", "/admin/ledger", "")).jsonObject.getValue("authorizations")
        val payments = book.jsonArray.map { it.jsonObject.getValue("payment_id").jsonPrimitive.content }
        assertEquals(asked, payments.count { it == charged.paymentId })
        return till.payment(charged.paymentId).payment
    }

    @Test
    fun `it sells live and offline, and says everything inside start`() =
        atTheStall {
            val till = ready()
            val sdk = FakeSdk { say(started, VendorEvent.Prompt("insert_card", true), sealed(), DONE) }
            val reader = VendorCardReader(sdk, lastWords)
            val prompts = mutableListOf<String>()
            val told = mutableListOf<ChargeOutcome>()
            val screen =
                object : ChargeScreen {
                    override fun prompt(prompt: PromptView) = prompts.plusAssign(prompt.id)

                    override fun decided(outcome: ChargeOutcome) = told.plusAssign(outcome)
                }
            val live = reader.charge(till, request(1_250, "V-1"), screen)
            val payment = judge(till, live, ChargeOutcome.Approved(1_250), asked = 1)
            assertEquals(listOf("1232", "unionpay", "chip"), listOf(payment.lastFour, payment.scheme, payment.entryMode))
            assertEquals(listOf("insert_card"), prompts)
            assertEquals(listOf(live.outcome), told)
            val asked = sdk.asked!!
            assertEquals(listOf(1_250L, "CNY", 156u), listOf(asked.amountMinor, asked.currency, asked.currencyNumeric))

            world.setLine("down")
            val offline = reader.charge(till, request(700, "V-2"))
            judge(till, offline, ChargeOutcome.Saved, asked = 0)
            world.setLine("up")
            assertEquals(1u, till.sync(BUDGET_MS).approved)
            judge(till, offline, ChargeOutcome.Saved, asked = 1)
            assertEquals(listOf("start", "start"), sdk.told)
        }

    @Test
    fun `a start that throws charges nothing, whatever it says afterwards, and the next charge works`() =
        atTheStall {
            val till = ready()
            for (fault in listOf(IllegalStateException("not connected"), NoClassDefFoundError("acme/Sdk"))) {
                // It ran after all: what it says is too late, in this charge and in the next.
                val late = mutableListOf<VendorEvent>()
                val sdk =
                    FakeSdk {
                        late += listOf(started, sealed(), DONE)
                        thread { say(*late.toTypedArray()) }.join().also { throw fault }
                    }
                sdk.onCancel = { say(*late.toTypedArray()) }
                val reader = VendorCardReader(sdk, lastWords)
                judge(till, reader.charge(till, request(1_250)), notCharged("reader_fault"), asked = 0)
                assertEquals(listOf("start", "cancel"), sdk.told)
                sdk.stale = late.toList()
                // Also when the next one was asked for already.
                sdk.onStart = { say(*late.toTypedArray(), started, sealed("0048"), DONE) }
                val next = judge(till, reader.charge(till, request(1_250)), ChargeOutcome.Approved(1_250), asked = 1)
                assertEquals("0048", next.lastFour)
            }
        }

    @Test
    fun `a start that blocks for five seconds is waited for and nothing else stalls`() =
        atTheStall {
            val till = ready()
            val begun = TimeSource.Monotonic.markNow()
            val running = CompletableDeferred<Unit>()
            val slow =
                FakeSdk {
                    running.complete(Unit)
                    Thread.sleep(5_000)
                    say(started, sealed(), DONE)
                }
            coroutineScope {
                val waited = async { VendorCardReader(slow, lastWords).charge(till, request(800, "V-1")) }
                running.await()
                // Another customer at another reader meanwhile.
                assertEquals(ChargeOutcome.Approved(500), sell(till, 500, "V-2").outcome)
                assertTrue(till.verify().sound)
                assertTrue(begun.elapsedNow() < 4.seconds, "${begun.elapsedNow()}")
                judge(till, waited.await(), ChargeOutcome.Approved(800), asked = 1)
            }
            assertEquals(listOf("start"), slow.told)
        }

    @Test
    fun `an SDK that does not say that it runs the payment charges nothing`() =
        atTheStall {
            val till = ready()
            val silent =
                FakeSdk {
                    world.advance(21_000uL)
                    say(VendorEvent.Prompt("please_wait", false))
                }
            val charged = VendorCardReader(silent, lastWords).charge(till, request(1_250))
            judge(till, charged, notCharged("reader_no_answer"), asked = 0)
            assertEquals(listOf("start", "cancel"), silent.told)
        }

    @Test
    fun `a call back inside start is an error, no deadlock, and the charge goes on`() =
        atTheStall {
            val till = ready()
            val refused = CopyOnWriteArrayList<String>()
            till.charge(request(1_250)).use { charge ->
                val sdk =
                    FakeSdk {
                        val calls: List<suspend () -> Unit> =
                            listOf({ charge.tick() }, { charge.vendorEvent(1u, sealed()) }, { till.status() })
                        for (call in calls) {
                            val error = runCatching { runBlocking { call() } }.exceptionOrNull()
                            refused += (error as? TakingsException.Internal)?.code ?: "$error"
                        }
                        thread { say(started, sealed(), DONE) }.join()
                    }
                val charged = Charged(charge.paymentId(), VendorCardReader(sdk, lastWords).take(charge))
                judge(till, charged, ChargeOutcome.Approved(1_250), asked = 1)
            }
            assertEquals(List(3) { "called_back" }, refused)
        }

    @Test
    fun `card data that comes twice is charged once, and who does not stop speaking is let go`() =
        atTheStall {
            val till = ready()
            val sdk =
                FakeSdk {
                    say(started, started, sealed(), sealed("0048"), DONE, DONE, VendorEvent.Ended(VendorEnd.DECLINED), sealed())
                }
            val reader = VendorCardReader(sdk, lastWords)
            val twice = judge(till, reader.charge(till, request(1_250)), ChargeOutcome.Approved(1_250), asked = 1)
            assertEquals("1232", twice.lastFour)

            sdk.onStart = { say(started, sealed(), DONE) }
            val charging = AtomicBoolean(true)
            val chatter =
                thread {
                    while (charging.get()) {
                        sdk.say(VendorEvent.BatteryLow(9u))
                        Thread.sleep(10)
                    }
                }
            // Never silent for as long as is waited for.
            val charged = VendorCardReader(sdk, lastWords = 2.seconds).charge(till, request(900))
            charging.set(false)
            chatter.join()
            judge(till, charged, ChargeOutcome.Approved(900), asked = 1)
        }

    @Test
    fun `card data that is more than ciphertext charges nothing`() =
        atTheStall {
            val till = ready()
            val track = ";4111111111111111=26122010000012300000?".encodeToByteArray()
            for (bytes in listOf(track, ByteArray(0), ByteArray(16_385))) {
                val sdk = FakeSdk { say(started, sealed(ciphertext = bytes), DONE) }
                val charged = VendorCardReader(sdk, lastWords).charge(till, request(1_250))
                judge(till, charged, notCharged("reader_fault"), asked = 0)
                assertEquals(listOf("start", "cancel"), sdk.told)
            }
        }

    @Test
    fun `a reader that dies after the card leaves the payment on its course, comes it back or not`() =
        atTheStall {
            val till = ready()
            for (connections in listOf(1, 2)) {
                val sdk =
                    FakeSdk(connections) {
                        say(started, sealed())
                        lose()
                    }
                val charged = VendorCardReader(sdk, lastWords).charge(till, request(1_250))
                judge(till, charged, ChargeOutcome.Approved(1_250), asked = 1)
                assertEquals(listOf("start"), sdk.told)
            }
        }

    @Test
    fun `a reader that dies before the card comes back, and one that does not charges nothing`() =
        atTheStall {
            val till = ready()
            val back = FakeSdk()
            back.onStart = {
                say(started)
                onStart = { say(started, sealed(), DONE) }
                lose()
            }
            val charged = VendorCardReader(back, lastWords).charge(till, request(1_250))
            judge(till, charged, ChargeOutcome.Approved(1_250), asked = 1)
            assertEquals(listOf("start", "start"), back.told)

            val gone = FakeSdk(connections = 1) { lose() }
            val lost = VendorCardReader(gone, lastWords).charge(till, request(1_250))
            judge(till, lost, notCharged("cancelled"), asked = 0)
        }

    @Test
    fun `the cardholder chooses, and a question that outlives the charge holds nobody up`() =
        atTheStall {
            val till = ready()
            val offer = VendorEvent.ChooseApplication(listOf("UnionPay", "Visa"))
            val sdk = FakeSdk { say(started, offer) }
            val reader = VendorCardReader(sdk, lastWords)
            val second =
                object : ChargeScreen {
                    override suspend fun choose(applications: List<String>) = applications.indexOf("Visa")
                }
            judge(till, reader.charge(till, request(1_250), second), ChargeOutcome.Approved(1_250), asked = 1)
            assertEquals(listOf("start", "choose 1"), sdk.told)

            val nobody =
                object : ChargeScreen {
                    override suspend fun choose(applications: List<String>): Int {
                        sdk.say(VendorEvent.Ended(VendorEnd.TIMED_OUT))
                        awaitCancellation()
                    }
                }
            judge(till, reader.charge(till, request(1_250), nobody), notCharged("timed_out"), asked = 0)
        }

    @Test
    fun `the merchant's button stops an SDK that waits for a card, and is too late after it`() =
        atTheStall {
            val till = ready()
            val sdk = FakeSdk { say(started, VendorEvent.Prompt("insert_card", true)) }
            val reader = VendorCardReader(sdk, lastWords)
            val button =
                object : ChargeScreen {
                    override fun prompt(prompt: PromptView) = reader.cancel()
                }
            judge(till, reader.charge(till, request(1_250), button), notCharged("cancelled"), asked = 0)
            assertEquals(listOf("start", "cancel"), sdk.told)

            sdk.onStart = { say(started, sealed(), DONE) }
            till.charge(request(1_250)).use { charge ->
                val charged = Charged(charge.paymentId(), reader.take(Undecided(charge, reader::cancel)))
                judge(till, charged, ChargeOutcome.Approved(1_250), asked = 1)
            }
        }

    /** A charge whose outcome nobody hears of until it was asked to stop. */
    private class Undecided(
        private val charge: Charge,
        private val onEnd: () -> Unit,
    ) : ChargeInterface by charge {
        private val stopped = CompletableDeferred<Unit>()

        override fun vendorEvent(
            generation: UInt,
            event: VendorEvent,
        ): Step {
            val step = charge.vendorEvent(generation, event)
            if (event is VendorEvent.Ended) onEnd()
            return step.copy(saved = null)
        }

        override fun cancel(): Step =
            try {
                charge.cancel()
            } finally {
                stopped.complete(Unit)
            }

        override suspend fun outcome(): ChargeOutcome {
            stopped.await()
            return charge.outcome()
        }
    }

    @Test
    fun `the merchant's button is heard while the SDK looks for its reader`() =
        atTheStall {
            val till = ready()
            val looks = CompletableDeferred<Unit>()
            val far =
                object : VendorSdk by FakeSdk() {
                    override suspend fun connect(): VendorAbout {
                        looks.complete(Unit)
                        awaitCancellation()
                    }
                }
            val reader = VendorCardReader(far, lastWords)
            coroutineScope {
                val charging = async { reader.charge(till, request(1_250)) }
                looks.await()
                reader.cancel()
                judge(till, charging.await(), notCharged("cancelled"), asked = 0)
            }
        }

    @Test
    fun `a screen that goes away tells the SDK to stop and leaves nothing charged`() =
        atTheStall {
            val till = ready()
            val waits = CompletableDeferred<Unit>()
            val sdk = FakeSdk { say(started).also { waits.complete(Unit) } }
            sdk.onCancel = {} // No word of an end, either.
            val reader = VendorCardReader(sdk, lastWords)
            coroutineScope {
                val charging = launch(Dispatchers.Default) { reader.charge(till, request(1_000, "F-1")) }
                waits.await()
                charging.cancelAndJoin()
            }
            assertEquals(listOf("start", "cancel"), sdk.told)
            eventually("given up") { till.payments(PaymentQuery()).payments.single().stage == "not_charged" }
            val given = till.payments(PaymentQuery()).payments.single()
            assertNull(given.lastFour)
            judge(till, Charged(given.paymentId, notCharged("")), notCharged(""), asked = 0)
            sdk.onStart = { say(started, sealed(), DONE) }
            judge(till, reader.charge(till, request(1_000, "F-1")), ChargeOutcome.Approved(1_000), asked = 1)
        }
}
