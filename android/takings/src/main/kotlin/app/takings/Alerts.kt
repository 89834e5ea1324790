package app.takings

import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

private const val ALERTS_AT_ONCE = 20u

/**
 * What the merchant has to hear, in order, for as long as it is collected.
 *
 * An alert is acknowledged when the collector is done with it, and never comes again. One whose collector failed or was
 * cancelled (also by `first()` or `take(n)`, for the last one) comes again the next time. With a `buffer` or a `flowOn`
 * between, alerts would count as heard before they were: put none there.
 *
 * @param every how often to look for new ones; one short read each.
 * @throws TakingsException as the till's own calls do; the alert it happened at comes again.
 */
public fun TillInterface.alerts(every: Duration = 2.seconds): Flow<AlertView> =
    flow {
        while (true) {
            emitAll(waitingAlerts())
            delay(every)
        }
    }

/** As [alerts], but ends when none is left: for a sync in the background. */
public fun TillInterface.waitingAlerts(): Flow<AlertView> =
    flow {
        while (true) {
            val waiting = nextAlerts(ALERTS_AT_ONCE)
            if (waiting.isEmpty()) return@flow
            for (alert in waiting) {
                emit(alert)
                acknowledge(alert.alert)
            }
        }
    }
