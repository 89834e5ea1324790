package app.takings.scenarios

import app.takings.CardEntry
import app.takings.CardPlay
import app.takings.CardTaken
import app.takings.ChargeMode
import app.takings.ChargeOutcome
import app.takings.ChargeRequest
import app.takings.DemoCard
import app.takings.PaymentQuery
import app.takings.ReceiptCopy
import app.takings.plain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject

private val UNITS_MS = mapOf("days" to 86_400_000L, "hours" to 3_600_000L, "minutes" to 60_000L, "seconds" to 1_000L)

/** What can be done in a day, word by word. */
internal class Steps(
    private val day: Day,
) {
    suspend fun play(
        word: String,
        step: JsonObject,
    ): JsonElement =
        when (word) {
            "activate" -> plain(day.till.activate(day.world.activationCode()))
            "sign_on" -> plain(day.till.signOn())
            "charge" -> charge(step)
            "cancel" -> plain(day.till.cancel(paymentId(step), step.text("operator")))
            "mark_service" -> plain(day.till.markService(paymentId(step), step.flag("given") == true, step.text("operator")))
            "sync" -> plain(day.till.sync(step.long("budget_ms", 600_000).toULong()))
            "alerts" -> alerts()
            "receipt" -> plain(day.till.receipt(paymentId(step), ReceiptCopy.valueOf(step.text("copy", "customer").uppercase())))
            "history" -> plain(day.till.payment(paymentId(step)))
            "find" -> JsonArray(day.payments(query(step)).values.toList())
            "admin" -> admin(step)
            else -> JsonNull.also { quietly(word, step) }
        }

    private suspend fun quietly(
        word: String,
        step: JsonObject,
    ) {
        when (word) {
            "acknowledge" -> acknowledge()
            "reader" ->
                day.reader.setHealth(step.long("battery_percent")?.toUInt(), step.flag("tampered"), step.flag("usable"))
            "line" -> day.world.setLine(step.text("state").orEmpty())
            "wait" -> pass(step)
            "set_clock" -> day.world.setPhoneClock(duration(step))
            "background" -> day.till.goingToBackground()
            "kill_app" -> kill()
            "open_app" -> day.open()
            "restart_phone" -> {
                if (day.isOpen) kill()
                day.world.restartPhone()
            }
            "expect" -> day.pattern.match(step.getValue("that"), day.seen(), "that")
            else -> throw NoDay("no step is called $word")
        }
    }

    private fun paymentId(step: JsonObject): String = step.text("payment").orEmpty().let { day.names[it] ?: it }

    private suspend fun charge(step: JsonObject): JsonObject {
        val name = step.text("as") ?: step.text("order")
        if (name in day.names) throw NoDay("a payment is called $name already")
        val charge =
            day.till.charge(
                ChargeRequest(
                    amountMinor = step.long("amount_minor", 0),
                    currency = step.text("currency", "CNY"),
                    orderReference = step.text("order"),
                    mode = ChargeMode.valueOf(step.text("mode", "prefer_online").uppercase()),
                    chargeAgain = step.flag("again") == true,
                    operator = step.text("operator"),
                ),
            )
        day.charges += charge
        val paymentId = charge.paymentId()
        if (name != null) day.names[name] = paymentId
        val play =
            CardPlay(
                card = (step["card"] as? JsonObject)?.let(::card),
                nextCards = step["next_cards"]?.jsonArray.orEmpty().map { card(it.jsonObject) },
                choose = step.int("choose", 0).toUInt(),
                loseLinkAt = step.text("lose_link_at"),
                reconnect = step.flag("reconnect") == true,
                cancelAt = step.text("cancel_at"),
                stopAt = step.text("stop_at"),
            )
        return plainCharge(paymentId, day.reader.takeCard(charge, play))
    }

    private fun card(asked: JsonObject) =
        DemoCard(
            leading = asked.text("leading", "6222"),
            lastFour = asked.text("last_four").orEmpty(),
            numberLen = asked.int("number_len", 16).toUInt(),
            entry = CardEntry.valueOf(asked.text("entry", "chip").uppercase()),
            behaviour = asked.text("behaviour", "normal"),
            code = asked.text("code"),
            applications = asked["applications"]?.jsonArray.orEmpty().map { it.string.orEmpty() },
            signs = asked.flag("signs") == true,
        )

    private fun plainCharge(
        paymentId: String,
        taken: CardTaken,
    ): JsonObject {
        val outcome = taken.outcome
        val refused = outcome as? ChargeOutcome.NotCharged
        val word =
            when (outcome) {
                null -> null
                is ChargeOutcome.Saved -> "saved"
                is ChargeOutcome.Approved -> "approved"
                is ChargeOutcome.NotCharged -> "not_charged"
                is ChargeOutcome.NotConfirmed -> "not_confirmed"
            }
        return JsonObject(
            mapOf(
                "payment_id" to JsonPrimitive(paymentId),
                "outcome" to plain(word),
                "approved_minor" to plain((outcome as? ChargeOutcome.Approved)?.approvedMinor),
                "cause" to plain(refused?.cause),
                "detail" to plain(refused?.detail),
                "prompts" to plain(taken.prompts),
                "stopped" to plain(taken.stopped),
                "calls" to plain(taken.calls),
            ),
        )
    }

    suspend fun alerts(): JsonArray {
        val told = plain(day.till.nextAlerts(200u)).jsonArray.map { it.jsonObject }
        for (alert in told) {
            val number = alert.long("alert", 0)
            if (number <= day.acknowledged) throw Wrong("told again although acknowledged: ${canonical(alert)}")
            if (day.told.getOrPut(number) { alert } != alert) throw Wrong("told differently: ${canonical(alert)}")
        }
        return JsonArray(told)
    }

    private suspend fun acknowledge() {
        if (day.told.isEmpty()) return
        day.acknowledged = day.told.lastKey()
        day.till.acknowledge(day.acknowledged.toULong())
    }

    private fun query(step: JsonObject) =
        PaymentQuery(
            stage = step.text("stage"),
            fromDay = step.text("from_day"),
            toDay = step.text("to_day"),
            amountMinor = step.long("amount_minor"),
            lastFour = step.text("last_four"),
            orderReference = step.text("order_reference"),
            text = step.text("text"),
        )

    private fun admin(step: JsonObject): JsonElement {
        val path = step.text("path").orEmpty().split("/").joinToString("/") { day.pattern.resolve(it, "path") }
        val body = step["body"]?.let { canonical(day.pattern.resolve(it, "body")) }.orEmpty()
        return Json.parseToJsonElement(day.world.admin(step.text("method").orEmpty(), path, body))
    }

    private fun duration(step: JsonObject): Long = UNITS_MS.entries.sumOf { (unit, ms) -> step.long(unit, 0) * ms }

    private suspend fun pass(step: JsonObject) {
        val byMs = duration(step)
        if (byMs < 0) throw NoDay("time only passes forward")
        day.world.advance(byMs.toULong())
        if (day.isOpen) day.till.tick()
    }

    /** The link dies with the app, and the customer does not wait. */
    private suspend fun kill() {
        day.kill()
        day.reader.linkDown()
        day.reader.takeCardAway()
    }
}
