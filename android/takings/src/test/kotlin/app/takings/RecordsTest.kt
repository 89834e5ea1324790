package app.takings

import kotlin.random.Random
import kotlin.random.nextULong
import kotlin.reflect.KClass
import kotlin.reflect.KType
import kotlin.reflect.full.primaryConstructor
import kotlin.reflect.typeOf
import kotlin.test.Test
import kotlin.test.assertEquals

/** Any record crosses the border and comes back the same. */
class RecordsTest {
    private fun text(random: Random) =
        buildString {
            repeat(random.nextInt(12)) {
                append(listOf("a", "Z", "9", " ", "\"", "\\", "\n", "\u0000", "é", "王", "💰", "\u200f").random(random))
            }
        }

    private fun any(
        random: Random,
        type: KType,
    ): Any? {
        if (type.isMarkedNullable && random.nextDouble() < 0.3) return null
        val kind = type.classifier as KClass<*>
        return when (kind) {
            Boolean::class -> random.nextBoolean()
            String::class -> text(random)
            Long::class -> listOf(0, 1, -1, Long.MIN_VALUE, Long.MAX_VALUE, random.nextLong()).random(random)
            UInt::class -> listOf(0u, 1u, UInt.MAX_VALUE, random.nextInt().toUInt()).random(random)
            ULong::class -> listOf(0uL, 1uL, ULong.MAX_VALUE, random.nextULong()).random(random)
            ByteArray::class -> random.nextBytes(random.nextInt(300))
            List::class -> List(random.nextInt(4)) { any(random, type.arguments.single().type!!) }
            else -> record(random, kind)
        }
    }

    private fun record(
        random: Random,
        kind: KClass<*>,
    ): Any {
        kind.java.enumConstants?.let { return it.random(random) }
        kind.objectInstance?.let { return it }
        if (kind.isSealed) return record(random, kind.sealedSubclasses.random(random))
        val made = kind.primaryConstructor!!
        return made.callBy(made.parameters.associateWith { any(random, it.type) })
    }

    @Test
    fun `there and back`() {
        val seed = System.getenv("SEED")?.toInt() ?: 20_261_121
        println("seed $seed")
        val random = Random(seed)
        repeat(200) {
            val records = any(random, typeOf<PlantedRecords>()) as PlantedRecords
            val echo = plantedEcho(records)
            assertEquals(plain(records), plain(echo), "seed $seed, round $it")
            // Words without a field are told apart by their class.
            assertEquals(records.vendorEvents.map { event -> event::class }, echo.vendorEvents.map { event -> event::class })
        }
    }
}
