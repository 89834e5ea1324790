package app.takings

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import kotlin.time.Duration

/**
 * One card reader, whoever made it. It speaks between the reader and a charge, one thing after the other, on a dispatcher of
 * its own: nothing overtakes anything, and the main thread never waits for the disk or for an SDK. One card at a time; a
 * second charge waits for the first. Holds nothing that must be closed.
 */
public sealed class CardTaker(
    lastWords: Duration,
    readerWithin: Duration,
) {
    private val patience = Patience(readerWithin, lastWords)
    private val serial: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(1)
    private val oneAtATime = Mutex()
    private val actions = Channel<Action>(Channel.UNLIMITED)
    private var generation = 0u

    internal abstract fun carrier(charge: ChargeInterface): Carrier

    /**
     * Takes one payment: starts the charge, takes the card, and says how the payment stands.
     *
     * Cancelling the coroutine lets the reader go: nothing is charged if the card was not read; else the payment is in the
     * till's lists, as far as it came. It takes a second at most, but for an SDK that blocks, which is waited for. To stop
     * the reader politely and hear the outcome, call [cancel].
     *
     * Once [ChargeScreen.decided] was told an outcome, that is what is returned, whatever fails afterwards: the last word's
     * commit, the reader, or the screen.
     *
     * @throws TakingsException as `Till.charge` does, and where the charge failed before it was decided.
     */
    public suspend fun charge(
        till: TillInterface,
        request: ChargeRequest,
        screen: ChargeScreen = object : ChargeScreen {},
    ): Charged = till.charge(request).use { Charged(it.paymentId(), take(it, screen)) }

    /** Takes the card of a charge that was started. */
    public suspend fun take(
        charge: ChargeInterface,
        screen: ChargeScreen = object : ChargeScreen {},
    ): ChargeOutcome =
        oneAtATime.withLock {
            forgetOldActions()
            coroutineScope {
                val telling = Telling(screen)
                val told = launch { telling.run() }
                try {
                    withContext(serial) {
                        Conversation(charge, carrier(charge), telling, patience, actions) { ++generation }.whole()
                    }
                } finally {
                    telling.close()
                    told.join()
                }
            }
        }

    /** A button that was pressed when there was nothing to stop stops nothing later. */
    private fun forgetOldActions() {
        do {
            val old = actions.tryReceive()
        } while (old.isSuccess)
    }

    /**
     * Asks the reader to stop, as the merchant's button does: a request, not an outcome. Returns at once, on any thread. An
     * SDK that is just being asked for something hears of it when that call returned, or after ten seconds.
     */
    public fun cancel() {
        actions.trySend(Action.Cancel)
    }
}

/** What a person did while a card was taken. */
internal sealed interface Action {
    data object Cancel : Action

    data class Choose(
        val question: Int,
        val index: Int,
    ) : Action
}
