package app.takings

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import java.io.File
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals

/** The example that the READMEs quote: what stands between the marks is what stands there. */
class QuickStartTest {
    private val shown = CompletableDeferred<String>()

    private fun show(text: String) {
        shown.complete(text)
    }

    private fun notify(text: String) = check(text.isNotBlank())

    @Suppress("ktlint:standard:max-line-length")
    private suspend fun quickStart(dir: String) =
        coroutineScope {
            // begin
            val world = DemoWorld(seed = 17u, startMs = 1_795_226_400_000) // a Saturday; no hardware, no network
            val till = world.openTill(dir, Language.EN)    // on a phone: PhoneKeys(context).openTill(…)
            till.activate(world.activationCode())          // once, with the code from the acquirer
            val reader = CardReader(DemoLink(world.newReader().apply { present(DemoCard(entry = CardEntry.CHIP)) }))
            val alerts = launch { till.alerts().collect { notify(it.text(Language.EN)) } } // each told until it was heard
            val sale = reader.charge(till, ChargeRequest(12_50, "CNY", orderReference = "A-1", mode = ChargeMode.PREFER_ONLINE))
            when (val outcome = sale.outcome) {
                is ChargeOutcome.Saved -> show("Thank you")
                is ChargeOutcome.Approved -> show("Approved: ${outcome.approvedMinor}") // less than asked: the rest is due
                is ChargeOutcome.NotCharged -> show("Not charged: ${outcome.causeText(Language.EN)}")
                is ChargeOutcome.NotConfirmed -> show("Wait: do not hand over, do not charge again")
            }
            println(till.payment(sale.paymentId).payment.stageText(Language.EN)) // where the money is
            // end
            alerts.cancel()
            till.shutdown()
            till.close()
        }

    @Test
    fun `it works as written`() =
        atTheStall {
            quickStart(dir)
            assertEquals("Approved: 1250", shown.await())
        }

    @Test
    fun `the readme quotes it`() {
        val root = File(System.getProperty("takings.root"))
        val source = root.resolve("android/takings/src/test/kotlin/app/takings/QuickStartTest.kt").readText()
        val example = source.substringAfter("// begin\n").substringBefore("            // end").trimIndent()
        assertContains(root.resolve("android/README.md").readText(), "```kotlin\n$example\n```")
        val readme = root.resolve("README.md").readText()
        if ("```kotlin" in readme) assertContains(readme, "```kotlin\n$example\n```")
    }
}
