package app.takings

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.time.Duration
import kotlin.time.measureTime

/** How long a page of 50 takes, printed and not asserted: times belong to the machine. */
class PageBenchTest {
    @Test
    fun `page of 50`() =
        atTheStall {
            val till = ready()
            repeat(60) { sell(till, 100L + it) }
            val page: suspend () -> PaymentsPage = { till.payments(PaymentQuery(limit = 50u)) }
            repeat(200) { assertEquals(50, page().payments.size) }
            val taken = List(500) { measureTime { page() } }.sorted()

            fun at(share: Double): Duration = taken[(taken.lastIndex * share).toInt()]
            println("page of 50 from Kotlin: p50 ${at(0.5)}, p99 ${at(0.99)}, best ${taken.first()}")
        }
}
