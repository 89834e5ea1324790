package app.takings.scenarios

import app.takings.Charge
import app.takings.DemoWorld
import app.takings.Language
import app.takings.PaymentQuery
import app.takings.TakingsException
import app.takings.Till
import app.takings.allPayments
import app.takings.allPayouts
import app.takings.code
import app.takings.detail
import app.takings.plain
import app.takings.snake
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject

private val BOOK = listOf("authorizations", "bank", "captures", "payments", "payouts", "requests", "reversals", "totals")
private val CLOCKS = setOf("now_ms", "trusted_ms", "oldest_unsent_age_ms", "oldest_age_ms")
private val WITHOUT_APP = setOf("open_app", "admin", "line", "wait", "set_clock", "restart_phone")

/** One day while it is played. */
internal class Day(
    private val file: JsonObject,
    private val always: JsonObject,
    val dir: String,
) {
    val world = DemoWorld(file.long("seed", 0).toULong(), file.long("start_ms", 0))
    val reader = world.newReader()
    val charges = mutableListOf<Charge>()
    val names = mutableMapOf<String, String>()
    val pattern = Pattern(names)
    val told = sortedMapOf<Long, JsonObject>()
    var acknowledged = 0L
    private var opened: Till? = null
    val till: Till get() = opened ?: throw NoDay("the app is not open")
    val isOpen: Boolean get() = opened != null

    suspend fun play(): JsonObject {
        open()
        val steps = Steps(this)
        val answers = file.getValue("steps").jsonArray.mapIndexed { index, step -> answer(steps, index + 1, step.jsonObject) }
        steps.alerts()
        val seen = JsonObject(seen() + ("ledger" to ledger()))
        pattern.match(always, seen, "always")
        pattern.match(file.getValue("end"), seen, "end")
        kill()
        return JsonObject(seen + ("answers" to JsonArray(answers)))
    }

    private suspend fun answer(
        steps: Steps,
        number: Int,
        step: JsonObject,
    ): JsonElement {
        val word = step.text("do").orEmpty()
        val place = "step $number ($word)"
        if (!isOpen && word !in WITHOUT_APP) throw NoDay("$place: the app is not open")
        val answer =
            try {
                steps.play(word, step)
            } catch (error: TakingsException) {
                val said = plainError(error)
                val fails = step["fails"] ?: throw Wrong("$place: failed: ${canonical(said)}")
                pattern.match(fails, said, "$place fails")
                return JsonObject(mapOf("error" to said))
            } catch (error: Wrong) {
                throw Wrong("$place: ${error.message}")
            } catch (error: NoDay) {
                throw NoDay("$place: ${error.message}")
            }
        if ("fails" in step) throw Wrong("$place: expected to fail, gave ${canonical(answer)}")
        step["gives"]?.let { pattern.match(it, answer, "$place gives") }
        return answer
    }

    suspend fun open() {
        if (isOpen) throw NoDay("the app is open")
        opened = world.openTill(dir, if (file.text("language") == "zh") Language.ZH else Language.EN)
    }

    /** The charges are let go of only when the till is gone: before, that would give them up. */
    suspend fun kill() {
        till.shutdown()
        till.close()
        opened = null
        charges.forEach(Charge::close)
        charges.clear()
    }

    suspend fun payments(query: PaymentQuery = PaymentQuery()): JsonObject {
        val called = names.entries.associate { (name, id) -> id to name }
        return JsonObject(till.allPayments(query).toList().associate { (called[it.paymentId] ?: it.paymentId) to plain(it) })
    }

    private suspend fun payouts() =
        JsonArray(
            till
                .allPayouts()
                .toList()
                .map { till.payout(it.payoutId) }
                .map { JsonObject(plain(it.payout).jsonObject + ("entries" to plain(it.entries))) }
                .reversed(),
        )

    private fun book(): JsonObject {
        val book = Json.parseToJsonElement(world.admin("GET", "/admin/ledger", "")).jsonObject
        val called = names.entries.associate { (name, id) -> id to name }
        val payments =
            book.getValue("payments").jsonArray.associateBy {
                val id = it.jsonObject.text("payment_id").orEmpty()
                called[id] ?: id
            }
        return JsonObject(BOOK.associateWith(book::getValue) + ("payments" to JsonObject(payments)))
    }

    suspend fun seen(): JsonObject {
        val status = plain(till.status()).jsonObject
        val trouble = status["trouble"] as? JsonObject
        return JsonObject(
            mapOf(
                "alerts" to JsonArray(told.values.toList()),
                "status" to withoutClocks(JsonObject(status + ("trouble" to (trouble?.minus("at_ms")?.let(::JsonObject) ?: JsonNull)))),
                "payments" to payments(),
                "payouts" to payouts(),
                "takings" to plain(till.takings("2020-01-01", "2039-12-31")),
                "book" to book(),
            ),
        )
    }

    private suspend fun ledger(): JsonObject =
        JsonObject(plain(till.verify()).jsonObject + ("chain_hash" to JsonPrimitive(world.chainHash(dir))))

    private fun withoutClocks(status: JsonElement): JsonElement =
        when (status) {
            is JsonObject -> JsonObject(status.filterKeys { it !in CLOCKS }.mapValues { (_, member) -> withoutClocks(member) })
            is JsonArray -> JsonArray(status.map(::withoutClocks))
            else -> status
        }

    private fun plainError(error: TakingsException) =
        JsonObject(
            mapOf(
                "kind" to JsonPrimitive(snake(error::class.simpleName.orEmpty())),
                "code" to JsonPrimitive(error.code),
                "detail" to JsonPrimitive(error.detail),
            ),
        )
}
