package app.takings

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.launch
import kotlinx.coroutines.newSingleThreadContext
import kotlinx.coroutines.withContext
import java.io.IOException
import java.util.concurrent.ConcurrentHashMap
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.ZERO
import kotlin.time.Duration.Companion.milliseconds

/** A link that goes at some point, and is or is not to be had again. */
private class BadLink(
    private val good: DemoLink,
    private val losses: MutableList<Int>,
    private var connections: Int = Int.MAX_VALUE,
) : ReaderLink by good {
    private var seen = 0

    override suspend fun connect(): Int {
        if (connections-- <= 0) throw IOException("out of reach")
        seen = 0
        return good.connect()
    }

    override fun values(): Flow<ByteArray> =
        good.values().onEach {
            seen += 1
            if (losses.firstOrNull() == seen) {
                losses.removeFirst()
                good.lose()
            }
        }
}

/** A link that goes while these values are written, counted over all connections: the write says so first. */
private class BrokenWrites(
    private val good: DemoLink,
    private val broken: Set<Int>,
) : ReaderLink by good {
    private var written = 0

    override suspend fun write(value: ByteArray) {
        if (written++ in broken) {
            good.lose()
            throw IOException("the link is gone")
        }
        good.write(value)
    }
}

class ReaderTest {
    @Test
    fun `nothing is called on the thread that waits and the screen is told there`() =
        atTheStall {
            val till = ready()
            val threads = ConcurrentHashMap.newKeySet<Thread>()
            val watched =
                object : ReaderLink by link {
                    override suspend fun write(value: ByteArray) = link.write(value).also { threads += Thread.currentThread() }
                }
            val told = mutableListOf<Thread>()
            val screen =
                object : ChargeScreen {
                    override fun prompt(prompt: PromptView) = told.plusAssign(Thread.currentThread())

                    override fun decided(outcome: ChargeOutcome) = told.plusAssign(Thread.currentThread())
                }
            demoReader.present(card())
            @OptIn(ExperimentalCoroutinesApi::class, kotlinx.coroutines.DelicateCoroutinesApi::class)
            newSingleThreadContext("main").use { main ->
                withContext(main) {
                    val mainThread = Thread.currentThread()
                    CardReader(watched, ZERO).charge(till, request(1_000), screen)
                    assertTrue(told.size > 1 && told.all { it === mainThread }, told.toString())
                    assertTrue(threads.isNotEmpty() && mainThread !in threads, threads.toString())
                }
            }
        }

    @Test
    fun `a link that goes before the card comes back and the charge goes on`() =
        atTheStall {
            val till = ready()
            demoReader.present(card())
            val charged = CardReader(BadLink(link, mutableListOf(2)), ZERO).charge(till, request(1_000))
            assertEquals(ChargeOutcome.Approved(1_000), charged.outcome)
        }

    @Test
    fun `a reader out of reach charges nothing`() =
        atTheStall {
            val till = ready()
            val never = CardReader(BadLink(link, mutableListOf(), connections = 0), ZERO).charge(till, request(1_000))
            assertIs<ChargeOutcome.NotCharged>(never.outcome)
            val once = CardReader(BadLink(link, mutableListOf(2), connections = 1), ZERO).charge(till, request(1_000))
            assertIs<ChargeOutcome.NotCharged>(once.outcome)
            assertEquals("not_charged", till.payment(once.paymentId).payment.stage)
        }

    @Test
    fun `a link that goes while a value is written is taken up again`() =
        atTheStall {
            val till = ready()
            demoReader.present(card())
            // The very first value, one while the reader is asked about itself, and one of another connection.
            val charged = CardReader(BrokenWrites(link, setOf(0, 3, 12)), ZERO).charge(till, request(1_000))
            assertEquals(ChargeOutcome.Approved(1_000), charged.outcome)
        }

    @Test
    fun `the cardholder chooses an application`() =
        atTheStall {
            val till = ready()
            demoReader.present(
                card().copy(behaviour = "choose_application", applications = listOf("Debit", "Credit")),
            )
            val asked = CompletableDeferred<List<String>>()
            val screen =
                object : ChargeScreen {
                    override suspend fun choose(applications: List<String>) = 1.also { asked.complete(applications) }
                }
            assertEquals(ChargeOutcome.Approved(1_000), reader.charge(till, request(1_000), screen).outcome)
            assertEquals(listOf("Debit", "Credit"), asked.await())
        }

    @Test
    fun `the merchant's button stops a reader that waits for a card`() =
        atTheStall {
            val till = ready()
            coroutineScope {
                val waits = CompletableDeferred<Unit>()
                val screen =
                    object : ChargeScreen {
                        override fun prompt(prompt: PromptView) {
                            waits.complete(Unit)
                        }
                    }
                val charging = async(Dispatchers.Default) { reader.charge(till, request(1_000), screen) }
                waits.await()
                reader.cancel()
                assertIs<ChargeOutcome.NotCharged>(charging.await().outcome)
            }
            // The button does not stop the next one.
            reader.cancel()
            assertEquals(ChargeOutcome.Approved(1_100), sell(till, 1_100).outcome)
        }

    @Test
    fun `the merchant's button pressed too late changes nothing`() =
        atTheStall {
            val till = ready()
            val patient = CardReader(link, lastWords = 50.milliseconds)
            val screen =
                object : ChargeScreen {
                    override fun prompt(prompt: PromptView) {
                        if (demoReader.stage() == "outcome_sent") patient.cancel()
                    }

                    override fun decided(outcome: ChargeOutcome) = patient.cancel()
                }
            demoReader.present(card())
            assertEquals(ChargeOutcome.Approved(1_000), patient.charge(till, request(1_000), screen).outcome)
        }

    @Test
    fun `a screen that goes away while the reader waits leaves nothing charged and the reader free`() =
        atTheStall {
            val till = ready()
            coroutineScope {
                val waits = CompletableDeferred<Unit>()
                val screen =
                    object : ChargeScreen {
                        override fun prompt(prompt: PromptView) {
                            waits.complete(Unit)
                        }
                    }
                val charging = launch(Dispatchers.Default) { reader.charge(till, request(1_000, "F-1"), screen) }
                waits.await()
                charging.cancelAndJoin()
            }
            eventually("given up") { till.payments(PaymentQuery()).payments.single().stage == "not_charged" }
            assertEquals(ChargeOutcome.Approved(1_000), sell(till, 1_000, "F-1").outcome)
        }
}
