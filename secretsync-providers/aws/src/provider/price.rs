//! What calls cost.

use secretsync_core::provider::{Cost, PriceList, Request};

use crate::client::Call;

/// A call that reads so many objects, with its price.
pub(super) fn request(call: Call, objects: usize) -> Request {
    let objects = u32::try_from(objects).unwrap_or(u32::MAX);
    let request = Request::new(call.as_str());
    let (least, most, list) = match call {
        #[cfg(feature = "kms")]
        Call::Decrypt => return request,
        // Whether each of its secrets counts, too, AWS does not say.
        Call::BatchGetSecretValue => (CALL, CALL.saturating_mul(objects), &SECRETS),
        Call::DescribeSecret | Call::GetSecretValue | Call::ListSecrets => (CALL, CALL, &SECRETS),
        // A parameter counts, not the request.
        Call::GetParameter | Call::GetParameters | Call::GetParametersByPath => {
            (0, CALL.saturating_mul(objects), &PARAMETERS)
        }
        Call::DescribeParameters | Call::ListTagsForResource => (0, 0, &PARAMETERS),
    };
    request.costing(Cost::new(least, most, list))
}

/// 0.05 US dollars for 10,000, in billionths for one.
const CALL: u32 = 5_000;

const SECRETS: PriceList = PriceList::new(
    "AWS Secrets Manager, us-east-1",
    DATE,
    "0.05 USD for 10,000 calls; a batch counts once at least, and at most as often as it has secrets",
);
const PARAMETERS: PriceList = PriceList::new(
    "AWS Systems Manager Parameter Store, us-east-1",
    DATE,
    "nothing for standard parameters at standard throughput; 0.05 USD for 10,000 parameters read where they are advanced or the throughput is higher",
);
/// When the prices were looked up.
const DATE: &str = "2026-11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_calls_cost_five_cents() {
        let cost = |call, objects| request(call, objects).cost.map(|cost| (cost.least, cost.most));
        let cents = |nano: u64| nano / 10_000_000;
        assert_eq!(cents(10_000 * u64::from(CALL)), 5);
        assert_eq!(cost(Call::GetSecretValue, 1), Some((CALL, CALL)));
        assert_eq!(cost(Call::BatchGetSecretValue, 20), Some((CALL, 20 * CALL)));
        assert_eq!(cost(Call::GetParameters, 10), Some((0, 10 * CALL)));
    }
}
