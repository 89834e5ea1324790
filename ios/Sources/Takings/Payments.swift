import TakingsBindings

/// Payments, newest first, fetched page by page as the loop goes on.
public struct Payments: AsyncSequence, Sendable {
    public typealias Element = PaymentView

    let till: Till
    let query: PaymentQuery

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(till: till, query: query)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let till: Till
        private var query: PaymentQuery?
        private var page: ArraySlice<PaymentView> = []

        init(till: Till, query: PaymentQuery) {
            self.till = till
            self.query = query
        }

        /// The next payment; nil after the last one, or once the task is cancelled.
        public mutating func next() async throws -> PaymentView? {
            while page.isEmpty {
                guard let asked = query, !Task.isCancelled else { return nil }
                let found = try await till.payments(query: asked)
                page = found.payments[...]
                query = found.next.map(asked.after)
            }
            return page.popFirst()
        }
    }
}

extension Till {
    /// Every payment that fits, newest first. `query.limit` is the size of a page.
    public func everyPayment(_ query: PaymentQuery = PaymentQuery()) -> Payments {
        Payments(till: self, query: query)
    }
}

extension PaymentQuery {
    /// The same question, continued after this page key.
    func after(_ key: String) -> PaymentQuery {
        PaymentQuery(
            stage: stage, fromDay: fromDay, toDay: toDay, amountMinor: amountMinor, lastFour: lastFour,
            orderReference: orderReference, text: text, after: key, limit: limit)
    }
}
