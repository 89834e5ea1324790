package app.takings

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

    /**
     * The cardholder's choice among the applications of one card, counted from 0. The first, if nobody asks. Cancelled when
     * the charge is decided without it.
     */
    public suspend fun choose(applications: List<String>): Int = 0

    /**
     * How the charge stands: what is shown now is on the disk. The reader may still have a word to say; the call that
     * takes the card ends when it has.
     */
    public fun decided(outcome: ChargeOutcome) {}
}

/**
 * One card reader that the core speaks with itself: it carries the values between the [link] and a charge.
 *
 * @param lastWords how long the reader may be silent after the charge is decided, before it is let go.
 * @param readerWithin how long `connect` may take, each time, before the charge is cancelled if its card was not read yet.
 */
public class CardReader(
    private val link: ReaderLink,
    lastWords: Duration = 1.seconds,
    readerWithin: Duration = 60.seconds,
) : CardTaker(lastWords, readerWithin) {
    override fun carrier(charge: ChargeInterface): Carrier = LinkCarrier(charge, link)
}
