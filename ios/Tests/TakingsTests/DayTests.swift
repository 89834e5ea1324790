import Foundation
import Takings
import Testing

@Suite struct DayTests {
    @Test func aSaleWithoutALineArrivesInTheBank() async throws {
        let stall = try await Stall(seed: 17)
        try stall.world.setLine(state: "down")
        let taken = try await stall.sell(2580, order: "A-17")
        #expect(taken.outcome == .saved)
        try stall.world.setLine(state: "up")
        let report = try await stall.till.sync(budgetMs: 60_000)
        #expect(report.ended == "done")
        #expect(report.approved == 1)
        var payments: [PaymentView] = []
        for try await payment in stall.till.everyPayment() { payments.append(payment) }
        #expect(payments.map(\.stage) == ["approved"])
        #expect(payments.first?.orderReference == "A-17")
        #expect(try await stall.till.verify().sound)
    }
}
