package app.takings

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlin.reflect.full.memberProperties

/** Any record as JSON, its fields by the names they have in Rust. */
fun plain(value: Any?): JsonElement =
    when (value) {
        null -> JsonNull
        is Boolean -> JsonPrimitive(value)
        is String -> JsonPrimitive(value)
        is Int, is Long -> JsonPrimitive(value as Number)
        is UInt -> JsonPrimitive(value.toLong())
        is ULong -> if (value <= Long.MAX_VALUE.toULong()) JsonPrimitive(value.toLong()) else JsonPrimitive("$value")
        is ByteArray -> JsonPrimitive(value.joinToString("") { "%02x".format(it) })
        is Enum<*> -> JsonPrimitive(value.name)
        is List<*> -> JsonArray(value.map(::plain))
        else -> JsonObject(value::class.memberProperties.associate { snake(it.name) to plain(it.getter.call(value)) })
    }

/** `lastFour` as `last_four`. */
fun snake(name: String): String = name.replace(Regex("(?<=.)[A-Z]"), "_$0").lowercase()
