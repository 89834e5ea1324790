package app.takings.scenarios

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject

/** The form of a day: the part of JSON Schema that `day.schema.json` uses. */
internal class Form(
    schema: JsonObject,
) {
    private val definitions = schema.getValue("\$defs").jsonObject
    private val steps = definitions.getValue("steps").jsonObject

    fun check(day: JsonElement) = named("day", day, "day")

    private fun named(
        name: String,
        value: JsonElement,
        place: String,
    ) {
        when (name) {
            "pattern" -> return
            "step" -> {
                val word = (value as? JsonObject)?.get("do")
                val rule =
                    steps[word?.string] ?: throw NoDay("$place: no step is called ${canonical(word ?: NOTHING)}")
                check(value, rule.jsonObject, "$place (${word?.string})")
            }
            else -> check(value, definitions.getValue(name).jsonObject, place)
        }
    }

    private fun check(
        value: JsonElement,
        rule: JsonObject,
        place: String,
    ) {
        rule.text("\$ref")?.let { return named(it.removePrefix("#/\$defs/"), value, place) }
        rule.text("type")?.let { if (!value.isA(it)) throw NoDay("$place: not of type $it") }
        (rule["enum"] as? JsonArray)?.let { words ->
            if (value !in words) throw NoDay("$place: ${canonical(value)} is none of ${words.joinToString { it.string.orEmpty() }}")
        }
        rule["items"]?.let { items ->
            value.jsonArray.forEachIndexed { index, item -> check(item, items.jsonObject, "$place ${index + 1}") }
        }
        rule["properties"]?.jsonObject?.let { members(value.jsonObject, rule, it, place) }
    }

    private fun members(
        value: JsonObject,
        rule: JsonObject,
        known: JsonObject,
        place: String,
    ) {
        rule["required"]?.jsonArray?.forEach {
            if (it.string !in value) throw NoDay("$place: ${it.string} is missing")
        }
        for ((name, member) in value) {
            val inner = known[name] ?: throw NoDay("$place: unknown field $name")
            check(member, inner.jsonObject, "$place $name")
        }
    }

    private companion object {
        val NOTHING = kotlinx.serialization.json.JsonNull
    }
}
