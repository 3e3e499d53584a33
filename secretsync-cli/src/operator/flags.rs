//! What can be typed: External Secrets Operator's controller flags (`eso-compat.md` 6.1), and some of ours.

use std::ffi::OsString;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::Ambient;
use secretsync_k8s::api::GoDuration;
use secretsync_k8s::operator::OperatorSettings;

use crate::args::LogLevel;

/// Apply External Secrets Operator's manifests: sync secrets from Vault, OpenBao, AWS and SOPS into the Secrets of a cluster.
///
/// The flags are those of External Secrets Operator's controller, so its Deployment needs another image only. Flags without a meaning here are accepted.
#[derive(Parser)]
#[command(name = "secretsync-operator", version, max_term_width = 100, args_override_self = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Flags {
    /// Where `/metrics` is served; `0` for nowhere.
    #[arg(long, value_name = "ADDRESS", default_value = ":8080")]
    metrics_addr: String,

    /// Where `/healthz` and `/readyz` are served; `0` for nowhere.
    #[arg(long, value_name = "ADDRESS", default_value = ":8082")]
    live_addr: String,

    /// The class of this controller: stores of another class are left alone.
    #[arg(long, value_name = "CLASS", default_value = "default")]
    controller_class: String,

    /// The only namespace to work in.
    #[arg(long, value_name = "NAMESPACE", default_value = "")]
    namespace: String,

    /// How many syncs run at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    concurrent: usize,

    /// How many requests a second the API server is sent for long; as many as it bears where neither this nor the burst is given.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    client_qps: Option<f64>,

    /// How many requests the API server is sent at once after a rest; 100 where only a rate is given.
    #[arg(long, value_name = "NUMBER")]
    client_burst: Option<u32>,

    /// How often a store is validated again that says nothing else.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    store_requeue_interval: Duration,

    /// Whether ExternalSecrets wait for their store to be ready.
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    enable_flood_gate: bool,

    /// Whether ClusterSecretStores are served.
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    enable_cluster_store_reconciler: bool,

    /// Whether SecretStores are validated.
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    enable_secret_store_reconciler: bool,

    /// Whether ClusterExternalSecrets are spread over namespaces; never with `--namespace`.
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    enable_cluster_external_secret_reconciler: bool,

    /// Whether metrics bear the labels `app.kubernetes.io/…` of the objects that they are about.
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    enable_extended_metric_labels: bool,

    /// What begins an action in templates.
    #[arg(long, value_name = "TEXT", default_value = "{{")]
    template_left_delimiter: String,

    /// What ends an action in templates.
    #[arg(long, value_name = "TEXT", default_value = "}}")]
    template_right_delimiter: String,

    /// How much to tell on standard error: `trace`, `debug`, `info`, `warn` or `error`. Values are never shown.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub(super) loglevel: LogLevel,

    /// How old `status.refreshTime` may become before it is written where nothing else changed; `0` writes it at each refresh, as External Secrets Operator
    /// does.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    status_heartbeat: Duration,

    /// The folder that `provider.sops.source.path` of stores starts from and cannot leave. Without it, stores name no files.
    #[arg(long, value_name = "FOLDER")]
    sops_root: Option<PathBuf>,

    /// Which stores may use the identity of this process (its environment, its pod's, its node's) where they name no credentials.
    #[arg(long, value_name = "STORES", value_enum, default_value_t = Lent::Cluster)]
    allow_ambient: Lent,

    #[command(flatten)]
    ignored: Ignored,
}

/// To whom the identity of this process is lent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Lent {
    /// To ClusterSecretStores.
    Cluster,
    /// To SecretStores, too: whoever may create one acts as this process.
    Namespaced,
}

macro_rules! ignored {
    (flags: $($flag:ident)* ; texts: $($text:ident)*) => {
        /// Flags that are accepted so that a Deployment can stay as it is, and that mean nothing here.
        #[derive(clap::Args)]
        struct Ignored {
            $(
                #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
                $flag: Option<String>,
            )*
            $(
                #[arg(long, hide = true, allow_hyphen_values = true)]
                $text: Option<String>,
            )*
        }

        impl Ignored {
            /// The names of those that were given.
            fn given(&self) -> Vec<String> {
                let mut given = Vec::new();
                for (name, value) in [$((stringify!($flag), &self.$flag),)* $((stringify!($text), &self.$text),)*] {
                    if value.is_some() {
                        given.push(format!("--{}", name.replace('_', "-")));
                    }
                }
                given
            }
        }
    };
}

ignored! {
    flags:
    metrics_auth metrics_secure enable_leader_election
    enable_cluster_push_secret_reconciler enable_push_secret_reconciler
    enable_secrets_caching enable_configmaps_caching enable_managed_secrets_caching enable_secret_api_read_on_cache_mismatch
    enable_generator_state enable_http2 unsafe_allow_generic_targets enable_vault_token_cache experimental_enable_vault_token_cache
    ;
    texts:
    metrics_cert_dir metrics_cert_name metrics_key_name
    leader_election_id leader_election_lease_duration leader_election_renew_deadline leader_election_retry_period
    zap_time_encoding generator_gc_grace_period vault_token_cache_size experimental_vault_token_cache_size
}

impl Flags {
    pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
    }

    /// Says once which flags mean nothing here.
    pub(super) fn warn_about_ignored(&self) {
        let given = self.ignored.given();
        if !given.is_empty() {
            tracing::warn!(flags = given.join(" "), "these flags mean nothing here and are ignored");
        }
    }

    pub(super) fn settings(self) -> Result<OperatorSettings> {
        let mut settings = OperatorSettings::default();
        settings.class = self.controller_class;
        settings.namespace = Some(self.namespace).filter(|namespace| !namespace.is_empty());
        settings.concurrency = self.concurrent.max(1);
        settings.rate = rate(self.client_qps, self.client_burst);
        settings.store_interval = self.store_requeue_interval;
        settings.gate = self.enable_flood_gate;
        settings.heartbeat = self.status_heartbeat;
        settings.cluster_stores = self.enable_cluster_store_reconciler;
        settings.stores = self.enable_secret_store_reconciler;
        settings.cluster_external_secrets = self.enable_cluster_external_secret_reconciler;
        settings.extended_metric_labels = self.enable_extended_metric_labels;
        settings.delimiters = (self.template_left_delimiter, self.template_right_delimiter);
        settings.sops_root = self.sops_root;
        settings.own_identity = Some(Ambient::from_env());
        settings.lends_to_namespaces = self.allow_ambient == Lent::Namespaced;
        settings.live_address = address("--live-addr", &self.live_addr)?;
        settings.metrics_address = address("--metrics-addr", &self.metrics_addr)?;
        Ok(settings)
    }
}

/// External Secrets Operator's defaults for what is not given; a rate that is none bounds nothing, as in its client.
fn rate(rate: Option<f64>, burst: Option<u32>) -> Option<(f64, u32)> {
    let given = rate.is_some() || burst.is_some();
    given.then(|| (rate.unwrap_or(50.0), burst.unwrap_or(100))).filter(|(rate, _)| *rate > 0.0)
}

/// An address as Go writes it: `:8080` is every address of the machine, and a host may be a name.
fn address(flag: &str, text: &str) -> Result<Option<SocketAddr>> {
    if text == "0" || text.is_empty() {
        return Ok(None);
    }
    let parsed = match text.strip_prefix(':') {
        Some(port) => port.parse().ok().map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        None => text.to_socket_addrs().ok().and_then(|mut found| found.next()),
    };
    parsed.map(Some).ok_or_else(|| {
        Error::new(ErrorKind::InvalidConfig, "read")
            .on(format!("the flag `{flag}`"))
            .because("it is no address")
            .with_hint(Hint::new(
                Code::UsageInvalid,
                "write `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or `0` for nowhere",
            ))
    })
}

/// A boolean as Go's flags take it.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write `true` or `false`".to_owned()),
    }
}

/// A level under the names that External Secrets Operator's logs have for it, and ours.
fn level(text: &str) -> Result<LogLevel, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "trace" => LogLevel::Trace,
        "debug" => LogLevel::Debug,
        "info" | "" => LogLevel::Info,
        "warn" | "warning" => LogLevel::Warn,
        "error" | "dpanic" | "panic" | "fatal" => LogLevel::Error,
        _ => return Err("write trace, debug, info, warn or error".to_owned()),
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = GoDuration::parse(text).filter(|duration| !duration.is_negative());
    parsed
        .map(|duration| duration.positive().unwrap_or(Duration::ZERO))
        .ok_or_else(|| "write a duration such as 30s, 5m or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn settings(flags: &str) -> OperatorSettings {
        let arguments = std::iter::once("secretsync-operator").chain(flags.split_whitespace());
        Flags::parse(arguments.map(OsString::from)).unwrap().settings().unwrap()
    }

    #[test]
    fn the_declarations_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn the_flags_of_a_usual_deployment_are_taken() {
        let settings = settings(
            "--enable-leader-election=true --concurrent=5 --metrics-addr=:9090 --loglevel=debug --zap-time-encoding=epoch \
             --enable-cluster-store-reconciler=false --enable-push-secret-reconciler=false --enable-cluster-external-secret-reconciler=false --namespace=shop --live-addr=127.0.0.1:7 \
             --enable-extended-metric-labels --store-requeue-interval=1m30s --enable-flood-gate --client-qps=50 --controller-class=blue --status-heartbeat=0 --sops-root=/etc/docs",
        );
        assert_eq!((settings.concurrency, settings.class.as_str()), (5, "blue"));
        assert_eq!(settings.namespace.as_deref(), Some("shop"));
        assert_eq!(settings.rate, Some((50.0, 100)));
        assert!(settings.extended_metric_labels);
        assert!(settings.gate && !settings.cluster_stores && settings.stores && !settings.cluster_external_secrets);
        assert_eq!((settings.store_interval, settings.heartbeat), (Duration::from_secs(90), Duration::ZERO));
        assert_eq!(settings.sops_root.as_deref(), Some(std::path::Path::new("/etc/docs")));
        assert_eq!(settings.metrics_address, Some("[::]:9090".parse().unwrap()));
        assert_eq!(settings.live_address, Some("127.0.0.1:7".parse().unwrap()));
    }

    #[test]
    fn flags_without_a_meaning_are_taken_as_they_are_usually_written() {
        let usual = "--leader-election-id my-id --generator-gc-grace-period 2m --metrics-cert-dir=/c --enable-http2 --metrics-auth=false \
                     --vault-token-cache-size -1 --zap-time-encoding epoch";
        let arguments = std::iter::once("secretsync-operator").chain(usual.split_whitespace());
        let given = Flags::parse(arguments.map(OsString::from)).unwrap().ignored.given();
        assert_eq!(given.len(), 7, "{given:?}");
        assert!(given.contains(&"--leader-election-id".to_owned()));
    }

    #[test]
    fn of_a_flag_that_is_given_twice_the_last_one_counts() {
        let settings = settings(
            "--loglevel=info --concurrent=5 --enable-flood-gate=false --client-qps=1 --enable-http2 --leader-election-id=a --loglevel=debug --concurrent 7 \
             --enable-flood-gate --client-qps=2 --enable-http2=true --leader-election-id b",
        );
        assert_eq!((settings.concurrency, settings.gate, settings.rate), (7, true, Some((2.0, 100))));
    }

    #[test]
    fn booleans_are_read_as_go_reads_them() {
        for (text, expected) in [("T", true), ("1", true), ("True", true), ("0", false), ("f", false), ("FALSE", false)]
        {
            assert_eq!(settings(&format!("--enable-flood-gate={text}")).gate, expected, "{text}");
        }
        assert!(boolean("yes").is_err() && boolean("tRUE").is_err() && boolean("").is_err());
    }

    #[test]
    fn requests_are_bounded_only_where_that_is_asked_for() {
        assert_eq!(settings("").rate, None);
        assert_eq!(settings("--client-burst=7").rate, Some((50.0, 7)));
        assert_eq!(settings("--client-qps=-1 --client-burst=7").rate, None);
    }

    #[test]
    fn the_identity_of_the_process_is_for_cluster_stores_until_somebody_says_otherwise() {
        assert!(!settings("").lends_to_namespaces && !settings("--allow-ambient=cluster").lends_to_namespaces);
        assert!(settings("--allow-ambient=namespaced").lends_to_namespaces);
    }

    #[test]
    fn what_is_no_address_level_or_duration_is_refused() {
        assert!(
            level("loud").is_err()
                && level("DPanic").unwrap() == LogLevel::Error
                && level("").unwrap() == LogLevel::Info
        );
        assert!(address("--live-addr", "here").is_err());
        assert_eq!(address("--live-addr", "0").unwrap(), None);
        assert!(address("--live-addr", "localhost:8080").unwrap().unwrap().ip().is_loopback());
        assert!(duration("often").is_err() && duration("-1s").is_err());
    }
}
