package app.takings

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.yield
import kotlin.random.Random
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.ZERO
import kotlin.time.measureTime

private const val MOMENTS = 100

/** Cancelled at any moment, a call is done whole or never began. */
class CancelTest {
    private val calls: Map<String, suspend Stall.(Till) -> Unit> =
        mapOf(
            "sync" to { it.sync(BUDGET_MS) },
            "charge" to { it.charge(request(300, "A-3")).close() },
            "cancel" to { it.cancel(it.allPayments().first().paymentId, "li.na") },
            "markService" to { it.markService(it.allPayments().first().paymentId, true, null) },
            "signOn" to { it.signOn() },
        )

    private class Whole(
        val before: Set<String>,
        val after: Set<String>,
        val taken: Duration,
    )

    /** Two payments wait on the phone, and there is a line. */
    private suspend fun Stall.prepare(): Till {
        val till = ready()
        world.setLine("down")
        sell(till, 1_250, "A-1")
        sell(till, 800, "A-2")
        world.setLine("up")
        return till
    }

    /** The ledger without the call, and after it, with what it made let go of or not. */
    private fun uncancelled(call: suspend Stall.(Till) -> Unit): Whole {
        var before = ""
        val after = mutableSetOf<String>()
        var taken = ZERO
        atTheStall {
            val till = prepare()
            till.shutdown()
            before = hash()
        }
        atTheStall {
            val till = prepare()
            taken = measureTime { call(till) }
            after += hash()
            till.status()
            till.shutdown()
            after += hash()
        }
        assertFalse(before in after)
        return Whole(setOf(before), after, taken)
    }

    @Test
    fun `a call cancelled at any of 100 moments never began or was done whole`() {
        val seed = System.getenv("SEED")?.toInt() ?: 20_261_121
        println("seed $seed")
        val random = Random(seed)
        atTheStall { calls.values.forEach { call -> runCatching { call(prepare()) } } } // Classes are loaded once.
        val expected = calls.mapValues { (_, call) -> uncancelled(call) }
        val outcomes = mutableMapOf<String, Int>()
        repeat(MOMENTS) { moment ->
            val (name, call) = calls.entries.random(random)
            val whole = expected.getValue(name)
            val patience = whole.taken * random.nextDouble(0.0, 1.5)
            val yields = random.nextInt(3)
            atTheStall {
                val till = prepare()
                coroutineScope {
                    val start = if (yields == 0) CoroutineStart.UNDISPATCHED else CoroutineStart.DEFAULT
                    val running = launch(Dispatchers.Default, start) { runCatching { call(till) } }
                    repeat(yields) { yield() }
                    if (random.nextDouble() < 0.7) delay(patience)
                    running.cancelAndJoin()
                }
                assertTrue(till.verify().sound)
                till.shutdown()
                val hash = hash()
                assertTrue(hash in whole.before + whole.after, "moment $moment: $name, seed $seed")
                outcomes.merge(if (hash in whole.before) "never began" else "done", 1, Int::plus)
            }
        }
        println("cancelled $MOMENTS times: $outcomes")
        assertEquals(2, outcomes.size, "the moments do not spread: $outcomes")
    }

    @Test
    fun `no thread and no coroutine is left`() {
        runBlocking {
            val job = Job()
            repeat(5) {
                Stall().use { stall ->
                    val till = stall.prepare()
                    val running = launch(job + Dispatchers.Default) { till.sync(BUDGET_MS) }
                    yield()
                    running.cancelAndJoin()
                }
            }
            assertEquals(emptyList<Job>(), job.children.toList())
            // A vendor's reader of another test has a thread until it is collected.
            eventually("the library's threads end: ${threadsOfTheLibrary()}") { threadsOfTheLibrary().all { it == "takings-vendor" } }
        }
    }
}
