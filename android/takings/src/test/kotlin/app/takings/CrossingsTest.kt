package app.takings

import kotlinx.coroutines.flow.onEach
import java.lang.reflect.InvocationTargetException
import java.lang.reflect.Proxy
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds

/** What a charge costs at the border, counted: times belong to the machine, calls do not. */
class CrossingsTest {
    private val calls = ConcurrentHashMap<String, Int>()

    /** The charge, with every call of it counted. */
    private fun counted(charge: Charge): ChargeInterface =
        Proxy.newProxyInstance(
            javaClass.classLoader,
            arrayOf(ChargeInterface::class.java),
        ) { _, method, arguments ->
            // A name ends with a hash where an argument is unsigned.
            calls.merge(method.name.substringBefore('-'), 1, Int::plus)
            try {
                method.invoke(charge, *arguments.orEmpty())
            } catch (failed: InvocationTargetException) {
                throw failed.targetException
            }
        } as ChargeInterface

    @Test
    fun `a card sale crosses the border once for each value of the link and three times more`() =
        atTheStall {
            val till = ready()
            val written = AtomicInteger()
            val heard = AtomicInteger()
            val watched =
                object : ReaderLink by link {
                    override suspend fun write(value: ByteArray) = link.write(value).also { written.incrementAndGet() }

                    override fun values() = link.values().onEach { heard.incrementAndGet() }
                }
            demoReader.present(card())
            val outcome =
                till.charge(request(1_000)).use { CardReader(watched, lastWords = 50.milliseconds).take(counted(it)) }
            assertEquals(ChargeOutcome.Approved(1_000), outcome)
            // A timer's call, where this machine was slow.
            calls.remove("tick")
            println("crossings of a card sale from Kotlin: ${calls.values.sum()}, $calls")
            val bytes = calls.remove("bytes") ?: 0
            val confirmed = calls.remove("writeDone") ?: 0
            assertEquals(mapOf("linkUp" to 1, "outcome" to 1, "linkDown" to 1), calls.toMap())
            assertTrue(confirmed in 1..written.get() && bytes in 1..heard.get(), "$confirmed of $written, $bytes of $heard")
            assertTrue(bytes + confirmed <= MOST_VALUES, "$bytes values came and $confirmed went")
        }

    private companion object {
        /** Of one sale with a chip, at 244 bytes a value. */
        const val MOST_VALUES = 44
    }
}
