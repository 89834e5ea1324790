@file:Suppress("ktlint:standard:class-signature", "ktlint:standard:blank-line-before-declaration", "ktlint:standard:statement-wrapping")

package app.takings

import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.consumeAsFlow
import java.io.File
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.time.Duration.Companion.ZERO

/** An SDK as there may be one. */
class AcmeSdk {
    interface Listener {
        fun onRunning(reference: String)

        fun onText(text: String)

        fun onSealedCard(card: Sealed)

        fun onEnd(result: Int)

        fun onDisconnected()
    }

    class Sealed(
        val blob: ByteArray,
        val ksn: String,
        val maskedPan: String,
        val tapped: Boolean,
    )

    private lateinit var listener: Listener
    val serialNumber = "WSC-0042"
    var stopped = false
    var losses = 0

    fun connect(listener: Listener) {
        this.listener = listener
    }

    fun quickChip(
        amountMinor: Long,
        currency: Int,
        timeoutS: Int,
        reference: String,
    ) {
        check(amountMinor > 0 && currency == 156 && timeoutS > 0)
        listener.onRunning(reference)
        listener.onText("present_card")
        if (losses-- > 0) return listener.onDisconnected()
        listener.onSealedCard(Sealed(ByteArray(96) { it.toByte() }, "FFFF9876543210E00008", "621234******1232", tapped = true))
        listener.onEnd(0)
    }

    fun abort() {
        stopped = true
    }

    fun selectApplication(index: Int) = check(index >= 0)
}

// begin
class AcmeReader(private val acme: AcmeSdk) : VendorSdk, AcmeSdk.Listener {
    private var said = Channel<VendorEvent>(Channel.UNLIMITED) // whatever thread the SDK speaks on

    override suspend fun connect(): VendorAbout {
        said = Channel(Channel.UNLIMITED)
        acme.connect(this)
        return VendorAbout(serial = acme.serialNumber)
    }
    override fun events() = said.consumeAsFlow()
    override fun start(request: VendorStart) =
        acme.quickChip(request.amountMinor, request.currencyNumeric.toInt(), request.timeoutS.toInt(), reference = request.charge)
    override fun cancel() = acme.abort()
    override fun chooseApplication(index: Int) = acme.selectApplication(index)

    override fun onRunning(reference: String) { said.trySend(VendorEvent.Started(charge = reference)) }
    override fun onText(text: String) { said.trySend(VendorEvent.Prompt(text, cancellable = true)) }
    override fun onSealedCard(card: AcmeSdk.Sealed) { said.trySend(VendorEvent.CardData(card.forTheAcquirer())) }
    override fun onEnd(result: Int) { said.trySend(VendorEvent.Ended(if (result == 0) VendorEnd.DEFERRED else VendorEnd.FAILED)) }
    override fun onDisconnected() { said.close() }
}
// end

private fun AcmeSdk.Sealed.forTheAcquirer() =
    VendorCard(blob, "acme-dukpt", "bdk-1", ksn, maskedPan, if (tapped) VendorEntry.CONTACTLESS else VendorEntry.CHIP)

/** The adapter that the README quotes: what stands between the marks is what stands there. */
class VendorExampleTest {
    @Test
    fun `it works as written`() =
        atTheStall {
            val till = ready()
            val acme = AcmeSdk()
            val sale = VendorCardReader(AcmeReader(acme), ZERO).charge(till, request(1_250, "A-1"))
            assertEquals(ChargeOutcome.Approved(1_250), sale.outcome)
            val payment = till.payment(sale.paymentId).payment
            assertEquals(listOf("1232", "contactless"), listOf(payment.lastFour, payment.entryMode))
            assertEquals(false, acme.stopped)
        }

    @Test
    fun `a reader that goes before the card is started again`() =
        atTheStall {
            val till = ready()
            val acme = AcmeSdk().apply { losses = 2 }
            val sale = VendorCardReader(AcmeReader(acme), ZERO).charge(till, request(1_250, "A-1"))
            assertEquals(ChargeOutcome.Approved(1_250), sale.outcome)
        }

    @Test
    fun `the readme quotes it`() {
        val root = File(System.getProperty("takings.root"))
        val source = root.resolve("android/takings/src/test/kotlin/app/takings/VendorExampleTest.kt").readText()
        val example = source.substringAfter("// begin\n").substringBefore("// end\n")
        assertContains(root.resolve("android/README.md").readText(), "```kotlin\n$example```")
    }
}
