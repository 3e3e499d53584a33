//! Choices for the whole process, made once by the binary: cryptography, core dumps, panics, logs.

use std::future::Future;
use std::io::IsTerminal;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{LogLevel, When};

/// Sets the process up. Called once, before anything else happens.
pub(crate) fn prepare(log: LogLevel, color: When) -> Result<()> {
    quiet_panics();
    logs(log, color);
    forbid_dumps();
    rustls::crypto::aws_lc_rs::default_provider().install_default().map_err(|_| {
        Error::new(ErrorKind::Internal, "choose the cryptography provider").because("another one was chosen before")
    })
}

/// How many threads serve what a program does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Threads {
    /// One for each processor, for what runs until it is stopped.
    Many,
    /// The one that is there, for what ends by itself: it mostly waits for others, and to start threads and wake them costs a short run more than they
    /// save. Files are written and documents decrypted beside it all the same.
    One,
}

/// The runtime that everything runs on.
pub(crate) fn runtime(threads: Threads) -> Result<tokio::runtime::Runtime> {
    let mut builder = match threads {
        Threads::Many => tokio::runtime::Builder::new_multi_thread(),
        Threads::One => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().map_err(|error| {
        Error::new(ErrorKind::Internal, "start")
            .with_source(error)
            .with_hint(Hint::new(Code::InternalDefect, "check the limits of the system on threads and open files"))
    })
}

/// Ready at the first SIGINT or SIGTERM from now on.
pub(crate) fn stop() -> Result<impl Future<Output = ()> + Send> {
    let listen =
        |kind| signal(kind).map_err(|error| Error::new(ErrorKind::Internal, "listen for signals").with_source(error));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// A memory image of this process would hold secrets: the kernel shall not write one, and no other process of the user shall read along.
fn forbid_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    // Both can be refused in a sandbox that already forbids dumps; there is nothing better to do then.
    let limited = setrlimit(Resource::Core, nothing);
    let hidden = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if limited.is_err() || hidden.is_err() {
        tracing::debug!("the system did not let core dumps be switched off");
    }
}

/// A panic's message could quote data, so only its place is told.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        crate::output::panicked(&place);
    }));
}

fn logs(log: LogLevel, color: When) {
    let colours = match color {
        When::Auto => std::io::stderr().is_terminal(),
        When::Always => true,
        When::Never => false,
    };
    tracing_subscriber::fmt().with_env_filter(filter(log)).with_writer(std::io::stderr).with_ansi(colours).init();
}

/// What is logged: never what libraries say of bytes that go over the wire.
fn filter(log: LogLevel) -> EnvFilter {
    let level = match log {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let mut filter = EnvFilter::default().add_directive(level.into());
    if level >= LevelFilter::ERROR {
        // They log answers and files that they cannot read, Secrets among them, or quote them. Nothing on the command line can switch that on; their errors
        // reach us anyway.
        for answers in ["aws_config::profile", "kube_client::client", "kube_runtime::watcher"] {
            filter = filter.add_directive(format!("{answers}=off").parse().expect("the directive is well-formed"));
        }
    }
    if level > LevelFilter::INFO {
        // They log what goes over the wire.
        for wire in
            ["aws_config", "aws_runtime", "aws_sigv4", "aws_smithy", "h2", "hyper", "reqwest", "rustls", "tower"]
        {
            filter = filter.add_directive(format!("{wire}=info").parse().expect("the directive is well-formed"));
        }
    }
    filter
}

#[cfg(test)]
mod tests {
    use tracing::{Level, enabled, subscriber};

    use super::*;

    #[test]
    fn no_level_lets_libraries_log_what_goes_over_the_wire() {
        for log in [LogLevel::Debug, LogLevel::Trace] {
            subscriber::with_default(tracing_subscriber::fmt().with_env_filter(filter(log)).finish(), || {
                assert!(enabled!(target: "secretsync_core", Level::DEBUG));
                // These have whole requests, with a service account's token among them, and all of what is signed.
                assert!(!enabled!(target: "aws_smithy_runtime::client::orchestrator", Level::TRACE));
                assert!(!enabled!(target: "aws_sigv4::http_request::sign", Level::TRACE));
                assert!(!enabled!(target: "hyper_util::client::legacy::connect", Level::DEBUG));
                assert!(!enabled!(target: "aws_config::profile::credentials", Level::ERROR));
                assert!(!enabled!(target: "kube_client::client", Level::ERROR));
                assert!(!enabled!(target: "kube_runtime::watcher", Level::ERROR));
            });
        }
    }
}
