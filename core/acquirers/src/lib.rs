//! The open acquirer contract (`openapi.yaml` beside this crate's manifest): ask, carry, judge the answer.
//!
//! * [`Operation`]: what can be asked. [`encode`]: to signed bytes. [`decode`]: from an answer to what may be believed.
//!   Both are pure: no clock, no randomness, no line.
//! * [`report`]: what the acquirer said. [`Problem`]: what it refused. [`Unverified`]: why it is not believed.
//! * [`ActivationCode`], [`KeyRing`]: where trust begins, and who is believed. [`verify_event`]: pushes.
//! * [`DeviceSigner`], [`SoftwareKey`], [`signature`]: requests are signed by the device (RFC 9421).
//! * [`http`]: the one transport, and the only module that knows an HTTP library.
//!
//! Rule of the house: money moves only on a signed answer that fits the question. Unsigned, only what delays is believed.

mod activation_code;
mod decode;
mod device;
mod encode;
mod encoding;
mod event_wrapper;
pub mod http;
mod items;
mod jwk;
mod keys;
mod message;
mod operation;
mod problem;
pub mod report;
pub mod signature;
mod webhook;
mod wire;

pub use activation_code::{ActivationCode, ActivationCodeError};
pub use decode::{Reply, Value, Verified, decode, decode_keys};
pub use device::{DeviceSigner, SecretError, SignError, SoftwareKey};
pub use encode::{EncodeError, Identity, encode};
pub use event_wrapper::verify_event;
pub use jwk::{Alg, PublicJwk};
pub use keys::{AcquirerKey, KeyRing, ROOT_KID};
pub use message::{Answer, MAX_ANSWER_BYTES, Method, SignedRequest, Unverified};
pub use operation::{
    Activation, ApprovedBy, Card, ClockReport, ClockSource, Inquiry, ListQuery, Lookup, OfflineRisk, Operation,
    Reversal, SignOn, Submission, SubmissionKind, SubmitBatch, SubmitOne,
};
pub use problem::{Problem, ProblemSlug};
pub use signature::SigningContext;
pub use webhook::{SignedDocument, signed_input};
