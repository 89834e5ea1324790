package app.takings

import app.takings.FakeSdk.Companion.DONE
import app.takings.FakeSdk.Companion.sealed
import kotlinx.coroutines.CompletableDeferred
import java.io.IOException
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** What was told to the screen is what is returned: a merchant who sees an error charges again. */
class OutcomeTest {
    /** A charge whose every call fails once it is decided, as on a full disk, or by a till that was opened again. */
    private class Fragile(
        private val charge: Charge,
        private val fault: TakingsException,
        private val outcomeFails: Boolean = false,
    ) : ChargeInterface by charge {
        private val decided = CompletableDeferred<Unit>()
        var failed = 0

        private fun step(call: () -> Step): Step {
            if (decided.isCompleted) throw fault.also { failed += 1 }
            return call().also { if (it.saved != null) decided.complete(Unit) }
        }

        override fun bytes(
            generation: UInt,
            value: ByteArray,
        ) = step { charge.bytes(generation, value) }

        override fun writeDone(generation: UInt) = step { charge.writeDone(generation) }

        override fun vendorEvent(
            generation: UInt,
            event: VendorEvent,
        ) = step { charge.vendorEvent(generation, event) }

        override fun linkDown(generation: UInt) = step { charge.linkDown(generation) }

        override fun tick() = step { charge.tick() }

        override suspend fun outcome(): ChargeOutcome {
            if (!outcomeFails) return charge.outcome()
            decided.await()
            failed += 1
            throw fault
        }
    }

    private class Told : ChargeScreen {
        val outcomes = mutableListOf<ChargeOutcome>()
        var fault: Exception? = null

        override fun decided(outcome: ChargeOutcome) {
            outcomes += outcome
            fault?.let { throw it }
        }
    }

    private val faults =
        listOf(TakingsException.Storage("disk_full", "planted"), TakingsException.NotFound("charge", "planted"))

    private val lastWord = VendorEvent.Prompt("please_wait", false)

    @Test
    fun `a call that fails after the decision takes no outcome away`() =
        atTheStall {
            val till = ready()
            world.setLine("down")
            for ((fault, outcomeFails) in faults.flatMap { listOf(it to false, it to true) }) {
                val sdk = FakeSdk { say(started, sealed(), DONE, lastWord) }
                till.charge(request(100)).use { charge ->
                    val (fragile, told) = Fragile(charge, fault, outcomeFails) to Told()
                    val outcome = VendorCardReader(sdk, 50.milliseconds).take(fragile, told)
                    assertEquals(ChargeOutcome.Saved, outcome)
                    assertEquals(listOf(outcome), told.outcomes)
                    assertTrue(fragile.failed > 0, "nothing failed")
                }
                assertEquals(1, sdk.disconnects)
            }
            demoReader.present(card())
            till.charge(request(100)).use { charge ->
                val fragile = Fragile(charge, faults.first())
                assertEquals(ChargeOutcome.Saved, CardReader(link, 50.milliseconds).take(fragile))
                assertTrue(fragile.failed > 0, "nothing failed")
            }
            assertEquals(5uL, till.status().unsentCount)
        }

    @Test
    fun `an outcome that was not heard yet is not lost`() =
        atTheStall {
            val till = ready()
            till.charge(request(100)).use { charge ->
                val read = CompletableDeferred<Unit>()
                val deaf =
                    object : ChargeInterface by charge {
                        override fun vendorEvent(
                            generation: UInt,
                            event: VendorEvent,
                        ): Step {
                            if (event is VendorEvent.Ended) throw faults.first()
                            return charge.vendorEvent(generation, event).also { if (event is VendorEvent.CardData) read.complete(Unit) }
                        }

                        override suspend fun outcome() = read.await().let { ChargeOutcome.Approved(100) }
                    }
                val sdk = FakeSdk { say(started, sealed(), DONE) }
                assertEquals(ChargeOutcome.Approved(100), VendorCardReader(sdk, 50.milliseconds).take(deaf))
            }
        }

    @Test
    fun `a reader that fails to be let go and a screen that fails take no outcome away`() =
        atTheStall {
            val till = ready()
            val sdk = FakeSdk { say(started, sealed(), DONE) }
            val reader = VendorCardReader(sdk, 50.milliseconds)
            for (fault in listOf(IOException("gone"), IllegalStateException("no view"), NoClassDefFoundError("acme/Sdk"))) {
                sdk.onDisconnect = { throw fault }
                val told = Told().apply { this.fault = fault as? Exception }
                assertEquals(ChargeOutcome.Approved(100), reader.charge(till, request(100), told).outcome)
            }
            assertEquals(3, sdk.disconnects)
            sdk.onDisconnect = {}
            // Before there is an outcome, the app hears of its own fault.
            sdk.onStart = { say(started, VendorEvent.Prompt("insert_card", true)) }
            val broken =
                object : ChargeScreen {
                    override fun prompt(prompt: PromptView) = error("no view")
                }
            assertFailsWith<IllegalStateException> { reader.charge(till, request(100), broken) }
            assertEquals(4, sdk.disconnects)
        }

    @Test
    fun `a reader that never comes charges nothing`() =
        atTheStall {
            val till = ready()
            for (connections in 0..1) {
                val sdk = FakeSdk(connections) { lose() }
                sdk.onOutOfReach = { CompletableDeferred<Unit>().await() }
                val charged = VendorCardReader(sdk, readerWithin = 50.milliseconds).charge(till, request(100))
                assertEquals(ChargeOutcome.NotCharged("abandoned", "cancelled"), charged.outcome)
                assertEquals("not_charged", till.payment(charged.paymentId).payment.stage)
            }
            // After the card it is the acquirer's to decide.
            val sdk = FakeSdk(1) { say(started, sealed(), DONE).also { lose() } }
            sdk.onOutOfReach = { CompletableDeferred<Unit>().await() }
            val charged = VendorCardReader(sdk, readerWithin = 1.seconds).charge(till, request(100))
            assertEquals(ChargeOutcome.Approved(100), charged.outcome)
        }
}
