package app.takings

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Faults of the library, planted. */
class PanicTest {
    @Test
    fun `a panic is a typed error and the next call works`() =
        atTheStall {
            val till = ready()
            world.setLine("down")
            for (place in listOf("call", "engine", "here", "engine", "call")) {
                val failed = assertFailsWith<TakingsException.Internal> { plantedPanic(till, place) }
                assertTrue(failed.code in listOf("broken", "panic"), "$place: ${failed.code}")
                assertEquals("panic", assertFailsWith<TakingsException.Internal> { plantedPanicNow() }.code)
                assertEquals("M000001", till.status().activation?.merchantId)
                assertTrue(till.verify().sound)
            }
            assertEquals(ChargeOutcome.Saved, sell(till, 500, "P-1").outcome)
        }

    @Test
    fun `a panic beside a charge loses nothing that was said`() =
        atTheStall {
            val till = ready()
            world.setLine("down")
            assertEquals(ChargeOutcome.Saved, sell(till, 500, "P-1").outcome)
            till.charge(request(700, "P-2")).use { charge ->
                assertFailsWith<TakingsException.Internal> { plantedPanic(till, "engine") }
                demoReader.present(card())
                assertFailsWith<TakingsException.NotFound> { reader.take(charge) }
            }
            world.setLine("up")
            assertEquals(1u, till.sync(BUDGET_MS).approved)
            assertEquals(listOf("not_charged", "approved"), till.payments(PaymentQuery()).payments.map { it.stage })
        }
}
