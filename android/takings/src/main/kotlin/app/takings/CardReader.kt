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
import kotlin.time.Duration.Companion.seconds

/** What became of a charge, and of which payment. */
public data class Charged(
    /** The payment in the till's lists. */
    val paymentId: String,
    /** How it stands. */
    val outcome: ChargeOutcome,
)

/**
 * What a charge shows while it runs. Called in the context of whoever takes the card: from the main thread, on the main
 * thread.
 */
public interface ChargeScreen {
    /** Something for the customer or the merchant to read. */
    public fun prompt(prompt: PromptView) {}

    /** The cardholder's choice among the applications of one card, counted from 0. The first, if nobody asks. */
    public suspend fun choose(applications: List<String>): Int = 0

    /**
     * How the charge stands: what is shown now is on the disk. The reader may still have a word to say; the call that
     * takes the card ends when it has.
     */
    public fun decided(outcome: ChargeOutcome) {}
}

/**
 * One card reader. It carries the values between the [link] and a charge, one after the other, on a dispatcher of its own:
 * values cannot overtake each other, and the main thread never waits for the disk. One card at a time; a second charge
 * waits for the first. Holds nothing that must be closed.
 *
 * @param lastWords how long the reader may be silent after the charge is decided, before it is let go.
 */
public class CardReader(
    private val link: ReaderLink,
    private val lastWords: Duration = 1.seconds,
) {
    private val serial: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(1)
    private val oneAtATime = Mutex()
    private val actions = Channel<Action>(Channel.UNLIMITED)
    private var generation = 0u

    /**
     * Takes one payment: starts the charge, takes the card, and says how the payment stands.
     *
     * Cancelling the coroutine lets the reader go: nothing is charged if the card was not read; else the payment is in the
     * till's lists, as far as it came. To stop the reader politely and hear the outcome, call [cancel].
     *
     * @throws TakingsException as `Till.charge` does.
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
                val said = Channel<suspend () -> Unit>(Channel.UNLIMITED)
                val telling = launch { for (tell in said) tell() }
                try {
                    withContext(serial) {
                        Conversation(charge, link, screen, lastWords, actions, said) { ++generation }.whole()
                    }
                } finally {
                    said.close()
                    telling.join()
                }
            }
        }

    /** A button that was pressed when there was nothing to stop stops nothing later. */
    private fun forgetOldActions() {
        do {
            val old = actions.tryReceive()
        } while (old.isSuccess)
    }

    /** Asks the reader to stop, as the merchant's button does: a request, not an outcome. */
    public fun cancel() {
        actions.trySend(Action.Cancel)
    }
}

/** What a person did while a card was taken. */
internal sealed interface Action {
    data object Cancel : Action

    data class Choose(
        val index: Int,
    ) : Action
}
