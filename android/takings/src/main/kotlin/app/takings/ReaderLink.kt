package app.takings

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emptyFlow
import java.io.IOException

/**
 * The way to one card reader: what an app implements over Bluetooth. It carries bytes and understands none.
 *
 * Every function suspends instead of blocking, and may be called on any thread.
 */
public interface ReaderLink {
    /**
     * Connects, turns notifications on, and returns the usable length of one value in bytes (the ATT MTU less 3). Called
     * again after a loss.
     *
     * @throws IOException when it gives up: the charge is then cancelled, if its card was not read yet.
     */
    @Throws(IOException::class, kotlin.coroutines.cancellation.CancellationException::class)
    public suspend fun connect(): Int

    /**
     * The reader's values in the order in which they came, from the last [connect] on; none may be dropped. Ends when the
     * link is gone. Collected once for each connection.
     */
    public fun values(): Flow<ByteArray>

    /**
     * The usable length of one value, each time it changes while the link is up: a phone may agree on a larger MTU late.
     * Never, unless overridden. Collected once for each connection, beside [values].
     */
    public fun valueLengths(): Flow<Int> = emptyFlow()

    /**
     * Writes one value and returns when the reader confirmed it.
     *
     * @throws IOException if it was not confirmed.
     */
    @Throws(IOException::class, kotlin.coroutines.cancellation.CancellationException::class)
    public suspend fun write(value: ByteArray)

    /** Lets the reader go, at the end of each charge. Without effect if there is no link; what it throws changes nothing. */
    public suspend fun disconnect()
}
