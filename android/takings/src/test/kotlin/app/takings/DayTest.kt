package app.takings

import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

class DayTest {
    @Test
    fun `a morning offline ends with the money in the bank`() =
        atTheStall {
            val till = ready()
            world.setLine("down")
            for (number in 1..5) assertEquals(ChargeOutcome.Saved, sell(till, 100L * number, "A-$number").outcome)
            assertEquals(1_500, atStake(dir)?.unsent?.single()?.amountMinor)
            world.setLine("up")
            assertEquals(5u, till.sync(BUDGET_MS).approved)
            assertEquals(ChargeOutcome.Approved(700), sell(till, 700, "A-6").outcome)
            val declined = assertIs<ChargeOutcome.NotCharged>(sell(till, 800, "A-7", card(lastFour = "0051")).outcome)
            assertTrue(declined.causeText(Language.EN).isNotBlank())

            repeat(8) {
                world.advance(DAY_MS)
                till.tick()
                till.sync(BUDGET_MS)
            }
            val stages = till.allPayments().map { it.orderReference.orEmpty() to it.stage }.toList().toMap()
            assertEquals((1..6).associate { "A-$it" to "arrived" } + ("A-7" to "not_charged"), stages)
            val arrived = till.allPayments(PaymentQuery(orderReference = "A-1")).first()
            assertEquals("arrived", arrived.stageText(Language.EN).substringBefore(':').lowercase().take(7))
            assertEquals("已到账", arrived.stageText(Language.ZH).take(3))
            assertNull(arrived.nextStepText(Language.EN))

            val payout = till.allPayouts().first()
            assertEquals(payout.netMinor, till.payout(payout.payoutId).entries.sumOf { it.netMinor })
            assertEquals(2_200, till.takings("2026-11-21", "2026-11-21").filter { it.stage == "arrived" }.sumOf { it.amountMinor })
            assertTrue(till.receipt(arrived.paymentId, ReceiptCopy.CUSTOMER).offline)
            assertTrue(till.verify().sound)
        }

    @Test
    fun `the same seed makes the same ledger`() {
        val hashes =
            List(2) {
                var hash = ""
                atTheStall(seed = 23uL) {
                    val till = ready()
                    sell(till, 1_250, "B-1")
                    till.shutdown()
                    hash = hash()
                }
                hash
            }
        assertEquals(hashes[0], hashes[1])
    }

    @Test
    fun `pages follow each other and stop where the list does`() =
        atTheStall {
            val till = ready()
            for (number in 1..7) sell(till, 100, "C-$number")
            val pages = till.paymentPages(PaymentQuery(limit = 3u)).toList()
            assertEquals(listOf(3, 3, 1), pages.map { it.payments.size })
            val orders = pages.flatMap { it.payments }.map { it.orderReference }
            assertEquals((7 downTo 1).map { "C-$it" }, orders)
            assertEquals(orders.take(4), till.allPayments(PaymentQuery(limit = 2u)).take(4).map { it.orderReference }.toList())
        }

    @Test
    fun `p7 an alert is told until its collector is done with it and then never again`() =
        atTheStall {
            val till = ready()
            world.setLine("down")
            for (order in listOf("D-1", "D-2")) sell(till, 900, order, card(lastFour = "0051"))
            world.setLine("up")
            till.sync(BUDGET_MS)
            val waiting = till.nextAlerts(50u).map { it.alert }
            assertEquals(2, waiting.size)

            val failed = mutableListOf<ULong>()
            assertFailsWith<IllegalStateException> {
                till.alerts().collect {
                    failed += it.alert
                    error("the screen is gone")
                }
            }
            assertEquals(waiting.take(1), failed)
            assertEquals(waiting.first(), till.alerts().first().alert)
            assertEquals(waiting, till.waitingAlerts().map { it.alert }.toList())
            assertEquals(emptyList<AlertView>(), till.waitingAlerts().toList())

            sell(till, 900, "D-3", card(lastFour = "0051"))
            world.setLine("down")
            sell(till, 901, "D-4", card(lastFour = "0054"))
            world.setLine("up")
            till.sync(BUDGET_MS)
            val next = till.alerts().filter { it.alert > waiting.last() }.first()
            assertEquals(901, next.amountMinor)
        }

    @Test
    fun `every error names what to do next`() =
        atTheStall {
            val till = open()
            val refused =
                listOf(
                    assertFailsWith<TakingsException.SignIn> { till.charge(request(100)) },
                    assertFailsWith<TakingsException.FixInput> { till.activate("no code") },
                    assertFailsWith<TakingsException.FixInput> { till.takings("yesterday", "today") },
                    assertFailsWith<TakingsException.NotFound> { till.payment("11111111-1111-7111-8111-111111111111") },
                    assertFailsWith<TakingsException.Storage> { world.openTill(dir, Language.EN) },
                )
            assertTrue(refused.all { it.code.isNotBlank() && it.detail.isNotBlank() }, refused.toString())
            till.activate(world.activationCode())
            sell(till, 100, "E-1")
            assertEquals("order_already_charged", assertFailsWith<TakingsException.AskMerchant> { sell(till, 100, "E-1") }.code)
            till.shutdown()
            assertIs<TakingsException>(assertFailsWith<TakingsException> { till.status() })
        }
}
