import Takings

/// A record of the library as JSON: all its fields, by the names they have in Rust.
func plain(_ value: Any) -> JSON {
    switch value {
    case let text as String: return .text(text)
    case let bool as Bool: return .bool(bool)
    case let integer as any BinaryInteger: return .int(Int(clamping: integer))
    default: break
    }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional: return mirror.children.first.map { plain($0.value) } ?? .null
    case .collection: return .list(mirror.children.map { plain($0.value) })
    default:
        let members = mirror.children.map { (snakeCase($0.label ?? ""), plain($0.value)) }
        return .object(Dictionary(uniqueKeysWithValues: members))
    }
}

func plain(_ taken: CardTaken, of paymentId: String) -> JSON {
    var (outcome, approved, cause, detail): (JSON, JSON, JSON, JSON) = (.null, .null, .null, .null)
    switch taken.outcome {
    case .saved: outcome = .text("saved")
    case .approved(let approvedMinor): (outcome, approved) = (.text("approved"), .int(Int(approvedMinor)))
    case .notCharged(let why, let what):
        (outcome, cause, detail) = (.text("not_charged"), .text(why), what.map(JSON.text) ?? .null)
    case .notConfirmed: outcome = .text("not_confirmed")
    case nil: break
    }
    return .object([
        "payment_id": .text(paymentId), "outcome": outcome, "approved_minor": approved, "cause": cause, "detail": detail,
        "prompts": plain(taken.prompts), "stopped": .bool(taken.stopped), "calls": .int(Int(taken.calls)),
    ])
}

func plain(_ error: TakingsError) -> JSON {
    let variant = Mirror(reflecting: error).children.first?.label ?? ""
    return .object([
        "kind": .text(snakeCase(variant)), "code": .text(error.code), "detail": .text(error.detail),
    ])
}

private func snakeCase(_ name: String) -> String {
    var out = ""
    for character in name {
        if character.isUppercase, !out.isEmpty { out += "_" }
        out += character.lowercased()
    }
    return out
}
