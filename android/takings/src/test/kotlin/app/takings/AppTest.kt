package app.takings

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.file.Files
import java.security.KeyPairGenerator
import java.security.spec.ECGenParameterSpec
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import javax.crypto.KeyGenerator
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.ZERO
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

/** The sandbox acquirer as a process of its own, behind HTTP. */
private class Acquirer : AutoCloseable {
    private val process =
        ProcessBuilder(System.getProperty("takings.sandbox"), "--real-clock", "--now-ms", "${System.currentTimeMillis()}")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()
    val url: String = read(process.inputStream.bufferedReader().readLine(), "listening")

    fun activationCode(): String {
        val body = HttpRequest.BodyPublishers.ofString("{}")
        val asked =
            HttpRequest
                .newBuilder(URI("$url/admin/activation-codes"))
                .header("content-type", "application/json")
                .POST(body)
                .build()
        return read(HttpClient.newHttpClient().send(asked, HttpResponse.BodyHandlers.ofString()).body(), "activation_code")
    }

    private fun read(
        json: String,
        member: String,
    ) = Json
        .parseToJsonElement(json)
        .jsonObject
        .getValue(member)
        .jsonPrimitive.content

    override fun close() {
        process.outputStream.close() // It ends with its standard input.
        process.waitFor(10, TimeUnit.SECONDS)
    }
}

/** A phone's key, of the platform's own kind. What happens when it signs can be set. */
private class PhoneKey(
    private val key: DeviceKey = made(),
) : DeviceKey by key {
    @Volatile
    var before: () -> Unit = {}

    override fun sign(bytes: ByteArray): ByteArray {
        before()
        return key.sign(bytes)
    }

    companion object {
        fun made(): DeviceKey {
            val pair =
                KeyPairGenerator
                    .getInstance("EC")
                    .apply { initialize(ECGenParameterSpec("secp256r1")) }
                    .generateKeyPair()
            return KeyPairDeviceKey(pair.private, pair.public)
        }
    }
}

/** What an app implements throws, blocks, or calls back. */
class AppTest {
    private val folder: File = Files.createTempDirectory("takings").toFile()
    private val dir = folder.resolve("ledger").path
    private val seal = KeyGenerator.getInstance("AES").apply { init(256) }.generateKey()
    private val vault = SealedFileVault(folder.resolve("key"), seal)
    private val key = PhoneKey()
    private val log = CopyOnWriteArrayList<String>()

    /** JUnit runs no test that returns something. */
    private fun withTill(day: suspend (Till, CardReader) -> Unit) {
        runBlocking {
            Acquirer().use { acquirer ->
                val sink =
                    object : LogSink {
                        override fun write(
                            level: String,
                            target: String,
                            text: String,
                        ) {
                            log += target
                            error("a log that throws")
                        }
                    }
                val till = Till.open(TillConfig(dir, acquirer.url, "1", Language.EN), key, vault, sink)
                till.activate(acquirer.activationCode())
                val demo = DemoWorld(1uL, SATURDAY_MS).newReader()
                val reader = CardReader(DemoLink(demo).also { repeat(2) { demo.present(card()) } }, ZERO)
                day(till, reader)
                key.before = {}
                assertTrue(till.verify().sound)
                till.shutdown()
                till.close()
            }
        }
        folder.deleteRecursively()
    }

    @Test
    fun `keys of the platform's own kind activate and pay`() =
        withTill { till, reader ->
            assertEquals(ChargeOutcome.Approved(500), reader.charge(till, request(500, "K-1")).outcome)
        }

    @Test
    fun `a key that throws fails the call and a charge in flight survives`() =
        withTill { till, reader ->
            till.charge(request(500, "K-2")).use { charge ->
                key.before = { error("the secure element is busy") }
                assertFailsWith<TakingsException> { till.signOn() }
                // What is no exception fails it, too, and is not taken for a signature.
                key.before = { throw NoClassDefFoundError("acme/SecureElement") }
                assertFailsWith<TakingsException> { till.signOn() }
                assertEquals(ChargeOutcome.Saved, reader.take(charge))
            }
            key.before = {}
            assertEquals(1u, till.sync(BUDGET_MS).approved)
            eventually("it is in the log") { "sign_on" in log }
        }

    @Test
    fun `a key that blocks for five seconds delays and does not lock`() =
        withTill { till, reader ->
            till.charge(request(500, "K-3")).use { charge ->
                val held = CountDownLatch(1)
                key.before = { held.await(5, TimeUnit.SECONDS) }
                val taken =
                    measureTime {
                        coroutineScope {
                            launch(Dispatchers.Default) { runCatching { till.signOn() } }
                            assertTrue(reader.take(charge) in listOf(ChargeOutcome.Saved, ChargeOutcome.Approved(500)))
                        }
                    }
                held.countDown()
                assertTrue(taken < 30.seconds, "$taken")
            }
        }

    @Test
    fun `a key that calls back is refused at once or after its own wait`() =
        withTill { till, _ ->
            val said = CopyOnWriteArrayList<String>()
            key.before = {
                val refused = runCatching { runBlocking { till.status() } }.exceptionOrNull()
                said += (refused as? TakingsException)?.code ?: "$refused"
            }
            till.signOn()
            assertEquals(setOf("called_back"), said.toSet())
            key.before = {
                thread { runCatching { runBlocking { till.status() } } }.join(500)
                said += "waited"
            }
            till.signOn()
            assertTrue("waited" in said)
        }

    @Test
    fun `a vault that throws is an error and one that forgot is found out`() {
        val broken =
            object : KeyVault {
                override fun load(): ByteArray? = throw NoClassDefFoundError("acme/KeyStore")

                override fun store(key: ByteArray): Unit = error("no key store")
            }
        val config = TillConfig(dir, "http://127.0.0.1:9", "1", Language.EN)
        runBlocking {
            assertEquals("callback", assertFailsWith<TakingsException.Internal> { Till.open(config, key, broken, null) }.code)
            Till.open(config, key, vault, null).apply { shutdown() }.close()
            folder.resolve("key").delete()
            assertEquals("key_lost", assertFailsWith<TakingsException.Storage> { Till.open(config, key, vault, null) }.code)
            assertTrue(atStake(dir) != null)
        }
        folder.deleteRecursively()
    }

    @Test
    fun `a vault keeps what it was given sealed and says when it cannot`() {
        assertEquals(null, vault.load())
        val secret = ByteArray(32) { it.toByte() }
        vault.store(secret)
        assertContentEquals(secret, vault.load())
        val file = folder.resolve("key")
        val kept = file.readBytes()
        assertTrue(kept.toList().windowed(8).none { it == secret.take(8) })
        vault.store(secret)
        assertTrue(!kept.contentEquals(file.readBytes()), "the same seal twice")
        for (spoilt in listOf(kept.copyOf(20), kept.copyOf(3), kept.apply { this[15] = (this[15] + 1).toByte() })) {
            file.writeBytes(spoilt)
            assertEquals("key_vault", assertFailsWith<TakingsException.Storage> { vault.load() }.code)
        }
        folder.deleteRecursively()
    }
}
