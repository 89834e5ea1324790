package app.takings

import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * One card reader of another maker, behind its [sdk]. It stands where a [CardReader] would: the charges, the screen and
 * the outcomes are the same. One for each SDK, for all its charges: while the SDK has not returned from a start that was
 * given up, the next charge ends at once, uncharged. From its first charge on it has a thread, until it is collected as garbage.
 *
 * @param lastWords how long the SDK may be silent after the charge is decided, before its reader is let go.
 * @param readerWithin how long `connect` may take, each time, before the charge is cancelled if its card was not read yet.
 */
public class VendorCardReader(
    private val sdk: VendorSdk,
    lastWords: Duration = 1.seconds,
    readerWithin: Duration = 60.seconds,
) : CardTaker(lastWords, readerWithin) {
    /** Made once: a start that was given up stops the next charge's until it is back. */
    private val lane by lazy { VendorLane(SdkReader(sdk)) }

    override fun carrier(charge: ChargeInterface): Carrier = SdkCarrier(charge, sdk, lane)
}
