//! How a till is set up.

/// Everything a till needs to know to open.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TillConfig {
    /// The directory of this merchant and terminal, private to the app; made if it is not there. One till at a time. On iOS
    /// not in a shared container, and without a backup.
    pub dir: String,
    /// The acquirer's base address, without `/v1`: `https`, or `http` to this machine.
    pub acquirer_url: String,
    /// The app's version, told to the acquirer at sign-on.
    pub app_version: String,
    /// The language of receipts.
    pub language: Language,
    /// Until a connection stands, milliseconds.
    #[uniffi(default = 10000)]
    pub connect_timeout_ms: u64,
    /// Until an answer is complete, milliseconds; at most 35,000.
    #[uniffi(default = 35000)]
    pub request_timeout_ms: u64,
    /// Names this start of the phone, where the app can tell: on Android `Settings.Global.BOOT_COUNT`, on Apple's systems
    /// `kern.bootsessionuuid`. Null: found out, or each start of the app counts as one, which only makes the clock
    /// trusted less.
    #[uniffi(default)]
    pub boot: Option<String>,
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Language {
    /// Chinese, simplified.
    Zh,
    /// English.
    En,
}

impl From<Language> for takings_till::texts::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::Zh => Self::Zh,
            Language::En => Self::En,
        }
    }
}
