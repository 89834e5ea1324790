package app.takings.bench

import app.takings.DemoWorld
import app.takings.Language
import app.takings.PaymentQuery
import app.takings.SATURDAY_MS
import kotlinx.coroutines.runBlocking

private const val DEEP = 100

/**
 * Pages of 50 through the Kotlin library, for tests/bench/languages.sh: the ledger's directory as argument; lines `first N` or
 * `deep N` come in, nanoseconds go out.
 */
fun main(args: Array<String>): Unit =
    runBlocking {
        val world = DemoWorld(17uL, SATURDAY_MS)
        val till = world.openTill(args.single(), Language.EN)
        var deep: String? = null
        repeat(DEEP) { deep = till.payments(PaymentQuery(limit = 50u, after = deep)).next }
        for (line in generateSequence(::readlnOrNull)) {
            val (place, count) = line.split(' ')
            val times =
                List(count.toInt()) {
                    val query = PaymentQuery(limit = 50u, after = deep.takeIf { place == "deep" })
                    val start = System.nanoTime()
                    val page = till.payments(query)
                    (System.nanoTime() - start).also { check(page.payments.size == 50) }
                }
            println(times.joinToString(" "))
        }
        till.shutdown()
    }
