package app.takings

import kotlinx.coroutines.flow.Flow
import java.io.IOException

/**
 * Another maker's card reader behind its own SDK: what an app implements, for a [VendorCardReader]. It runs as Quick Chip
 * and hands out ciphertext that the acquirer's host alone can open; see [VendorReader] for what it must keep to.
 *
 * [start], [cancel] and [chooseApplication] are called on a thread of the library's, one after the other. They ask the SDK
 * for something and return, within ten seconds; what they throw means that it was not done. They may not wait for the till
 * or the charge: a call back on their thread is an error. What the SDK says, on any thread and also while it is asked, goes
 * into [events].
 */
public interface VendorSdk {
    /**
     * Connects the SDK to its reader, or finds it connected, and says what it knows of it. Called again after a loss, and
     * for the next payment.
     *
     * @throws IOException when it gives up: the charge is then cancelled, if its card was not read yet.
     */
    @Throws(IOException::class, kotlin.coroutines.cancellation.CancellationException::class)
    public suspend fun connect(): VendorAbout

    /**
     * What the SDK says, in its order, from the last [connect] on; none may be dropped: a channel without a bound carries
     * it best. Ends when the connection is gone. Collected once for each connection, from before [start] is called.
     */
    public fun events(): Flow<VendorEvent>

    /**
     * Take a payment. [VendorEvent.Started] is awaited within twenty seconds, with the [VendorStart.charge] of the start that
     * it runs; one with another is of an older payment, and passed over with all that follows it.
     */
    public fun start(request: VendorStart)

    /** Stop if that is still possible. */
    public fun cancel()

    /** The cardholder chose this of the applications that the SDK offered, counted from 0. */
    public fun chooseApplication(index: Int)

    /** The charge needs the reader no more. An SDK may well stay connected; what it throws changes nothing. */
    public suspend fun disconnect() {}
}
