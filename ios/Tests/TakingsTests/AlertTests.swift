import Takings
import Testing

@Suite struct AlertTests {
    /// A stall with two customers gone whose banks then declined.
    private func stallWithAlerts(seed: UInt64) async throws -> Stall {
        let stall = try await Stall(seed: seed)
        try stall.world.setLine(state: "down")
        for order in ["D-1", "D-2"] {
            let taken = try await stall.sell(1000, order: order, card: DemoCard(lastFour: "0051", entry: .chip))
            #expect(taken.outcome == .saved)
        }
        try stall.world.setLine(state: "up")
        #expect(try await stall.till.sync(budgetMs: 60_000).declined == 2)
        return stall
    }

    @Test func p7_eachAlertIsToldUntilItWasHeardAndThenNoMore() async throws {
        let stall = try await stallWithAlerts(seed: 21)
        let all = try await stall.till.nextAlerts(max: 50)
        #expect(all.count >= 2)

        // The loop is left inside the first: that one was not heard.
        for try await alert in stall.till.waitingAlerts() {
            #expect(alert == all.first)
            break
        }
        #expect(try await stall.till.nextAlerts(max: 50) == all)

        // The loop comes to the second and fails there: the first was heard.
        await #expect(throws: Unexpected.self) {
            for try await alert in stall.till.waitingAlerts() where alert != all.first { throw Unexpected("no speaker") }
        }
        #expect(try await stall.till.nextAlerts(max: 50) == Array(all.dropFirst()))

        var heard: [AlertView] = []
        for try await alert in stall.till.waitingAlerts() { heard.append(alert) }
        #expect(heard == Array(all.dropFirst()))
        #expect(try await stall.till.nextAlerts(max: 50).isEmpty)
    }

    @Test func aLoopWaitsForWhatComesAndEndsWithItsTask() async throws {
        let stall = try await stallWithAlerts(seed: 22)
        let waiting = try await stall.till.nextAlerts(max: 50).count
        let (changes, change) = AsyncStream.makeStream(of: Void.self)
        let (told, tell) = AsyncStream.makeStream(of: AlertView.self)
        let till = stall.till
        let loop = Task {
            for try await alert in till.alerts(whenever: changes) { tell.yield(alert) }
            tell.finish()
        }
        var heard = told.makeAsyncIterator()
        for _ in 0..<waiting { _ = await heard.next() }

        try stall.world.setLine(state: "down")
        _ = try await stall.sell(1000, order: "D-3", card: DemoCard(lastFour: "0051", entry: .chip))
        try stall.world.setLine(state: "up")
        _ = try await till.sync(budgetMs: 60_000)
        change.yield()
        let late = await heard.next()
        #expect(late?.amountMinor == 1000)

        loop.cancel()
        try await loop.value
        // Cancelled while it waited for the next one: the last was heard.
        #expect(try await till.nextAlerts(max: 50).isEmpty)
    }
}
