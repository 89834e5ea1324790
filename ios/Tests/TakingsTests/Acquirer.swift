import Foundation
import Takings

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The sandbox acquirer as a process behind HTTP, for tills that are opened as an app opens them.
final class Acquirer: @unchecked Sendable {
    let url: String
    private let process = Process()
    private let input = Pipe()

    init() throws {
        guard let program = ProcessInfo.processInfo.environment["SANDBOX"] else { throw Unexpected("SANDBOX is not set") }
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--real-clock", "--now-ms", String(Int(Date().timeIntervalSince1970 * 1000))]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Unexpected("the acquirer does not start") }
            line += more
        }
        url = try JSONDecoder().decode([String: String].self, from: line)["listening"] ?? ""
    }

    deinit {
        // It ends with its standard input.
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    func activationCode() async throws -> String {
        var asked = URLRequest(url: URL(string: url + "/admin/activation-codes")!)
        asked.httpMethod = "POST"
        asked.httpBody = Data("{}".utf8)
        asked.setValue("application/json", forHTTPHeaderField: "content-type")
        let (body, _) = try await URLSession.shared.data(for: asked)
        return try JSONDecoder().decode([String: String].self, from: body)["activation_code"] ?? ""
    }

    /// A till of an app on this phone, and its directory.
    func till(_ key: Key, _ vault: any KeyVault, _ log: (any LogSink)? = nil) async throws -> (till: Till, dir: String) {
        let dir = try Stall.freshDirectory()
        let config = TillConfig(dir: dir, acquirerUrl: url, appVersion: "1.0", language: .en)
        return (try await Till.open(config: config, deviceKey: key, keyVault: vault, logSink: log), dir)
    }
}

/// A phone's key by OpenSSL. What it does before it signs can be set.
final class Key: DeviceKey, @unchecked Sendable {
    private let key: OpaquePointer
    private let lock = NSLock()
    private var hook: @Sendable () throws -> Void = {}

    /// A key of its own for each seed.
    init(seed: UInt8) throws {
        var secret = [UInt8](repeating: seed, count: 32)
        guard let key = OpenSSL.newPrivateKey(OpenSSL.ed25519, nil, &secret, 32) else { throw Unexpected("no key") }
        self.key = key
    }

    func before(_ hook: @escaping @Sendable () throws -> Void) { lock.withLock { self.hook = hook } }

    func algorithm() throws -> String { "ed25519" }

    func publicKey() throws -> Data {
        var bytes = [UInt8](repeating: 0, count: 32)
        var length = 32
        guard OpenSSL.rawPublicKey(key, &bytes, &length) == 1 else { throw Unexpected("no public key") }
        return Data(bytes)
    }

    func sign(bytes: Data) throws -> Data {
        try lock.withLock { hook }()
        let context = OpenSSL.newContext()
        defer { OpenSSL.freeContext(context) }
        var signature = [UInt8](repeating: 0, count: 64)
        var length = 64
        let message = [UInt8](bytes)
        guard OpenSSL.signInit(context, nil, nil, nil, key) == 1,
            OpenSSL.sign(context, &signature, &length, message, message.count) == 1
        else { throw Unexpected("no signature") }
        return Data(signature)
    }
}

/// The few calls of libcrypto that sign with Ed25519: Foundation on Linux has no cryptography.
private enum OpenSSL {
    nonisolated(unsafe) private static let library = dlopen("libcrypto.so.3", RTLD_NOW)
    private static func call<T>(_ name: String, as type: T.Type) -> T { unsafeBitCast(dlsym(library, name), to: type) }

    static let ed25519: Int32 = 1087
    static let newPrivateKey = call(
        "EVP_PKEY_new_raw_private_key",
        as: (@convention(c) (Int32, OpaquePointer?, UnsafePointer<UInt8>, Int) -> OpaquePointer?).self)
    static let rawPublicKey = call(
        "EVP_PKEY_get_raw_public_key",
        as: (@convention(c) (OpaquePointer, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<Int>) -> Int32).self)
    static let newContext = call("EVP_MD_CTX_new", as: (@convention(c) () -> OpaquePointer?).self)
    static let freeContext = call("EVP_MD_CTX_free", as: (@convention(c) (OpaquePointer?) -> Void).self)
    static let signInit = call(
        "EVP_DigestSignInit",
        as: (@convention(c) (OpaquePointer?, OpaquePointer?, OpaquePointer?, OpaquePointer?, OpaquePointer) -> Int32).self)
    static let sign = call(
        "EVP_DigestSign",
        as: (@convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<Int>, UnsafePointer<UInt8>, Int
        ) -> Int32).self)
}
