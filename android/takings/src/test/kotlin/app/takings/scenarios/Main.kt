package app.takings.scenarios

import kotlinx.coroutines.runBlocking
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import java.io.File
import java.io.PrintStream
import java.nio.file.Files
import kotlin.system.exitProcess

private fun read(file: File) = Json.parseToJsonElement(file.readText())

private class Runner(
    folder: File,
) {
    private val form = Form(read(folder.resolve("day.schema.json")).jsonObject)
    private val always = read(folder.resolve("always.json")).jsonObject

    fun result(file: File): JsonObject {
        val day = read(file).also(form::check).jsonObject
        val dir = Files.createTempDirectory("takings").toFile()
        try {
            val seen = runBlocking { Day(day, always, dir.path).play() }
            return JsonObject(seen + ("day" to JsonPrimitive(file.nameWithoutExtension)))
        } finally {
            dir.deleteRecursively()
        }
    }
}

/** Plays days at the market through the Kotlin binding; tests/scenarios/README.md says how. */
fun main(args: Array<String>) {
    val folder = File(System.getProperty("takings.root"), "tests/scenarios")
    val runner = Runner(folder)
    val days =
        args.map(::File).ifEmpty {
            folder
                .resolve("days")
                .listFiles { file -> file.extension == "json" }
                .orEmpty()
                .sortedBy { it.name }
        }
    val out = PrintStream(System.out, true, "UTF-8")
    var code = 0

    fun complain(
        file: File,
        why: Exception,
        weight: Int,
    ) {
        System.err.println("${file.name}: ${why.message}")
        code = maxOf(code, weight)
    }
    for (file in days) {
        try {
            out.print(canonical(runner.result(file)) + "\n")
            out.flush()
        } catch (wrong: Wrong) {
            complain(file, wrong, 1)
        } catch (noDay: NoDay) {
            complain(file, noDay, 2)
        } catch (noJson: SerializationException) {
            complain(file, noJson, 2)
        }
    }
    exitProcess(code)
}
