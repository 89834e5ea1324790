//! Each call runs on the till's own runtime to its end, whatever becomes of its caller: the hosts do not agree on what a
//! cancelled call means (Kotlin and Python drop it, Swift does not). So a call that was cancelled never began, or was
//! done whole; and a panic is an error.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use takings_till::TillError;
use tokio::runtime::Handle;
use tokio::task::JoinError;

use crate::callbacks;
use crate::error::TakingsError;
use crate::guard;
use crate::log_sink::Log;
use crate::wire::Wire;

/// Runs one call. It begins when the host first asks for its result.
pub(crate) async fn run<T, F>(handle: &Handle, log: &Log, name: &'static str, call: F) -> Result<T::Out, TakingsError>
where
    T: Wire + Send + 'static,
    T::Out: Send,
    F: Future<Output = Result<T, TillError>> + Send + 'static,
{
    callbacks::refuse_inside()?;
    let log = log.clone();
    let work = async move {
        let done = call.await;
        if let Err(error) = &done {
            log.failed(name, error);
        }
        done
    };
    Ok(handle.spawn(work).await.map_err(failed)??.wire())
}

/// As [`run`], for what blocks.
pub(crate) async fn run_blocking<T, F>(
    handle: &Handle,
    log: &Log,
    name: &'static str,
    call: F,
) -> Result<T, TakingsError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, TillError> + Send + 'static,
{
    callbacks::refuse_inside()?;
    let log = log.clone();
    let work = move || {
        let done = call();
        if let Err(error) = &done {
            log.failed(name, error);
        }
        done
    };
    Ok(handle.spawn_blocking(work).await.map_err(failed)??)
}

/// The runtime tells of a panic, or of its own end.
fn failed(_: JoinError) -> TakingsError {
    guard::panicked()
}

/// Waits on this thread: for threads that belong to no runtime.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}
