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

        // Days later.
        for _ in 0..<5 {
            try stall.world.advance(ms: 86_400_000)
            try await stall.till.tick()
            _ = try await stall.till.sync(budgetMs: 60_000)
        }
        let payment = try await stall.till.payment(paymentId: payments[0].paymentId).payment
        #expect((payment.stage, payment.evidence) == ("arrived", "bank_notification"))
        let payout = try await stall.till.payout(payoutId: payment.payoutId ?? "")
        #expect((payout.payout.status, payout.payout.differenceMinor) == ("arrived", 0))
        #expect(payout.entries.map(\.netMinor).reduce(0, +) == payout.payout.netMinor)
        let sums = try await stall.till.takings(fromDay: "2026-11-01", toDay: "2026-11-30")
        #expect(sums == [TakingsLine(stage: "arrived", currency: "CNY", count: 1, amountMinor: 2580)])
        #expect(try await stall.till.verify().sound)
    }

    @Test func theSameSeedMakesTheSameLedger() async throws {
        var chains: [String] = []
        for seed: UInt64 in [7, 7, 8] {
            let stall = try await Stall(seed: seed)
            _ = try await stall.sell(990, order: "S-1")
            chains.append(try stall.chain)
        }
        #expect(chains[0] == chains[1])
        #expect(chains[0] != chains[2])
    }

    @Test func aPageHoldsWhatItIsAskedFor() async throws {
        let stall = try await Stall(seed: 9)
        try stall.world.setLine(state: "down")
        for number in 1...5 { _ = try await stall.sell(Int64(number * 100), order: "N-\(number)") }
        var amounts: [Int64] = []
        for try await payment in stall.till.everyPayment(PaymentQuery(limit: 2)) { amounts.append(payment.amountMinor) }
        #expect(amounts == [500, 400, 300, 200, 100])
        let error = await takingsError { _ = try await stall.till.payment(paymentId: "none") }
        #expect(error?.isWorthRetrying == false)
    }
}
