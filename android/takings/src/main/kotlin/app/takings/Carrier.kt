package app.takings

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emptyFlow
import kotlinx.coroutines.flow.map

/** Tells a charge what happened at its reader, on the connection of that number. */
internal typealias Tell = (generation: UInt) -> Step

/** What stands between one charge and its reader: a link that carries bytes, or a vendor's SDK. */
internal interface Carrier {
    /** Connects, and returns what tells the charge so. Throws an `IOException` when it gives up. */
    suspend fun connect(): Tell

    /** What comes from the reader since it was connected, as it is told to the charge; ends with the connection. */
    fun said(): Flow<Tell>

    /** How long its values may be from now on, as it is told to the charge. */
    fun resized(): Flow<Tell> = emptyFlow()

    /** Returns when the reader confirmed the value, or throws an `IOException`. */
    suspend fun write(value: ByteArray)

    suspend fun disconnect()
}

/** Bytes over Bluetooth. */
internal class LinkCarrier(
    private val charge: ChargeInterface,
    private val link: ReaderLink,
) : Carrier {
    override suspend fun connect(): Tell {
        val valueLen = link.connect().toUInt()
        return { charge.linkUp(valueLen, it) }
    }

    override fun said(): Flow<Tell> = link.values().map { value -> { charge.bytes(it, value) } }

    override fun resized(): Flow<Tell> = link.valueLengths().map { valueLen -> { charge.valueLength(it, valueLen.toUInt()) } }

    override suspend fun write(value: ByteArray) = link.write(value)

    override suspend fun disconnect() = link.disconnect()
}

/** Calls and callbacks of an SDK, whose [lane] outlives the charge. */
internal class SdkCarrier(
    private val charge: ChargeInterface,
    private val sdk: VendorSdk,
    private val lane: VendorLane,
) : Carrier {
    override suspend fun connect(): Tell {
        val about = sdk.connect()
        return { charge.vendorUp(lane, about, it) }
    }

    override fun said(): Flow<Tell> = sdk.events().map { event -> { charge.vendorEvent(it, event) } }

    /** A charge with an SDK writes no values: what the SDK is told, the core tells it. */
    override suspend fun write(value: ByteArray): Unit = error("an SDK has no bytes")

    override suspend fun disconnect() = sdk.disconnect()
}

/** The SDK as the core calls it. */
internal class SdkReader(
    private val sdk: VendorSdk,
) : VendorReader {
    override fun start(request: VendorStart) = sdk.start(request)

    override fun cancel() = sdk.cancel()

    override fun chooseApplication(index: UInt) = sdk.chooseApplication(index.toInt())
}
