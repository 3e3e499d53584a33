//! An AWS identity, proved without sending its keys: a signed request to STS, which Vault sends on and reads the answer of.

mod keys;
mod sign;
mod sts;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::Url;
use secretsync_core::provider::Ambient;
use zeroize::Zeroizing;

use super::body::lists;
use super::login::Door;
use crate::error::Failure;

pub(crate) use keys::AwsKeys;

/// `auth.iam`, checked.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Iam {
    pub(crate) mount: String,
    /// The role in Vault.
    pub(crate) role: String,
    pub(crate) region: String,
    /// What the server demands in a signed header, against requests that were meant for another server.
    pub(crate) server_id: Option<String>,
    pub(crate) keys: AwsKeys,
    /// The role in AWS that is assumed first.
    pub(crate) assumed: Option<AssumedRole>,
    /// The environment, where it may say which address STS has.
    pub(crate) own: Option<Ambient>,
}

/// A role in AWS.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct AssumedRole {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
}

/// A signed request, in the form that Vault takes it.
#[derive(Debug)]
pub(super) struct Proof {
    url: String,
    body: String,
    headers: Zeroizing<String>,
}

impl Iam {
    /// The request that proves who we are.
    pub(super) async fn proof(&self, door: &Door<'_>) -> Result<Proof, Failure> {
        let sts = sts::Sts::new(self)?;
        let keys = self.keys.obtain(door, &sts).await?;
        let keys = match &self.assumed {
            Some(role) => sts.assume(role, &keys).await?,
            None => keys,
        };
        Proof::new(&self.endpoint(), &self.region, self.server_id.as_deref(), &keys, Timestamp::now())
    }

    /// The address of STS that the request is made out to. Vault sends it to the one in its own configuration.
    fn endpoint(&self) -> String {
        match self.region.as_str() {
            "us-east-1" => "https://sts.amazonaws.com/".to_owned(),
            region if region.starts_with("cn-") => format!("https://sts.{region}.amazonaws.com.cn/"),
            region => format!("https://sts.{region}.amazonaws.com/"),
        }
    }
}

impl Proof {
    fn new(
        endpoint: &str,
        region: &str,
        server_id: Option<&str>,
        keys: &keys::Keys,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let url = Url::parse(endpoint).map_err(|_| Failure::Aws("the region names no address"))?;
        let more: Vec<_> = server_id.into_iter().map(|id| (SERVER_ID, id)).collect();
        let signed = sign::sign(&sign::Post { url: &url, region, body: CALLER, headers: &more }, keys, now);
        let headers: Vec<_> = signed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // The session token among them is a secret.
        let json = lists(&headers);
        Ok(Self {
            url: STANDARD.encode(endpoint),
            body: STANDARD.encode(CALLER),
            headers: STANDARD.encode(&*json).into(),
        })
    }

    pub(super) fn fields<'a>(&'a self, role: &'a str) -> [(&'static str, &'a str); 5] {
        [
            ("role", role),
            ("iam_http_request_method", "POST"),
            ("iam_request_url", &self.url),
            ("iam_request_body", &self.body),
            ("iam_request_headers", &self.headers),
        ]
    }
}

const CALLER: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const SERVER_ID: &str = "x-vault-aws-iam-server-id";
