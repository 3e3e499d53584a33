//! What an AWS store bills is asked for in full requests, whoever needs it.

use super::stage::{Stage, until};
use crate::aws::{Log, moto};
use crate::sandbox::data;

const COUNT: usize = 400;

/// A store whose keys are in a Secret.
const STORE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: aws, namespace: '@NS@'}
stringData: {id: AKIATEST, secret: s3cr3t}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: sm, namespace: '@NS@'}
spec:
  controller: '@NS@'
  provider:
    aws:
      service: SecretsManager
      region: @REGION@
      auth:
        secretRef:
          accessKeyIDSecretRef: {name: aws, key: id}
          secretAccessKeySecretRef: {name: aws, key: secret}
";

/// ExternalSecrets that read what `remote` names for each.
fn syncs(remote: impl Fn(usize) -> String) -> String {
    let sync = |index| {
        let data = data(&[("v", &remote(index), "")]);
        format!(
            "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: s{index}, namespace: '@NS@'}}\n\
             spec:\n  refreshInterval: 1h\n  secretStoreRef: {{name: sm}}\n{data}\n"
        )
    };
    (0..COUNT).map(sync).collect()
}

/// What the Secrets of the namespace hold, and how many hold it.
fn written(stage: &Stage, value: &str) -> usize {
    let values = stage.namespace.kubectl(&["get", "secrets", "-o", "jsonpath={.items[*].data.v}"]).unwrap();
    values.split_whitespace().filter(|found| *found == value).count()
}

#[test]
fn a_start_reads_twenty_secrets_in_a_request_and_one_secret_of_all_once() {
    let region = "ap-northeast-1";
    let mut stage = Stage::new("batch");
    stage.set("AWS_ENDPOINT_URL", moto().address());
    for index in 0..COUNT {
        moto().secret(region, &format!("many/{index}"), "each").unwrap();
        moto().secret(region, &format!("more/{index}"), "more").unwrap();
    }
    moto().secret(region, "one", "same").unwrap();
    stage.apply(&(STORE.replace("@REGION@", region) + &syncs(|index| format!("many/{index}"))));
    let mut log = Log::start(region);
    let reads = |log: &mut Log| {
        let mut reads = log.operations();
        // How the store is, is asked as well.
        reads.retain(|operation| operation != "secretsmanager.DescribeSecret");
        reads
    };
    let batches = vec!["secretsmanager.BatchGetSecretValue"; COUNT / 20];
    let operator = stage.operator("");
    until(&COUNT, || written(&stage, "ZWFjaA=="));
    assert_eq!(reads(&mut log), batches);

    // A new process finds a store that is known to work, and manifests that have changed.
    drop(operator);
    stage.apply(&syncs(|index| format!("more/{index}")));
    let operator = stage.operator("");
    until(&COUNT, || written(&stage, "bW9yZQ=="));
    assert_eq!(reads(&mut log), batches);

    drop(operator);
    stage.apply(&syncs(|_| "one".to_owned()));
    let _operator = stage.operator("");
    until(&COUNT, || written(&stage, "c2FtZQ=="));
    assert_eq!(reads(&mut log), ["secretsmanager.GetSecretValue"]);
}
