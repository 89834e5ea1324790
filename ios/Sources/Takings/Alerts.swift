import TakingsBindings

/// What the merchant must hear, in order, each until it was heard.
///
/// An alert counts as heard when the loop asks for the one after it: what the loop did not finish with, because it was
/// left, failed or the app ended, is told again next time. One loop at a time.
///
///     for try await alert in till.alerts() {
///         try await notify(alert)
///     }
public struct Alerts: AsyncSequence, Sendable {
    public typealias Element = AlertView

    let till: Till
    let pause: @Sendable () async throws -> Bool

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(till: till, pause: pause)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let till: Till
        let pause: @Sendable () async throws -> Bool
        private var waiting: [AlertView] = []
        private var told: UInt64?

        init(till: Till, pause: @escaping @Sendable () async throws -> Bool) {
            self.till = till
            self.pause = pause
        }

        /// The next alert; nil once the task is cancelled or `pause` says that nothing more is waited for.
        public mutating func next() async throws -> AlertView? {
            if let heard = told {
                // Before anything else: that the loop came back is the only sign that it was heard.
                try await till.acknowledge(upto: heard)
                told = nil
            }
            while waiting.isEmpty {
                if Task.isCancelled { return nil }
                waiting = try await till.nextAlerts(max: 50).reversed()
                if waiting.isEmpty, try await !paused() { return nil }
            }
            if Task.isCancelled { return nil }
            let alert = waiting.popLast()
            told = alert?.alert
            return alert
        }

        private func paused() async throws -> Bool {
            do {
                return try await pause()
            } catch is CancellationError {
                return false
            }
        }
    }
}

extension Till {
    /// The alerts of this till, those that wait and those to come. It is asked again after each `pause`; the loop ends when
    /// its task is cancelled.
    public func alerts(pause: Duration = .seconds(2)) -> Alerts {
        Alerts(till: self) {
            try await Task.sleep(for: pause)
            return true
        }
    }

    /// The alerts that wait now: the loop ends after the last of them.
    public func waitingAlerts() -> Alerts {
        Alerts(till: self) { false }
    }

    /// The alerts of this till, asked for again whenever `changed` says so; the loop ends with `changed`.
    public func alerts(whenever changed: AsyncStream<Void>) -> Alerts {
        Alerts(till: self) {
            for await _ in changed { return true }
            return false
        }
    }
}
