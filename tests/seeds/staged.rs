//! What accounts have before wheelwright looks at them: keys that its role may use, and queues that anybody may send to.

use crate::spec::{KEY_ID, REGIONS, Spec};
use serde_json::json;
use wheelwright::eventbridge::Arn;
use wheelwright::sim::{SimulatedAws, key_policy};

/// A key for each account and Region.
pub(crate) fn create_keys(aws: &mut SimulatedAws, spec: &Spec) {
    for account in &spec.accounts {
        let mut policy = key_policy(&account.id);
        let operator = json!({
            "Sid": "Operator", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{}:role/wheelwright-operator", account.id)},
        });
        policy["Statement"].as_array_mut().unwrap().push(operator);
        for region in REGIONS {
            let key = aws.create_key_with_id(&account.id, region, KEY_ID);
            aws.set_key_policy(&key, &policy);
        }
    }
}

/// A queue that anybody may send to.
pub(crate) fn create_queue(aws: &mut SimulatedAws, arn: &str) {
    let parsed: Arn = arn.parse().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    ]});
    aws.create_queue_with_policy(&parsed.account, &parsed.region, parsed.queue_name().unwrap(), &policy);
}
