//! The acquirer, the terminal, its session and the feed, as answers write them.

use serde::Deserialize;
use takings_domain::{Currency, LedgerId};

use super::payout::WireAccount;
use super::value::{Date, Id, Instant, List, Name, Text, text};
use crate::encoding::from_base64url_exact;
use crate::keys::{AcquirerKey, ROOT_KID};
use crate::message::Unverified;
use crate::report::{AccountReport, Capabilities, Channel, HealthReport, LedgerHead, SignOnReport, TerminalReport};

#[derive(Deserialize)]
pub(crate) struct WireCapabilities {
    contract_version: Text<8>,
    acquirer_name: Text<400>,
    timezone: Name,
    currencies: List<WireCurrency, 200>,
    algs: List<Name, 10>,
    limits: WireLimits,
    features: List<Name, 100>,
    support: WireSupport,
}

#[derive(Deserialize)]
struct WireCurrency {
    code: Text<3>,
    exponent: u8,
}

#[derive(Deserialize)]
struct WireLimits {
    batch_items: u32,
    inquiry_lookups: u32,
    page_items: u32,
    body_bytes: u32,
}

#[derive(Deserialize)]
struct WireSupport {
    phone: Option<Text<160>>,
    email: Option<Text<800>>,
    url: Option<Text<512>>,
}

impl From<WireCapabilities> for Capabilities {
    fn from(wire: WireCapabilities) -> Self {
        let currencies = wire.currencies.0.into_iter();
        Self {
            contract_version: wire.contract_version.0,
            acquirer_name: wire.acquirer_name.0,
            timezone: wire.timezone.0,
            currencies: currencies
                .filter_map(|currency| Some((Currency::from_code(&currency.code.0).ok()?, currency.exponent)))
                .collect(),
            algs: wire.algs.0.into_iter().map(|alg| alg.0).collect(),
            batch_items: wire.limits.batch_items,
            inquiry_lookups: wire.limits.inquiry_lookups,
            page_items: wire.limits.page_items,
            body_bytes: wire.limits.body_bytes,
            features: wire.features.0.into_iter().map(|feature| feature.0).collect(),
            support_phone: text(wire.support.phone),
            support_email: text(wire.support.email),
            support_url: text(wire.support.url),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct WireHealth {
    as_of: Instant,
    channels: List<WireChannel, 20>,
}

#[derive(Deserialize)]
struct WireChannel {
    channel: Name,
    status: Name,
    until: Option<Instant>,
}

impl From<WireHealth> for HealthReport {
    fn from(wire: WireHealth) -> Self {
        let channels = wire.channels.0.into_iter().map(|channel| Channel {
            channel: channel.channel.0,
            status: channel.status.0,
            until_ms: channel.until.map(|at| at.0),
        });
        Self { as_of_ms: wire.as_of.0, channels: channels.collect() }
    }
}

#[derive(Deserialize)]
pub(crate) struct WireKeySet {
    keys: List<WireKey, 32>,
}

#[derive(Deserialize)]
struct WireKey {
    kty: Name,
    crv: Name,
    x: Text<100>,
    kid: Name,
}

impl WireKeySet {
    /// The Ed25519 keys; those of a kind this version does not know are left out. No key may call itself root, and
    /// no name may stand for two keys.
    pub(crate) fn into_keys(self) -> Result<Vec<AcquirerKey>, Unverified> {
        let mut keys: Vec<AcquirerKey> = Vec::new();
        for key in self.keys.0 {
            if key.kty.0 != "OKP" || key.crv.0 != "Ed25519" {
                continue;
            }
            let public_key = from_base64url_exact(&key.x.0).ok_or_else(|| Unverified::malformed("a key"))?;
            if key.kid.0 == ROOT_KID || keys.iter().any(|known| known.kid == key.kid.0) {
                return Err(Unverified::malformed("a key's name"));
            }
            keys.push(AcquirerKey { kid: key.kid.0, public_key });
        }
        Ok(keys)
    }
}

#[derive(Deserialize)]
pub(crate) struct WireTerminal {
    terminal_id: Name,
    merchant_id: Name,
    merchant_name: Text<400>,
    status: Name,
    alg: Name,
    key_thumbprint: Name,
    pub(crate) request_id: Text<36>,
    activated_at: Instant,
    timezone: Name,
    currency: Currency,
    settlement_account: Option<WireAccount>,
    last_stan: Option<Text<6>>,
}

impl From<WireTerminal> for TerminalReport {
    fn from(wire: WireTerminal) -> Self {
        Self {
            terminal_id: wire.terminal_id.0,
            merchant_id: wire.merchant_id.0,
            merchant_name: wire.merchant_name.0,
            active: wire.status.0 == "active",
            status_raw: wire.status.0,
            alg: wire.alg.0,
            key_thumbprint: wire.key_thumbprint.0,
            activated_at_ms: wire.activated_at.0,
            timezone: wire.timezone.0,
            currency: wire.currency,
            settlement_account: wire.settlement_account.map(AccountReport::from),
            last_stan: wire.last_stan.and_then(|stan| stan.0.parse().ok()),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct WireSignOn {
    pub(crate) request_id: Text<36>,
    terminal_id: Name,
    session_id: Name,
    batch_number: Text<6>,
    business_date: Date,
    server_time: Instant,
    policy_etag: Text<66>,
    terms_etag: Text<66>,
    calendar_etag: Text<66>,
    sign_on_again_before: Instant,
    offline_upload_deadline: Option<Instant>,
    pending_inquiries: List<Id, 200>,
    witness: Option<WireHead>,
}

#[derive(Deserialize)]
struct WireHead {
    ledger_id: Text<36>,
    seq: u64,
    hash: Text<64>,
}

fn head(wire: &WireHead) -> Option<LedgerHead> {
    let text = &wire.hash.0;
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(LedgerHead { ledger_id: LedgerId::parse(&wire.ledger_id.0).ok()?, seq: wire.seq, hash })
}

impl TryFrom<WireSignOn> for SignOnReport {
    type Error = Unverified;

    fn try_from(wire: WireSignOn) -> Result<Self, Unverified> {
        let malformed = Unverified::malformed;
        let digits = &wire.batch_number.0;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed("a batch number"));
        }
        let witness = match &wire.witness {
            Some(wire) => Some(head(wire).ok_or_else(|| malformed("a ledger head"))?),
            None => None,
        };
        Ok(Self {
            session_id: wire.session_id.0,
            terminal_id: wire.terminal_id.0,
            batch_number: wire.batch_number.0,
            business_date: wire.business_date.0,
            server_ms: wire.server_time.0,
            policy_etag: wire.policy_etag.0,
            terms_etag: wire.terms_etag.0,
            calendar_etag: wire.calendar_etag.0,
            sign_on_again_before_ms: wire.sign_on_again_before.0,
            offline_upload_deadline_ms: wire.offline_upload_deadline.map(|at| at.0),
            pending_inquiries: wire.pending_inquiries.0.into_iter().map(|id| id.0).collect(),
            witness,
        })
    }
}

/// The range of a calendar; its days are read by the domain.
#[derive(Deserialize)]
pub(crate) struct WireCalendarRange {
    pub(crate) calendar_version: Name,
    pub(crate) from: Date,
    pub(crate) to: Date,
}
