use std::sync::Arc;

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{Ambient, CredentialSource, NoCredentials, RawConfig};
use secretsync_core::secret::SecretValue;

use super::*;
use crate::auth::{Jwt, Method};
use crate::config::Authorities;
use crate::{KIND, VAULT};

const MEMBER: &str = VAULT.member;

fn settings(text: &str) -> Result<Settings> {
    settings_of(&StoreOrigin::namespaced("shop", "vault"), text)
}

fn settings_of(origin: &StoreOrigin, text: &str) -> Result<Settings> {
    let config: VaultConfig = RawConfig::from_json(text).read(origin, KIND)?;
    Settings::new(&config, &BuildContext::new(origin.clone(), Arc::new(NoCredentials::default())), MEMBER)
}

fn with(members: &str) -> Result<Settings> {
    settings(&format!(r#"{{"server":"https://vault.example.com",{members}}}"#))
}

fn message(members: &str) -> String {
    with(members).unwrap_err().to_string()
}

#[test]
fn the_smallest_store_reads_kv_version_2_without_a_token() {
    let settings = settings(r#"{"server":"https://vault.example.com/"}"#).unwrap();
    assert_eq!((settings.version, settings.mount), (KvVersion::V2, None));
    assert!(matches!(settings.account.method, Method::None));
    assert!(matches!(settings.account.authorities, Authorities::System));
}

#[test]
fn every_field_of_the_original_is_known() {
    let auth = r#"{"namespace":"n",
        "appRole":{"roleId":"r","roleRef":{"name":"a","key":"b"},"secretRef":{"name":"a","namespace":"n","key":"b"}},
        "cert":{"clientCert":{},"path":"p","secretRef":{},"vaultRole":"r"},
        "gcp":{"role":"r","projectID":"p","location":"l","path":"p","secretRef":{"secretAccessKeySecretRef":{}},
            "serviceAccountRef":{"name":"a","audiences":["x"]},
            "workloadIdentity":{"serviceAccountRef":{"name":"a"},"clusterLocation":"l","clusterName":"n","clusterProjectID":"p"}},
        "iam":{"vaultRole":"r","externalID":"e","jwt":{"serviceAccountRef":{"name":"a"}},"path":"p","region":"r","role":"r",
            "secretRef":{"accessKeyIDSecretRef":{},"secretAccessKeySecretRef":{},"sessionTokenSecretRef":{}},"vaultAwsIamServerID":"i"},
        "jwt":{"path":"p","role":"r","secretRef":{},"kubernetesServiceAccountToken":
            {"serviceAccountRef":{"name":"a"},"audiences":["x"],"expirationSeconds":600}},
        "kubernetes":{"mountPath":"m","role":"r","secretRef":{},"serviceAccountRef":{"name":"a"}},
        "ldap":{"path":"p","username":"u","secretRef":{}},
        "userPass":{"path":"p","username":"u","secretRef":{}},
        "tokenSecretRef":{"name":"token","key":"token"}}"#;
    let settings = with(&format!(
        r#""auth":{auth},"caBundle":"","caProvider":{{"type":"ConfigMap","name":"ca","key":"ca.crt"}},"checkAndSet":{{"required":true}},
        "forwardInconsistent":true,"headers":{{"X-Team":"shop"}},"namespace":"/team/","path":"/kv/","readYourWrites":true,
        "tls":{{"certSecretRef":{{"name":"c"}},"keySecretRef":{{"name":"c"}}}},"version":"v2""#
    ))
    .unwrap();
    assert_eq!(settings.mount.as_deref(), Some("kv"));
    assert_eq!(settings.namespace.unwrap(), "team");
    assert_eq!(settings.account.namespace.clone().unwrap(), "n");
    assert!(settings.account.keep_state && settings.account.forward_inconsistent);
    assert!(matches!(settings.account.method, Method::Token(_)));
    assert!(matches!(settings.account.authorities, Authorities::Reference(_)));
    assert_eq!(settings.account.certificate().unwrap().key, CredentialRef::secret("c", "tls.key"));
    assert!(settings.account.headers["x-team"].is_sensitive());
}

#[test]
fn the_first_method_in_the_order_of_external_secrets_operator_is_used() {
    let selector = r#"{"name":"s","key":"k"}"#;
    let mut methods = vec![
        ("gcp", r#"{"role":"r"}"#.to_owned()),
        (
            "iam",
            format!(
                r#"{{"vaultRole":"r","secretRef":{{"accessKeyIDSecretRef":{selector},"secretAccessKeySecretRef":{selector}}}}}"#
            ),
        ),
        ("cert", format!(r#"{{"clientCert":{selector},"secretRef":{selector}}}"#)),
        ("jwt", format!(r#"{{"path":"jwt","secretRef":{selector}}}"#)),
        ("userPass", format!(r#"{{"path":"userpass","username":"u","secretRef":{selector}}}"#)),
        ("ldap", format!(r#"{{"path":"ldap","username":"u","secretRef":{selector}}}"#)),
        ("kubernetes", format!(r#"{{"role":"r","secretRef":{selector}}}"#)),
        ("appRole", format!(r#"{{"path":"approle","roleId":"r","secretRef":{selector}}}"#)),
        ("tokenSecretRef", selector.to_owned()),
    ];
    let all = |methods: &[(&str, String)]| {
        let members: Vec<_> = methods.iter().map(|(name, text)| format!(r#""{name}":{text}"#)).collect();
        with(&format!(r#""auth":{{{}}}"#, members.join(",")))
    };
    while methods.len() > 1 {
        let settings = all(&methods).unwrap();
        assert_eq!(settings.account.method.name(), methods.pop().map(|(name, _)| name));
        let named = settings.account.method.references();
        assert!(!named.is_empty() && named.iter().all(|one| one.name() == "s"));
    }
    let error = all(&methods).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().ends_with("auth method `gcp` is not supported"), "{error}");
}

#[test]
fn a_method_that_lacks_something_says_what() {
    for (auth, says) in [
        ("{}", "no valid auth method specified"),
        (r#"{"tokn":{}}"#, "unknown field `tokn`"),
        (r#"{"appRole":{"secretRef":{"name":"s","key":"k"}}}"#, "neither `roleId` nor `roleRef` was supplied"),
        (r#"{"appRole":{"roleId":"r","secretRef":{"name":"s"}}}"#, "it needs a name and a key"),
        (r#"{"kubernetes":{"role":" ","secretRef":{"name":"s"}}}"#, "no role name was provided"),
        (r#"{"jwt":{"role":"r"}}"#, "neither `secretRef` nor `kubernetesServiceAccountToken` was supplied"),
        (r#"{"userPass":{"username":"../../sys/seal","secretRef":{"name":"s","key":"k"}}}"#, "it cannot be a name"),
        (r#"{"ldap":{"username":"..","secretRef":{"name":"s","key":"k"}}}"#, "it cannot be a name"),
        (r#"{"userPass":{"username":"u"}}"#, "it needs a name and a key"),
        (r#"{"cert":{"clientCert":{"name":"c"}}}"#, "it needs a name and a key"),
        (r#"{"iam":{"vaultRole":""}}"#, "no role name was provided"),
        (r#"{"iam":{"vaultRole":"r","region":"a.example.com/"}}"#, "it is no name of a region"),
        (r#"{"iam":{"vaultRole":"r","vaultAwsIamServerID":"a\nb"}}"#, "characters that a request to AWS"),
        (r#"{"kubernetes":{"role":"r","mountPath":"a/../b","secretRef":{"name":"s"}}}"#, "are not followed"),
        (
            r#"{"kubernetes":{"role":"r","serviceAccountRef":{"name":"a","namespace":"other"}}}"#,
            "match the namespace of the SecretStore",
        ),
    ] {
        let found = message(&format!(r#""auth":{auth}"#));
        assert!(found.contains(says), "{auth}: {found}");
    }
}

#[test]
fn only_a_store_that_may_act_as_this_process_can_leave_credentials_out() {
    for auth in [r#"{"kubernetes":{"role":"r"}}"#, r#"{"iam":{"vaultRole":"r"}}"#] {
        let text = format!(r#"{{"server":"https://v","auth":{auth}}}"#);
        let origin = StoreOrigin::cluster("vault");
        let config: VaultConfig = RawConfig::from_json(text.as_str()).read(&origin, KIND).unwrap();
        let context = BuildContext::new(origin.clone(), Arc::new(NoCredentials::default()));
        let error = Settings::new(&config, &context, MEMBER).unwrap_err();
        assert!(error.to_string().contains("the identity of this process is not lent"), "{error}");
        let lent = context.with_own_identity(Some(Ambient::new(|_| None)));
        assert!(Settings::new(&config, &lent, MEMBER).is_ok());
        assert_eq!(references(&config, &origin, MEMBER).unwrap(), []);
    }
}

#[test]
fn tokens_of_service_accounts_have_the_receivers_of_the_original() {
    let jwt = |auth: &str| match with(&format!(r#""auth":{auth}"#)).unwrap().account.method.clone() {
        Method::Jwt { jwt: Jwt::Account { audiences, lifetime, .. }, .. }
        | Method::Kubernetes { jwt: Jwt::Account { audiences, lifetime, .. }, .. } => (audiences, lifetime.as_secs()),
        other => panic!("{other:?}"),
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(jwt(r#"{"kubernetes":{"role":"r","serviceAccountRef":{"name":"a"}}}"#), (none, 600));
    let named = r#"{"kubernetes":{"role":"r","serviceAccountRef":{"name":"a","audiences":["v"]}}}"#;
    assert_eq!(jwt(named).0, ["v"]);
    let account = |more: &str| {
        jwt(&format!(
            r#"{{"jwt":{{"kubernetesServiceAccountToken":{{"serviceAccountRef":{{"name":"a","audiences":["x"]}}{more}}}}}}}"#
        ))
    };
    assert_eq!(account(""), (vec!["x".to_owned(), "vault".to_owned()], 600));
    assert_eq!(account(r#","audiences":[],"expirationSeconds":900"#), (vec!["x".to_owned()], 900));
}

#[test]
fn equal_identities_share_a_login_and_others_never_do() {
    #[derive(Debug)]
    struct In(&'static str);

    #[async_trait::async_trait]
    impl CredentialSource for In {
        async fn resolve(&self, _: &CredentialRef) -> Result<SecretValue> {
            unreachable!("nothing is resolved before the first use")
        }

        fn identity(&self, reference: &CredentialRef) -> Option<String> {
            (!self.0.is_empty()).then(|| format!("{reference} in {}", self.0))
        }
    }

    const AUTH: &str = r#""auth":{"appRole":{"roleId":"r","secretRef":{"name":"s","key":"k"}}}"#;
    let key = |members: &str, namespace| with(members).unwrap().account.key(&In(namespace));
    let own = key(AUTH, "shop");
    assert!(own.is_some() && own == key(&format!(r#"{AUTH},"path":"other","version":"v1""#), "shop"));
    assert!(key(AUTH, "").is_none(), "a source that cannot tell shares nothing");
    for other in [
        key(AUTH, "bank"),
        key(&AUTH.replace(r#""r""#, r#""q""#), "shop"),
        key(&format!(r#"{AUTH},"namespace":"n""#), "shop"),
        key(&format!(r#"{AUTH},"headers":{{"X-A":"b"}}"#), "shop"),
        key(&format!(r#"{AUTH},"readYourWrites":true"#), "shop"),
        key(&format!(r#"{AUTH},"tls":{{"certSecretRef":{{"name":"c"}},"keySecretRef":{{"name":"c"}}}}"#), "shop"),
        key(r#""path":"kv""#, "shop"),
    ] {
        assert!(other.is_some() && other != own);
    }
}

#[test]
fn the_environment_takes_the_place_of_every_method() {
    let origin = StoreOrigin::cluster("vault");
    let text = r#"{"server":"https://v","auth":{"kubernetes":{"role":"r"}}}"#;
    let config: VaultConfig = RawConfig::from_json(text).read(&origin, KIND).unwrap();
    let context =
        BuildContext::new(origin, Arc::new(NoCredentials::default())).with_ambient(Some(Ambient::new(|_| None)));
    assert!(matches!(Settings::new(&config, &context, MEMBER).unwrap().account.method, Method::Ambient(_)));
}

#[test]
fn plain_http_stays_on_this_machine() {
    for good in ["http://127.0.0.1:8200", "http://localhost:8200", "http://[::1]:8200"] {
        assert!(settings(&format!(r#"{{"server":"{good}"}}"#)).is_ok(), "{good}");
    }
    let error = settings(r#"{"server":"http://vault.example.com:8200"}"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("plain http would send the token"), "{error}");
    assert!(error.hint().unwrap().advice().contains("https"));
}

#[test]
fn servers_that_are_none_are_refused_without_being_quoted() {
    for bad in [
        "",
        "vault.example.com",
        "ftp://v",
        "https://user:hunter2@v",
        "https://v/?a=hunter2",
        "https://169.254.169.254",
    ] {
        let error = settings(&format!(r#"{{"server":"{bad}"}}"#)).unwrap_err();
        assert_eq!(error.hint().unwrap().code(), Code::StoreInvalid, "{bad}");
        assert!(
            error.to_string().starts_with("failed to use `spec.provider.vault.server` of SecretStore shop/vault: "),
            "{error}"
        );
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[test]
fn a_namespaced_store_reads_its_own_namespace_only() {
    const REFUSED: &str = "namespace should either be empty or match the namespace of the SecretStore";
    for members in [
        r#""auth":{"tokenSecretRef":{"name":"t","key":"k","namespace":"other"}}"#,
        r#""caProvider":{"type":"Secret","name":"c","key":"k","namespace":"other"}"#,
        r#""tls":{"certSecretRef":{"name":"c","namespace":"other"},"keySecretRef":{"name":"c"}}"#,
    ] {
        assert!(message(members).ends_with(REFUSED), "{members}");
    }
    assert!(with(r#""auth":{"tokenSecretRef":{"name":"t","key":"k","namespace":"shop"}}"#).is_ok());
    let cluster = StoreOrigin::cluster("vault");
    let ca = |namespace: &str| {
        let text =
            format!(r#"{{"server":"https://v","caProvider":{{"type":"Secret","name":"c","key":"k"{namespace}}}}}"#);
        settings_of(&cluster, &text).map(drop)
    };
    assert!(ca("").unwrap_err().to_string().ends_with("missing namespace on caProvider secret"));
    assert!(ca(r#","namespace":"any""#).is_ok());
}

#[test]
fn authorities_must_be_certificates_plain_or_in_base64() {
    use base64::Engine;
    let signed = rcgen::generate_simple_self_signed(["vault".to_owned()]).unwrap();
    let pem = signed.cert.pem();
    let wrapped = base64::engine::general_purpose::STANDARD.encode(&pem);
    for good in [&pem, &wrapped] {
        assert!(with(&format!(r#""caBundle":{}"#, serde_json::to_string(good).unwrap())).is_ok());
    }
    let key = signed.signing_key.serialize_pem();
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    for bad in [key.clone(), format!("{pem}{key}"), empty, "hunter2".to_owned()] {
        let error = message(&format!(r#""caBundle":{}"#, serde_json::to_string(&bad).unwrap()));
        assert!(error.starts_with("failed to use `spec.provider.vault.caBundle`"), "{error}");
        assert!(!error.contains("hunter2"));
    }
}

#[test]
fn headers_cannot_smuggle_a_token_or_bend_the_connection() {
    for name in ["X-Vault-Token", "x-vault-token", "Host", "Content-Length", "Transfer-Encoding", "a b"] {
        let error = message(&format!(r#""headers":{{"{name}":"hunter2"}}"#));
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(message(r#""headers":{"X-A":"a\nb"}"#).contains("characters that a header cannot carry"));
}

#[test]
fn half_a_client_certificate_and_checks_without_versions_are_refused() {
    assert!(message(r#""tls":{"certSecretRef":{"name":"c"}}"#).contains("needs its key"));
    assert!(message(r#""version":"v1","checkAndSet":{"required":true}"#).contains("no versions"));
    assert!(message(r#""version":"v3""#).contains("expected `v1` or `v2`"));
    assert!(message(r#""auth":{"tokenSecretRef":{"name":"t"}}"#).contains("needs a name and a key"));
    assert!(message(r#""path":"a/../b""#).contains("are not followed"));
}

#[test]
fn references_are_everything_that_is_read_from_outside() {
    let text = r#"{"server":"https://v","auth":{"tokenSecretRef":{"name":"t","key":"k","namespace":"a"}},
        "caProvider":{"type":"ConfigMap","name":"c","key":"k","namespace":"b"},
        "tls":{"certSecretRef":{"name":"x"},"keySecretRef":{"name":"x"}}}"#;
    let origin = StoreOrigin::cluster("v");
    let config: VaultConfig = RawConfig::from_json(text).read(&origin, KIND).unwrap();
    let found: Vec<_> = references(&config, &origin, MEMBER).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "key `k` of Secret `a/t`",
            "key `k` of ConfigMap `b/c`",
            "key `tls.crt` of Secret `x`",
            "key `tls.key` of Secret `x`"
        ]
    );
}
