//! A panic is an error, on whatever thread: each export begins here.
//!
//! The generated code would catch it too, but as an error of its own kind, which no shell expects.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

use crate::callbacks;
use crate::error::TakingsError;

/// Runs a synchronous export.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, TakingsError>) -> Result<T, TakingsError> {
    // What a panic leaves half done is thrown away with the error, or lies behind locks that are taken all the same.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(panicked()))
}

/// Runs an asynchronous export, whose host polls it on a thread of its own.
pub(crate) async fn guarded_async<T>(call: impl Future<Output = Result<T, TakingsError>>) -> Result<T, TakingsError> {
    let mut call = pin!(call);
    poll_fn(move |context| {
        let waker = callbacks::gated(context.waker());
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(panicked())))
    })
    .await
}

/// What the panic said stays out: it may quote data.
pub(crate) fn panicked() -> TakingsError {
    TakingsError::internal("panic", "the call failed; what the ledger holds counts")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded::<()>(|| panic!("planted")), Err(panicked()));
        assert_eq!(guarded(|| Ok(1)), Ok(1));
        assert_eq!(crate::calls::wait_for(guarded_async::<()>(async { panic!("planted") })), Err(panicked()));
        assert_eq!(crate::calls::wait_for(guarded_async(async { Ok(1) })), Ok(1));
    }

    /// The exported functions of a file, and whether each is the guard and nothing else.
    fn exports(source: &str) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        let mut lines = source.lines().peekable();
        while let Some(line) = lines.next() {
            // With whatever arguments; what is exported of records and traits has no functions with a body.
            if !(line.trim().starts_with("#[") && line.contains("uniffi::export")) {
                continue;
            }
            // An impl ends with its brace in the first column; so does a function of its own.
            let mut item = Vec::new();
            for line in lines.by_ref() {
                item.push(line);
                if line == "}" {
                    break;
                }
            }
            let mut name = None;
            for (at, line) in item.iter().enumerate() {
                let words = line.trim();
                let heads = ["pub async fn ", "pub fn ", "async fn ", "fn "];
                if let Some(rest) = heads.iter().find_map(|head| words.strip_prefix(head)) {
                    name = rest.split('(').next().map(str::to_owned);
                }
                if words.ends_with('{') && name.is_some() {
                    found.extend(name.take().map(|name| (name, is_guarded(item.get(at + 1..).unwrap_or_default()))));
                }
            }
        }
        found
    }

    /// The first of these lines opens the guard, and the body holds nothing beside it.
    fn is_guarded(body: &[&str]) -> bool {
        let Some((first, rest)) = body.split_first() else { return false };
        let depth = |line: &str| line.len() - line.trim_start().len();
        let closes = |line: &&&str| depth(line) < depth(first);
        let beside = rest.iter().take_while(|line| !closes(line)).any(|line| {
            depth(line) == depth(first) && !matches!(line.trim().chars().next(), None | Some('}' | ')' | '.'))
        });
        ["guarded(", "guarded_async("].iter().any(|guard| first.trim().starts_with(guard)) && !beside
    }

    fn sources(dir: &Path, found: &mut Vec<(String, bool)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.extend(exports(&fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn no_export_forgets_the_guard() {
        let of = |attribute: &str, head: &str, body: &str| {
            exports(&format!("{attribute}\nimpl A {{\n    {head}a(\n        &self,\n    ) -> R {{\n{body}    }}\n}}\n"))
        };
        let good = "        guarded(|| {\n            Ok(())\n        })\n";
        for attribute in
            ["#[uniffi::export]", "#[uniffi::export(async_runtime = \"tokio\")]", "#[cfg_attr(x, uniffi::export)]"]
        {
            assert_eq!(of(attribute, "pub fn ", good), [("a".to_owned(), true)], "{attribute}");
            for forgot in [
                "        Ok(())\n",
                "        guarded_in_name_only(|| Ok(()))\n",
                "        guarded(|| Ok(()))?;\n        unguarded()\n",
            ] {
                assert_eq!(of(attribute, "pub async fn ", forgot), [("a".to_owned(), false)], "{forgot}");
                assert_eq!(of(attribute, "fn ", forgot), [("a".to_owned(), false)], "{forgot}");
            }
        }
        let alone = "#[uniffi::export(name = \"b\")]\npub fn a() -> R {\n    Ok(())\n}\n";
        assert_eq!(exports(alone), [("a".to_owned(), false)]);
        let mut found = Vec::new();
        sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
        assert!(found.len() > 50, "{found:?}");
        let forgot: Vec<_> = found.iter().filter(|(_, guarded)| !guarded).map(|(name, _)| name).collect();
        assert!(forgot.is_empty(), "{forgot:?}");
    }
}
