package app.takings.scenarios

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import kotlinx.serialization.json.longOrNull

/** The file is not a day. */
internal class NoDay(
    text: String,
) : Exception(text)

/** The day is not as it says. */
internal class Wrong(
    text: String,
) : Exception(text)

private val byCodePoint =
    Comparator<String> { one, other ->
        val (left, right) = one.codePoints().toArray() to other.codePoints().toArray()
        java.util.Arrays.compare(left, right)
    }

/** Members in the order of their names. */
internal fun JsonObject.sorted(): List<Pair<String, JsonElement>> =
    entries.sortedWith(compareBy(byCodePoint) { it.key }).map { it.toPair() }

/** The one form of a value: no white space, members sorted, escaped only what must be. */
internal fun canonical(value: JsonElement): String = StringBuilder().apply { write(value) }.toString()

private fun StringBuilder.write(value: JsonElement) {
    when (value) {
        is JsonObject ->
            value.sorted().forEachIndexed { index, (name, member) ->
                append(if (index == 0) '{' else ',')
                quote(name)
                append(':')
                write(member)
            }
        is JsonArray ->
            value.forEachIndexed { index, element ->
                append(if (index == 0) '[' else ',')
                write(element)
            }
        is JsonPrimitive -> if (value.isString) quote(value.content) else append(value.content)
    }
    if (value is JsonObject) append(if (value.isEmpty()) "{}" else "}")
    if (value is JsonArray) append(if (value.isEmpty()) "[]" else "]")
}

private fun StringBuilder.quote(text: String) {
    append('"')
    for (character in text) {
        when (character) {
            '"' -> append("\\\"")
            '\\' -> append("\\\\")
            '\b' -> append("\\b")
            '\u000c' -> append("\\f")
            '\n' -> append("\\n")
            '\r' -> append("\\r")
            '\t' -> append("\\t")
            else -> if (character < ' ') append("\\u%04x".format(character.code)) else append(character)
        }
    }
    append('"')
}

internal fun JsonObject.text(name: String): String? = this[name]?.jsonPrimitive?.content

internal fun JsonObject.text(
    name: String,
    default: String,
): String = text(name) ?: default

internal fun JsonObject.long(
    name: String,
    default: Long,
): Long = this[name]?.jsonPrimitive?.long ?: default

internal fun JsonObject.long(name: String): Long? = this[name]?.jsonPrimitive?.long

internal fun JsonObject.int(
    name: String,
    default: Int,
): Int = this[name]?.jsonPrimitive?.int ?: default

internal fun JsonObject.flag(name: String): Boolean? = this[name]?.jsonPrimitive?.boolean

internal val JsonElement.integer: Long?
    get() = (this as? JsonPrimitive)?.takeUnless { it.isString }?.longOrNull

internal val JsonElement.string: String?
    get() = (this as? JsonPrimitive)?.takeIf { it.isString }?.content

/** Whether it is of a type of the schema's. */
internal fun JsonElement.isA(type: String): Boolean =
    when (type) {
        "string" -> string != null
        "integer" -> integer != null
        "boolean" -> this is JsonPrimitive && this != JsonNull && !isString && booleanOrNull != null
        "object" -> this is JsonObject
        "array" -> this is JsonArray
        else -> false
    }
