//! The published rules by which the sandbox's bank authorises. It never decrypts anything.

/// Milliseconds after which a payment of the "answered later" cards gets its final answer.
pub(crate) const LATER_MS: i64 = 120_000;

/// What the bank says to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approved,
    /// Approved for so much, code 10.
    Partly(i64),
    Declined(&'static str),
    /// Code 01: the holder must call the issuer.
    Referred,
    /// No answer yet (68); this code follows after [`LATER_MS`].
    Later(&'static str),
    /// A code outside every table, and never another answer.
    Unlisted,
}

/// Rules by the last four digits, then by the amount's last two; all else is approved.
pub(crate) fn verdict(last_four: &str, amount: i64) -> Verdict {
    match last_four {
        "0001" => return Verdict::Referred,
        "0005" => return Verdict::Declined("05"),
        "0051" => return Verdict::Declined("51"),
        "0054" => return Verdict::Declined("54"),
        "0010" if amount >= 2 => return Verdict::Partly(amount / 2),
        "0068" => return Verdict::Later("00"),
        "0069" => return Verdict::Later("51"),
        "0099" => return Verdict::Unlisted,
        _ => {}
    }
    match amount % 100 {
        5 => Verdict::Declined("05"),
        51 => Verdict::Declined("51"),
        54 => Verdict::Declined("54"),
        61 => Verdict::Declined("61"),
        _ => Verdict::Approved,
    }
}

/// Cards that begin with 62 are debit cards, all others credit cards.
pub(crate) fn funding(masked_pan: &str) -> &'static str {
    if masked_pan.starts_with("62") { "debit" } else { "credit" }
}

/// What a code means, in Chinese and English.
pub(crate) fn wording(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "00" => ("成功", "approved"),
        "01" => ("请联系发卡行", "refer to issuer"),
        "05" => ("不予承兑", "do not honour"),
        "10" => ("部分金额批准", "partly approved"),
        "51" => ("余额不足", "insufficient funds"),
        "54" => ("卡已过期", "expired card"),
        "61" => ("超出金额限制", "amount limit exceeded"),
        "68" => ("发卡行响应超时", "response too late"),
        _ => return None,
    })
}
