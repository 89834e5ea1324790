import Foundation
import Takings
import Testing

/// Run alone: it counts the threads and files of the whole process.
@Suite struct LeftBehindTests {
    private func once(_ seed: UInt64) async throws {
        let stall = try await Stall(seed: seed)
        let till = stall.till
        let tasks = (0..<5).map { _ in Task { try await till.sync(budgetMs: 60_000) } }
        for task in tasks {
            task.cancel()
            _ = await task.result
        }
        let loop = Task { for try await _ in till.alerts() {} }
        loop.cancel()
        _ = await loop.result
        let charge = try await till.charge(request: .sale(500))
        let link = try DemoLink(stall, visits: [.card(DemoCard(lastFour: "4242", entry: .chip))])
        _ = try await charge.take(over: link, pause: link.pause)
        try await till.shutdown()
    }

    private func left() throws -> (threads: [String], files: Int) {
        (threads().filter { $0.hasPrefix("takings") }, try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count)
    }

    @Test func noThreadAndNoFileIsLeft() async throws {
        try await once(1)
        let before = try left()
        for seed in 2..<8 { try await once(UInt64(seed)) }
        // A thread ends a moment after the one it told.
        let patience = ContinuousClock.now + .seconds(10)
        while try left().threads.count > before.threads.count || left().files > before.files, .now < patience {
            await Task.yield()
        }
        let after = try left()
        #expect(after.threads == before.threads)
        #expect(after.files <= before.files)
    }
}
