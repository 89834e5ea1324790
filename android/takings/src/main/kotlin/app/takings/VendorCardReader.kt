package app.takings

import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * One card reader of another maker, behind its [sdk]. It stands where a [CardReader] would: the charges, the screen and
 * the outcomes are the same.
 *
 * @param lastWords how long the SDK may be silent after the charge is decided, before its reader is let go.
 */
public class VendorCardReader(
    private val sdk: VendorSdk,
    lastWords: Duration = 1.seconds,
) : CardTaker(lastWords) {
    override fun carrier(charge: ChargeInterface): Carrier = SdkCarrier(charge, sdk)
}
