/// The file is not a day.
struct NoDay: Error {
    let what: String
    init(_ what: String) { self.what = what }
}

/// The day is not as it says.
struct Wrong: Error {
    let what: String
    init(_ what: String) { self.what = what }
}

/// Which payment is called what: ids by name.
typealias Names = [String: String]

/// As much of it as a line of an error bears.
func short(_ value: JSON) -> String {
    let text = value.canonical
    return text.count <= 300 ? text : text.prefix(300) + "…"
}

/// Throws ``Wrong`` where `found` is not as `pattern` says.
func match(_ pattern: JSON, _ found: JSON, _ place: String, _ names: Names) throws {
    func wrong(_ what: String) -> Wrong { Wrong("\(place): expected \(what), found \(short(found))") }
    switch pattern {
    case .object(let all):
        let members = all.filter { !$0.key.hasPrefix("$") }
        for (operation, operand) in all.inOrder where operation.hasPrefix("$") {
            if try !holds(operation, operand, found, place, names) {
                throw wrong("\(operation) \(operand.canonical)")
            }
        }
        if found.object == nil, members.count == all.count { throw wrong("an object") }
        for (name, inner) in members.inOrder {
            guard let member = found[name] else { throw wrong("a member \(name)") }
            try match(inner, member, "\(place).\(name)", names)
        }
    case .list(let inner):
        guard case .list(let elements) = found, elements.count == inner.count else {
            throw wrong("\(inner.count) elements")
        }
        for (index, (inner, element)) in zip(inner, elements).enumerated() {
            try match(inner, element, "\(place)[\(index)]", names)
        }
    default:
        let expected = try resolve(pattern, names, place)
        if !same(expected, found) { throw wrong(expected.canonical) }
    }
}

/// Both are the same plain value.
private func same(_ one: JSON, _ other: JSON) -> Bool {
    switch (one, other) {
    case (.null, .null): true
    case (.bool(let one), .bool(let other)): one == other
    case (.int(let one), .int(let other)): one == other
    case (.text(let one), .text(let other)): one.utf8.elementsEqual(other.utf8)
    default: false
    }
}

private func holds(_ operation: String, _ operand: JSON, _ found: JSON, _ place: String, _ names: Names) throws -> Bool {
    func fits(_ element: JSON) throws -> Bool {
        do {
            try match(operand, element, place, names)
            return true
        } catch is Wrong {
            return false
        }
    }
    func bound() throws -> Int {
        guard let bound = operand.int else { throw NoDay("\(place): \(operation) takes an integer") }
        return bound
    }
    switch operation {
    case "$at_least": return try found.int.map { try $0 >= bound() } ?? false
    case "$at_most": return try found.int.map { try $0 <= bound() } ?? false
    case "$count": return try found.elements.map { try $0.count == bound() } ?? false
    case "$every": return try found.elements?.allSatisfy(fits) ?? false
    case "$some": return try found.elements?.contains(where: fits) ?? false
    case "$holds": return found.text?.contains(operand.text ?? "") ?? false
    case "$not": return try !fits(found)
    default: throw NoDay("\(place): no operator is called \(operation)")
    }
}

/// `@name` is the id of the payment of that name, in every text it is the whole of.
func resolve(_ value: JSON, _ names: Names, _ place: String) throws -> JSON {
    switch value {
    case .object(let members): return .object(try members.mapValues { try resolve($0, names, place) })
    case .list(let elements): return .list(try elements.map { try resolve($0, names, place) })
    case .text(let text) where text.hasPrefix("@"):
        let name = String(text.dropFirst())
        guard let id = names[name] else { throw NoDay("\(place): no payment is called \(name)") }
        return .text(id)
    default: return value
    }
}
