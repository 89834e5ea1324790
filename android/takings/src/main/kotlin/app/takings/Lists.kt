package app.takings

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * Payments page by page, newest first. The next page is read when the collector is done with the one before, so that a
 * list that stops scrolling stops reading. `query.limit` is the size of a page, 50 if not given.
 */
public fun TillInterface.paymentPages(query: PaymentQuery = PaymentQuery()): Flow<PaymentsPage> =
    pages(query.after, { payments(query.copy(after = it)) }, PaymentsPage::next)

/** All payments that match, newest first, read page by page as they are collected. */
public fun TillInterface.allPayments(query: PaymentQuery = PaymentQuery()): Flow<PaymentView> =
    flow { paymentPages(query).collect { page -> page.payments.forEach { emit(it) } } }

/** Payouts page by page, newest first, as [paymentPages]. */
public fun TillInterface.payoutPages(query: PayoutQuery = PayoutQuery()): Flow<PayoutsPage> =
    pages(query.after, { payouts(query.copy(after = it)) }, PayoutsPage::next)

/** All payouts that match, newest first. */
public fun TillInterface.allPayouts(query: PayoutQuery = PayoutQuery()): Flow<PayoutView> =
    flow { payoutPages(query).collect { page -> page.payouts.forEach { emit(it) } } }

private fun <Page> pages(
    start: String?,
    read: suspend (after: String?) -> Page,
    next: (Page) -> String?,
): Flow<Page> =
    flow {
        var after = start
        do {
            val page = read(after)
            emit(page)
            after = next(page)
        } while (after != null)
    }
