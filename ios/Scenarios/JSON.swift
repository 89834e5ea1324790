import Foundation

/// JSON as days and results have it: integers only.
enum JSON: Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    init(parsing text: String) throws {
        var parser = JSONParser(bytes: Array(text.utf8))
        self = try parser.whole()
    }

    subscript(name: String) -> JSON? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    var int: Int? {
        if case .int(let int) = self { int } else { nil }
    }

    var bool: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }

    var object: [String: JSON]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// A list, or an object's members.
    var elements: [JSON]? {
        switch self {
        case .list(let elements): elements
        case .object(let members): Array(members.values)
        default: nil
        }
    }

    /// The text that equal results share byte for byte.
    var canonical: String {
        var out = ""
        write(to: &out)
        return out
    }

    private func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let bool): out += bool ? "true" : "false"
        case .int(let int): out += String(int)
        case .text(let text): Self.write(text, to: &out)
        case .list(let elements):
            out += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { out += "," }
                element.write(to: &out)
            }
            out += "]"
        case .object(let members):
            out += "{"
            for (index, (name, member)) in members.inOrder.enumerated() {
                if index > 0 { out += "," }
                Self.write(name, to: &out)
                out += ":"
                member.write(to: &out)
            }
            out += "}"
        }
    }

    private static func write(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{8}": out += "\\b"
            case "\u{c}": out += "\\f"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\0"..."\u{1f}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}

extension Dictionary where Key == String {
    /// Members by name, by code point: that is the order of UTF-8's bytes. Swift's own order folds equivalent texts.
    var inOrder: [(key: String, value: Value)] {
        sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }
}

/// A text that is not JSON, or has a number that is no integer.
struct NotJSON: Error {
    let at: Int
}

private struct JSONParser {
    let bytes: [UInt8]
    var at = 0

    mutating func whole() throws -> JSON {
        let value = try self.value()
        skipSpace()
        guard at == bytes.count else { throw NotJSON(at: at) }
        return value
    }

    private mutating func value() throws -> JSON {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try list()
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try integer()
        }
    }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    private mutating func need(_ character: Unicode.Scalar) throws {
        guard take(character) else { throw NotJSON(at: at) }
    }

    private mutating func word(_ word: String, _ value: JSON) throws -> JSON {
        guard bytes[at...].starts(with: word.utf8) else { throw NotJSON(at: at) }
        at += word.utf8.count
        return value
    }

    private mutating func integer() throws -> JSON {
        let start = at
        while let byte = peek, byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte) { at += 1 }
        let isWhole = peek.map { !".eE".utf8.contains($0) } ?? true
        guard isWhole, let int = Int(String(decoding: bytes[start..<at], as: UTF8.self)) else { throw NotJSON(at: at) }
        return .int(int)
    }

    private mutating func list() throws -> JSON {
        try need("[")
        var elements: [JSON] = []
        if take("]") { return .list(elements) }
        repeat { elements.append(try value()) } while take(",")
        try need("]")
        return .list(elements)
    }

    private mutating func object() throws -> JSON {
        try need("{")
        var members: [String: JSON] = [:]
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            let name = try string()
            try need(":")
            members[name] = try value()
        } while take(",")
        try need("}")
        return .object(members)
    }

    private mutating func string() throws -> String {
        guard peek == UInt8(ascii: "\"") else { throw NotJSON(at: at) }
        at += 1
        var units: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\"") {
            at += 1
            if byte == UInt8(ascii: "\\") { try escaped(into: &units) } else { units.append(byte) }
        }
        guard peek != nil, let text = String(validating: units, as: UTF8.self) else { throw NotJSON(at: at) }
        at += 1
        return text
    }

    private mutating func escaped(into units: inout [UInt8]) throws {
        guard let byte = peek else { throw NotJSON(at: at) }
        at += 1
        switch byte {
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0c)
        case UInt8(ascii: "n"): units.append(0x0a)
        case UInt8(ascii: "r"): units.append(0x0d)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(byte)
        case UInt8(ascii: "u"):
            var unit = try hex()
            if (0xd800..<0xdc00).contains(unit) {
                _ = try word("\\u", .null)
                let low = try hex()
                guard (0xdc00..<0xe000).contains(low) else { throw NotJSON(at: at) }
                unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw NotJSON(at: at) }
            units += Array(String(Character(scalar)).utf8)
        default: throw NotJSON(at: at)
        }
    }

    private mutating func hex() throws -> UInt32 {
        guard at + 4 <= bytes.count, let unit = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16) else {
            throw NotJSON(at: at)
        }
        at += 4
        return unit
    }
}
