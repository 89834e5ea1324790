import Foundation
import Takings
import Testing

/// What an app implements throws, blocks, or calls back.
@Suite struct AppTests {
    final class Vault: KeyVault, @unchecked Sendable {
        private let kept = Collected<Data>()
        func load() throws -> Data? { kept.all.last }
        func store(key: Data) throws { kept.add(key) }
    }

    final class BrokenVault: KeyVault {
        func load() throws -> Data? { throw Unexpected("no keychain") }
        func store(key: Data) throws { throw Unexpected("no keychain") }
    }

    final class Log: LogSink {
        let lines = Collected<String>()
        func write(level: String, target: String, text: String) throws {
            lines.add(target)
            throw Unexpected("the log's disk is full")
        }
    }

    let card = CardPlay(card: DemoCard(lastFour: "4242", entry: .chip))

    /// Any reader: it needs no acquirer of its own.
    private func reader() throws -> DemoReader { try DemoWorld(seed: 1, startMs: Stall.start).newReader() }

    @Test func anAppsOwnKeyActivatesAndPays() async throws {
        let acquirer = try Acquirer()
        let (till, dir) = try await acquirer.till(try Key(seed: 1), Vault())
        defer { try? FileManager.default.removeItem(atPath: dir) }
        #expect(try await till.activate(activationCode: try await acquirer.activationCode()).merchantId == "M000001")
        let charge = try await till.charge(request: .sale(500))
        #expect(try reader().takeCard(charge: charge, play: card).outcome == .approved(approvedMinor: 500))
        try await till.shutdown()
    }

    @Test func aVaultThatThrowsIsAnError() async throws {
        let acquirer = try Acquirer()
        let key = try Key(seed: 2)
        let error = await takingsError { _ = try await acquirer.till(key, BrokenVault()) }
        #expect(error?.code == "callback")
    }

    @Test func aKeyThatThrowsFailsTheCallAndAChargeSurvives() async throws {
        let acquirer = try Acquirer()
        let (key, log) = (try Key(seed: 3), Log())
        let (till, dir) = try await acquirer.till(key, Vault(), log)
        defer { try? FileManager.default.removeItem(atPath: dir) }
        _ = try await till.activate(activationCode: try await acquirer.activationCode())
        let charge = try await till.charge(request: .sale(500))
        key.before { throw Unexpected("the enclave is busy") }
        await #expect(throws: TakingsError.self) { try await till.signOn() }
        // Nothing left the phone: the customer is served offline.
        #expect(try reader().takeCard(charge: charge, play: card).outcome == .saved)
        key.before {}
        #expect(try await till.sync(budgetMs: 60_000).approved == 1)
        #expect(try await till.verify().sound)
        try await till.shutdown()
        #expect(log.lines.all.contains("sign_on"))
    }

    @Test func aKeyThatBlocksDelaysAndLocksNothing() async throws {
        let acquirer = try Acquirer()
        let key = try Key(seed: 4)
        let (till, dir) = try await acquirer.till(key, Vault())
        defer { try? FileManager.default.removeItem(atPath: dir) }
        _ = try await till.activate(activationCode: try await acquirer.activationCode())
        let charge = try await till.charge(request: .sale(500))
        let (blocked, blocks) = AsyncStream.makeStream(of: Void.self)
        let released = DispatchSemaphore(value: 0)
        key.before {
            key.before {}
            blocks.yield()
            _ = released.wait(timeout: .now() + 5)
        }
        let signingOn = Task { try await till.signOn() }
        for await _ in blocked { break }
        // Reading goes on beside it; the charge waits at most as long as the key does.
        #expect(try await till.payments(query: PaymentQuery()).payments.count == 1)
        let taking = Task.detached { [card] in try reader().takeCard(charge: charge, play: card).outcome }
        let outcome = try await taking.value
        #expect(outcome == .saved || outcome == .approved(approvedMinor: 500))
        released.signal()
        _ = await signingOn.result
        _ = try await till.sync(budgetMs: 60_000)
        #expect(try await till.status().unsentCount == 0)
        #expect(try await till.verify().sound)
        try await till.shutdown()
    }

    @Test func aKeyThatCallsBackIsRefusedOrWaitsItsOwnTime() async throws {
        let acquirer = try Acquirer()
        let key = try Key(seed: 5)
        let (till, dir) = try await acquirer.till(key, Vault())
        defer { try? FileManager.default.removeItem(atPath: dir) }
        _ = try await till.activate(activationCode: try await acquirer.activationCode())
        let charge = try await till.charge(request: .sale(500))
        let said = Collected<String>()
        key.before {
            // On the thread that the till waits for.
            do { _ = try charge.tick() } catch let error as TakingsError { said.add(error.code) }
            // On another one, and waited for: the engine waits for this very signature.
            let done = DispatchSemaphore(value: 0)
            Task.detached {
                _ = try? await till.verify()
                done.signal()
            }
            said.add(done.wait(timeout: .now() + 0.2) == .success ? "answered" : "waited")
        }
        _ = try await till.signOn()
        key.before {}
        #expect(said.all.contains("called_back"))
        #expect(said.all.contains("waited"))
        #expect(try await till.verify().sound)
        #expect(try reader().takeCard(charge: charge, play: card).outcome == .approved(approvedMinor: 500))
        try await till.shutdown()
    }
}
