/// The part of JSON Schema that `day.schema.json` uses.
struct Schema {
    let definitions: JSON

    init(_ schema: JSON) throws {
        guard let definitions = schema["$defs"] else { throw NoDay("day.schema.json: no $defs") }
        self.definitions = definitions
    }

    /// Throws ``NoDay`` where the file is not a day.
    func checkDay(_ day: JSON) throws {
        try check(day, .object(["$ref": .text("#/$defs/day")]), "day")
    }

    private func check(_ value: JSON, _ rule: JSON, _ place: String) throws {
        if let reference = rule["$ref"]?.text { return try follow(reference, value, place) }
        if let type = rule["type"]?.text, !isOf(type, value) { throw NoDay("\(place): not of type \(type)") }
        if let words = rule["enum"]?.elements?.compactMap(\.text), !words.contains(value.text ?? "") {
            throw NoDay("\(place): \(value.canonical) is none of \(words.joined(separator: ", "))")
        }
        if let inner = rule["items"], let elements = value.elements {
            for (index, element) in elements.enumerated() { try check(element, inner, "\(place) \(index + 1)") }
        }
        guard let properties = rule["properties"], let members = value.object else { return }
        for name in rule["required"]?.elements?.compactMap(\.text) ?? [] where members[name] == nil {
            throw NoDay("\(place): \(name) is missing")
        }
        for (name, member) in members.inOrder {
            guard let inner = properties[name] else { throw NoDay("\(place): unknown field \(name)") }
            try check(member, inner, "\(place) \(name)")
        }
    }

    private func follow(_ reference: String, _ value: JSON, _ place: String) throws {
        let name = String(reference.dropFirst("#/$defs/".count))
        if name == "pattern" { return }
        guard name == "step" else {
            guard let rule = definitions[name] else { throw NoDay("day.schema.json: no \(name)") }
            return try check(value, rule, place)
        }
        let word = value["do"] ?? .null
        guard let rule = definitions["steps"]?[word.text ?? ""] else {
            throw NoDay("\(place): no step is called \(word.canonical)")
        }
        try check(value, rule, "\(place) (\(word.text ?? ""))")
    }

    private func isOf(_ type: String, _ value: JSON) -> Bool {
        switch (type, value) {
        case ("string", .text), ("integer", .int), ("boolean", .bool), ("object", .object), ("array", .list): true
        default: false
        }
    }
}
