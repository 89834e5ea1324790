/// SplitMix64: the same numbers for the same seed, everywhere.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// Text of up to eleven characters, of several alphabets.
    mutating func text() -> String {
        let alphabet = Array("aZ09 -_/\"\\'{}äßЖ中款🧾\u{301}\n")
        return String((0..<below(12)).map { _ in alphabet[below(alphabet.count)] })
    }

    mutating func maybe<T>(_ value: (inout Seeded) -> T) -> T? {
        below(3) == 0 ? nil : value(&self)
    }
}
