package app.takings

import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import kotlin.time.Duration.Companion.ZERO
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Saturday 2026-11-21, 10:00 in Shanghai. */
const val SATURDAY_MS = 1_795_226_400_000
const val DAY_MS = 86_400_000uL
const val BUDGET_MS = 600_000uL

/** A stall in a world of its own, gone when the test is. */
class Stall(
    seed: ULong = 17uL,
) : AutoCloseable {
    private val folder: Path = Files.createTempDirectory("takings")
    private val opened = mutableListOf<Till>()
    val dir: String = folder.resolve("ledger").toString()
    val world = DemoWorld(seed, SATURDAY_MS)
    val demoReader = world.newReader()
    val link = DemoLink(demoReader)
    val reader = CardReader(link, lastWords = ZERO)

    suspend fun open(): Till = world.openTill(dir, Language.EN).also(opened::add)

    /** Activated and signed on. */
    suspend fun ready(): Till = open().also { it.activate(world.activationCode()) }

    suspend fun sell(
        till: Till,
        amountMinor: Long,
        order: String? = null,
        card: DemoCard = card(),
    ): Charged {
        demoReader.present(card)
        return reader.charge(till, request(amountMinor, order))
    }

    fun hash(): String = world.chainHash(dir)

    override fun close() {
        runBlocking { opened.forEach { runCatching { it.shutdown() } } }
        (opened + listOf(demoReader, world)).forEach(AutoCloseable::close)
        folder.toFile().deleteRecursively()
    }
}

/** A test with a stall. */
fun atTheStall(
    seed: ULong = 17uL,
    day: suspend Stall.() -> Unit,
): Unit = runBlocking { withTimeout(60.seconds) { Stall(seed).use { it.day() } } }

fun card(
    lastFour: String = "1232",
    leading: String = "6212",
    entry: CardEntry = CardEntry.CHIP,
) = DemoCard(leading = leading, lastFour = lastFour, entry = entry)

fun request(
    amountMinor: Long,
    order: String? = null,
    mode: ChargeMode = ChargeMode.PREFER_ONLINE,
) = ChargeRequest(amountMinor, "CNY", orderReference = order, mode = mode, operator = "li.na")

/** Waits for what another thread does, with a limit. */
suspend fun eventually(
    what: String,
    holds: suspend () -> Boolean,
) {
    repeat(2_000) {
        if (holds()) return
        delay(5.milliseconds)
    }
    throw AssertionError("never: $what")
}

/** The native threads of the library that live. */
fun threadsOfTheLibrary(): List<String> =
    File("/proc/self/task")
        .listFiles()
        .orEmpty()
        .mapNotNull { task -> runCatching { task.resolve("comm").readText().trim() }.getOrNull() }
        .filter { it.startsWith("takings") }
        .sorted()
