import Foundation
import Takings

/// A stall with a till that is signed on, a reader and a directory that goes with it.
final class Stall: Sendable {
    let world: DemoWorld
    let till: Till
    let reader: DemoReader
    let dir: String

    /// Saturday 2026-11-21, 10:00 in Shanghai.
    static let start: Int64 = 1_795_226_400_000

    init(seed: UInt64) async throws {
        dir = try Self.freshDirectory()
        world = try DemoWorld(seed: seed, startMs: Self.start)
        till = try await world.openTill(dir: dir, language: .en)
        reader = try world.newReader()
        _ = try await till.activate(activationCode: try world.activationCode())
    }

    deinit {
        try? FileManager.default.removeItem(atPath: dir)
    }

    func sell(_ amountMinor: Int64, order: String, card: DemoCard = DemoCard(lastFour: "4242", entry: .chip)) async throws
        -> CardTaken
    {
        let charge = try await till.charge(request: .sale(amountMinor, order: order))
        return try reader.takeCard(charge: charge, play: CardPlay(card: card))
    }

    /// The last link of the ledger's hash chain.
    var chain: String {
        get throws { try world.chainHash(dir: dir) }
    }

    static func freshDirectory() throws -> String {
        let dir = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: dir, withIntermediateDirectories: true)
        return dir.path
    }
}

extension ChargeRequest {
    static func sale(_ amountMinor: Int64, order: String? = nil) -> ChargeRequest {
        ChargeRequest(amountMinor: amountMinor, currency: "CNY", orderReference: order, mode: .preferOnline)
    }
}
