//! Choices for the whole process, made once by the binary: cryptography, core dumps, panics, logs.

use std::io::IsTerminal;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Invocation, LogLevel, When};

/// Sets the process up. Called once, before anything else happens.
pub(crate) fn prepare(invocation: &Invocation) -> Result<()> {
    quiet_panics();
    logs(invocation);
    forbid_dumps();
    rustls::crypto::aws_lc_rs::default_provider().install_default().map_err(|_| {
        Error::new(ErrorKind::Internal, "choose the cryptography provider").because("another one was chosen before")
    })
}

/// The error of a system that gives no threads.
pub(crate) fn no_runtime(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "start")
        .with_source(error)
        .with_hint(Hint::new(Code::InternalDefect, "check the limits of the system on threads and open files"))
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

fn logs(invocation: &Invocation) {
    let level = match invocation.log {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let mut filter = EnvFilter::default().add_directive(level.into());
    if level >= LevelFilter::ERROR {
        // It logs whole response bodies, Secrets among them. Nothing on the command line can switch that on; its errors reach us anyway.
        filter = filter.add_directive("kube_client::client=off".parse().expect("the directive is well-formed"));
    }
    if level > LevelFilter::INFO {
        // They log what goes over the wire.
        for forced in ["hyper=info", "hyper_util=info", "h2=info", "rustls=info", "reqwest=info", "tower=info"] {
            filter = filter.add_directive(forced.parse().expect("the directive is well-formed"));
        }
    }
    let colours = match invocation.color {
        When::Auto => std::io::stderr().is_terminal(),
        When::Always => true,
        When::Never => false,
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}
