import TakingsBindings

extension TakingsError {
    /// A stable word to branch on, such as `in_use` or `cannot_cancel`.
    public var code: String { parts.code }

    /// For support, in English, without user data.
    public var detail: String { parts.detail }

    /// True where calling again later may bring it.
    public var isWorthRetrying: Bool {
        if case .RetryLater = self { true } else { false }
    }

    private var parts: (code: String, detail: String) {
        switch self {
        case .RetryLater(let code, let detail), .FixInput(let code, let detail), .SignIn(let code, let detail),
            .AskMerchant(let code, let detail), .Storage(let code, let detail), .UpgradeApp(let code, let detail),
            .NotFound(let code, let detail), .Internal(let code, let detail):
            (code, detail)
        }
    }
}
