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

    private func threadsOfTheLibrary() -> [String] { threads().filter { $0.hasPrefix("takings") } }

    private func openFiles() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }

    /// A thread ends a moment after the one it told, and its files with it.
    private func settled(_ isSettled: () throws -> Bool) async throws {
        let patience = ContinuousClock.now + .seconds(10)
        while try !isSettled(), .now < patience { await Task.yield() }
    }

    @Test func noThreadAndNoFileIsLeft() async throws {
        try await once(1)
        try await settled { threadsOfTheLibrary().isEmpty }
        #expect(threadsOfTheLibrary() == [])
        let files = try openFiles()
        for seed in 2..<8 { try await once(UInt64(seed)) }
        try await settled { try threadsOfTheLibrary().isEmpty && openFiles() <= files }
        #expect(threadsOfTheLibrary() == [])
        #expect(try openFiles() <= files)
    }
}
