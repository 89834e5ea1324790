package app.takings.scenarios

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** Says where what was found is not as expected; knows the payments' ids by their names. */
internal class Pattern(
    private val names: Map<String, String>,
) {
    fun match(
        asked: JsonElement,
        found: JsonElement,
        place: String,
    ) {
        fun wrong(what: String): Nothing = throw Wrong("$place: expected $what, found ${canonical(found)}")
        when (asked) {
            is JsonObject -> {
                val (operators, members) = asked.sorted().partition { (name, _) -> name.startsWith("$") }
                for ((name, operand) in operators) {
                    if (!holds(name, operand, found, place)) wrong("$name ${canonical(operand)}")
                }
                if (found !is JsonObject) {
                    if (operators.isEmpty()) wrong("an object")
                    if (members.isNotEmpty()) wrong("a member ${members.first().first}")
                    return
                }
                for ((name, inner) in members) match(inner, found[name] ?: wrong("a member $name"), "$place.$name")
            }
            is JsonArray -> {
                if (found !is JsonArray || found.size != asked.size) wrong("${asked.size} elements")
                asked.zip(found).forEachIndexed { index, (inner, element) -> match(inner, element, "$place[$index]") }
            }
            is JsonPrimitive -> {
                val expected = resolve(asked, place)
                if (expected != found) wrong(canonical(expected))
            }
        }
    }

    private fun holds(
        operator: String,
        operand: JsonElement,
        found: JsonElement,
        place: String,
    ): Boolean {
        fun fits(element: JsonElement) =
            try {
                match(operand, element, place)
                true
            } catch (_: Wrong) {
                false
            }
        val elements = (found as? JsonArray)?.toList() ?: (found as? JsonObject)?.values?.toList()
        val limit = operand.integer
        return when (operator) {
            "\$at_least" -> limit != null && (found.integer ?: return false) >= limit
            "\$at_most" -> limit != null && (found.integer ?: return false) <= limit
            "\$count" -> elements?.size?.toLong() == limit
            "\$every" -> elements?.all(::fits) == true
            "\$some" -> elements?.any(::fits) == true
            "\$holds" -> operand.string?.let { found.string?.contains(it) } == true
            "\$not" -> !fits(found)
            else -> throw NoDay("$place: no operator is called $operator")
        }
    }

    /** `@name` is the id of the payment of that name, in every text it is the whole of. */
    fun resolve(
        value: JsonElement,
        place: String,
    ): JsonElement =
        when (value) {
            is JsonObject -> JsonObject(value.mapValues { (_, member) -> resolve(member, place) })
            is JsonArray -> JsonArray(value.map { resolve(it, place) })
            is JsonPrimitive -> if (value.isString) JsonPrimitive(resolve(value.content, place)) else value
        }

    fun resolve(
        text: String,
        place: String,
    ): String {
        if (!text.startsWith("@")) return text
        return names[text.drop(1)] ?: throw NoDay("$place: no payment is called ${text.drop(1)}")
    }
}
