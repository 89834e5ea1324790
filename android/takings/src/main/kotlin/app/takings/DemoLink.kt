package app.takings

import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.consumeAsFlow

/**
 * The link to a reader that is not there, for the demo mode and for tests. Let a customer come with
 * `DemoReader.present(card)` before the charge, or with [present] during it. It needs no patience: give the [CardReader] no
 * `lastWords`.
 */
public class DemoLink(
    private val reader: DemoReader,
    private val valueLen: Int = 244,
) : ReaderLink {
    @Volatile
    private var values = Channel<ByteArray>(Channel.UNLIMITED)

    override suspend fun connect(): Int {
        values = Channel(Channel.UNLIMITED)
        reader.linkUp(valueLen.toUInt())
        listen()
        return valueLen
    }

    override fun values(): Flow<ByteArray> = values.consumeAsFlow()

    override suspend fun write(value: ByteArray) {
        reader.receive(value)
        listen()
    }

    override suspend fun disconnect() {
        lose()
    }

    /** The link breaks; the charge connects again as long as that helps. */
    public fun lose() {
        if (values.close()) reader.linkDown()
    }

    /** A customer comes while the reader waits. */
    public fun present(card: DemoCard) {
        reader.present(card)
        listen()
    }

    /** Fetches what the reader has to say, for instance after time passed. */
    public fun listen() {
        while (true) values.trySend(reader.outbound() ?: break)
    }
}
