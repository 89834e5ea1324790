package app.takings

import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.consumeAsFlow
import java.io.IOException
import java.util.concurrent.CopyOnWriteArrayList

/** Another maker's SDK, scripted: what it does when it is told to start, and what it was told. */
class FakeSdk(
    private var connections: Int = Int.MAX_VALUE,
    @Volatile var onStart: FakeSdk.() -> Unit = {},
) : VendorSdk {
    val told = CopyOnWriteArrayList<String>()

    @Volatile
    var asked: VendorStart? = null

    @Volatile
    var onCancel: FakeSdk.() -> Unit = { say(VendorEvent.Ended(VendorEnd.CANCELLED)) }

    var disconnects = 0
    var onDisconnect: () -> Unit = {}
    var onOutOfReach: suspend () -> Unit = {}

    @Volatile
    private var said = Channel<VendorEvent>(Channel.UNLIMITED)

    /** Said before the next connection, and heard on it. */
    var stale: List<VendorEvent> = emptyList()

    /** That it runs what it was asked for last. */
    val started: VendorEvent get() = VendorEvent.Started(asked!!.charge)

    override suspend fun connect(): VendorAbout {
        if (connections-- <= 0) {
            onOutOfReach()
            throw IOException("out of reach")
        }
        said = Channel(Channel.UNLIMITED)
        say(*stale.toTypedArray())
        return VendorAbout(serial = "WSC-0042", model = "Pocket")
    }

    override fun events(): Flow<VendorEvent> = said.consumeAsFlow()

    override fun start(request: VendorStart) {
        asked = request
        told += "start"
        onStart()
    }

    override fun cancel() {
        told += "cancel"
        onCancel()
    }

    override suspend fun disconnect() {
        disconnects += 1
        onDisconnect()
    }

    override fun chooseApplication(index: Int) {
        told += "choose $index"
        say(sealed(), DONE)
    }

    /** On any thread. */
    fun say(vararg events: VendorEvent) {
        for (event in events) said.trySend(event)
    }

    /** The connection breaks. */
    fun lose() {
        said.close()
    }

    companion object {
        val DONE = VendorEvent.Ended(VendorEnd.DEFERRED)

        fun sealed(
            lastFour: String = "1232",
            ciphertext: ByteArray = ByteArray(96) { it.toByte() },
        ): VendorEvent =
            VendorEvent.CardData(
                VendorCard(
                    ciphertext = ciphertext,
                    format = "acme-dukpt",
                    keyId = "bdk-1",
                    ksnHex = "FFFF9876543210E00008",
                    maskedNumber = "621234******$lastFour",
                    entry = VendorEntry.CHIP,
                ),
            )
    }
}
