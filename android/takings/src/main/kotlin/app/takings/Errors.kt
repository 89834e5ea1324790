package app.takings

/** The stable word to branch on, whatever kind of error it is. */
public val TakingsException.code: String
    get() =
        when (this) {
            is TakingsException.RetryLater -> code
            is TakingsException.FixInput -> code
            is TakingsException.SignIn -> code
            is TakingsException.AskMerchant -> code
            is TakingsException.Storage -> code
            is TakingsException.UpgradeApp -> code
            is TakingsException.NotFound -> code
            is TakingsException.Internal -> code
        }

/** What went wrong, for support: English, without user data. */
public val TakingsException.detail: String
    get() =
        when (this) {
            is TakingsException.RetryLater -> detail
            is TakingsException.FixInput -> detail
            is TakingsException.SignIn -> detail
            is TakingsException.AskMerchant -> detail
            is TakingsException.Storage -> detail
            is TakingsException.UpgradeApp -> detail
            is TakingsException.NotFound -> detail
            is TakingsException.Internal -> detail
        }
