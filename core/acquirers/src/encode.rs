//! From an operation to the bytes that are carried. Pure: time and the nonce come with [`SigningContext`].

use serde::Serialize;
use thiserror::Error;

use crate::device::{DeviceSigner, SignError};
use crate::encoding::percent;
use crate::message::{Method, SignedRequest};
use crate::operation::{ListQuery, Operation};
use crate::signature::{Component, SigningContext, content_digest, sign};
use crate::wire::send::{ActivationBody, BatchBody, InquiryBody, OneBody, ReversalBody, SignOnBody};
use crate::wire::value::instant_text;

/// Why there is no request. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A value is outside the contract's bounds. A defect of the caller's; the item is parked.
    #[error("{field} is outside the contract")]
    Invalid {
        /// Which.
        field: &'static str,
    },
    /// The operation needs a terminal and there is none: activate first.
    #[error("there is no terminal yet")]
    NoTerminal,
    /// The activation names another key than the signer's.
    #[error("the key to activate is not the signer's")]
    OtherKey,
    /// The device's key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Who asks, and whom.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The acquirer's base URL without a slash at its end.
    pub base_url: &'a str,
    /// The terminal, once activated.
    pub terminal_id: Option<&'a str>,
    /// The device's key.
    pub signer: &'a dyn DeviceSigner,
}

/// Writes and signs one request. The same arguments give the same bytes, if the key signs deterministically.
///
/// # Errors
/// [`EncodeError`]; nothing was sent.
pub fn encode(
    operation: &Operation,
    identity: &Identity<'_>,
    context: &SigningContext,
) -> Result<SignedRequest, EncodeError> {
    let body = body(operation, identity, context.now_ms)?;
    let url = format!("{}{}", identity.base_url, target(operation, identity)?);
    let method = if body.is_some() { Method::Post } else { Method::Get };
    let mut headers = vec![("accept".to_owned(), "application/json, application/problem+json".to_owned())];
    if let Some(tag) = if_none_match(operation) {
        headers.push(("if-none-match".to_owned(), tag.to_owned()));
    }
    if body.is_some() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    if needs_signature(operation) {
        headers.extend(signed_headers(operation, identity, context, method, &url, body.as_deref())?);
    }
    Ok(SignedRequest { method, url, headers, body: body.unwrap_or_default() })
}

/// The covered headers and the signature over them.
fn signed_headers(
    operation: &Operation,
    identity: &Identity<'_>,
    context: &SigningContext,
    method: Method,
    url: &str,
    body: Option<&[u8]>,
) -> Result<Vec<(String, String)>, EncodeError> {
    let mut covered: Vec<(&str, String)> = Vec::new();
    if let Some(body) = body {
        covered.push(("content-digest", content_digest(body)));
    }
    if let Some(key) = operation.idempotency_key() {
        covered.push(("idempotency-key", format!("\"{key}\"")));
    }
    if needs_terminal(operation) {
        covered.push(("x-terminal-id", terminal(identity)?.to_owned()));
    }
    let mut components: Vec<Component<'_>> = vec![("@method", method.as_str()), ("@target-uri", url)];
    components.extend(covered.iter().map(|(name, value)| (*name, value.as_str())));
    let signature = sign(&components, identity.signer, context)?;
    Ok(covered.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(signature).collect())
}

fn needs_signature(operation: &Operation) -> bool {
    !matches!(operation, Operation::Capabilities | Operation::Keys | Operation::Health)
}

fn needs_terminal(operation: &Operation) -> bool {
    needs_signature(operation) && !matches!(operation, Operation::Activate(_))
}

/// The terminal as a header value: printable ASCII.
fn terminal<'a>(identity: &Identity<'a>) -> Result<&'a str, EncodeError> {
    let terminal = identity.terminal_id.ok_or(EncodeError::NoTerminal)?;
    let sound = (1..=64).contains(&terminal.len()) && terminal.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(terminal) } else { Err(EncodeError::Invalid { field: "terminal_id" }) }
}

fn if_none_match(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Terminal { if_none_match }
        | Operation::RiskPolicy { if_none_match }
        | Operation::Terms { if_none_match }
        | Operation::Calendar { if_none_match, .. } => if_none_match.as_deref(),
        _ => None,
    }
}

/// Path and query.
fn target(operation: &Operation, identity: &Identity<'_>) -> Result<String, EncodeError> {
    let of_terminal = |rest: &str| terminal(identity).map(|id| format!("/v1/terminals/{}{rest}", percent(id)));
    Ok(match operation {
        Operation::Capabilities => "/v1/capabilities".to_owned(),
        Operation::Keys => "/v1/keys".to_owned(),
        Operation::Health => "/v1/health".to_owned(),
        Operation::Activate(_) => "/v1/terminals".to_owned(),
        Operation::Terminal { .. } => of_terminal("")?,
        Operation::SignOn(_) => of_terminal("/sign-ons")?,
        Operation::RiskPolicy { .. } => of_terminal("/risk-policy")?,
        Operation::Payment(_) => "/v1/payments".to_owned(),
        Operation::Batch(_) => "/v1/payments/batch".to_owned(),
        Operation::Inquire(_) => "/v1/payments/inquiries".to_owned(),
        Operation::Reverse(reversal) => format!("/v1/payments/{}/reversals", reversal.payment_id),
        Operation::ReadPayment { payment_id, .. } => format!("/v1/payments/{payment_id}"),
        Operation::ListPayments(query) => format!("/v1/payments?{}", list_query(query)?),
        Operation::Terms { .. } => "/v1/settlement/terms".to_owned(),
        Operation::Calendar { from, to, .. } => {
            format!("/v1/settlement/calendar?from={}&to={}", from.format("%Y-%m-%d"), to.format("%Y-%m-%d"))
        }
        Operation::ListPayouts(query) => format!("/v1/payouts?{}", list_query(query)?),
        Operation::ReadPayout { payout_id } => format!("/v1/payouts/{}", percent(payout_id.as_str())),
        Operation::PayoutEntries { payout_id, cursor, limit } => {
            let page = ListQuery { updated_since_ms: None, status: None, cursor: cursor.clone(), limit: *limit };
            format!("/v1/payouts/{}/entries?{}", percent(payout_id.as_str()), list_query(&page)?)
        }
        Operation::Events { after, limit, wait_s } => {
            format!("/v1/events?after={after}&limit={}&wait_s={}", (*limit).clamp(1, 200), (*wait_s).min(25))
        }
    })
}

fn list_query(query: &ListQuery) -> Result<String, EncodeError> {
    let mut text = format!("limit={}", query.limit.clamp(1, 200));
    if let Some(at_ms) = query.updated_since_ms {
        let at = instant_text(at_ms).ok_or(EncodeError::Invalid { field: "updated_since_ms" })?;
        text.push_str(&format!("&updated_since={}", percent(&at)));
    }
    if let Some(status) = &query.status {
        text.push_str(&format!("&status={}", percent(status)));
    }
    if let Some(cursor) = &query.cursor {
        text.push_str(&format!("&cursor={}", percent(cursor)));
    }
    Ok(text)
}

fn body(operation: &Operation, identity: &Identity<'_>, now_ms: i64) -> Result<Option<Vec<u8>>, EncodeError> {
    Ok(Some(match operation {
        Operation::Activate(activation) => {
            if activation.public_key != identity.signer.public_jwk() {
                return Err(EncodeError::OtherKey);
            }
            json(&ActivationBody::new(activation)?)?
        }
        Operation::SignOn(sign_on) => json(&SignOnBody::new(sign_on)?)?,
        Operation::Payment(one) => json(&OneBody::new(one, now_ms)?)?,
        Operation::Batch(batch) => json(&BatchBody::new(batch, now_ms)?)?,
        Operation::Inquire(inquiry) => json(&InquiryBody::new(inquiry)?)?,
        Operation::Reverse(reversal) => json(&ReversalBody::new(reversal, now_ms)?)?,
        _ => return Ok(None),
    }))
}

fn json<T: Serialize>(body: &T) -> Result<Vec<u8>, EncodeError> {
    serde_json::to_vec(body).map_err(|_| EncodeError::Invalid { field: "body" })
}
