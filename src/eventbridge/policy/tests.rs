//! Bus policies against what AWS documents, case by case.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use serde_json::json;

const BUS: &str = "arn:aws:events:us-east-1:111111111111:event-bus/org-events";

fn policy(statements: &Value) -> BusPolicy {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    BusPolicy::parse(&document.to_string()).unwrap()
}

fn statement(effect: &str, principal: &Value, condition: &Value) -> Value {
    json!({ "Sid": "s", "Effect": effect, "Principal": principal, "Action": "events:PutEvents",
            "Resource": BUS, "Condition": condition })
}

fn request() -> PutEventsRequest<'static> {
    PutEventsRequest {
        caller: ArnOrAccount {
            account: "222222222222".to_owned(),
            arn: Some("arn:aws:iam::222222222222:role/deliver".to_owned()),
        },
        organization: Some("o-a1b2c3d4e5"),
        bus_arn: BUS,
        source: "com.acme.payments",
        detail_type: "PaymentSettled",
        source_arn: Some("arn:aws:events:us-east-1:222222222222:rule/r"),
        forwarded: true,
    }
}

#[test]
fn spellings_of_one_policy_are_equal() {
    let one = policy(&json!([
        { "Sid": "a", "Effect": "Allow", "Principal": { "AWS": "222222222222" }, "Action": ["events:PutEvents"], "Resource": BUS },
        { "Sid": "b", "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "events:PutEvents", "Resource": [BUS] },
    ]));
    let two = policy(&json!([
        { "Sid": "b", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": BUS },
        { "Sid": "a", "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam::222222222222:root"] }, "Action": "events:PutEvents", "Resource": BUS },
    ]));
    assert_eq!(one, two);
}

#[test]
fn the_negative_members_are_other_statements() {
    let positive = statement("Allow", &json!("*"), &json!({}));
    for member in ["Principal", "Action", "Resource"] {
        let mut negative = positive.clone();
        let members = negative.as_object_mut().unwrap();
        let value = members.remove(member).unwrap();
        members.insert(format!("Not{member}"), value);
        let negative = Statement::from_value(&negative).unwrap();
        assert_ne!(negative, Statement::from_value(&positive).unwrap());
        assert_eq!(Statement::from_value(&negative.to_value()).unwrap(), negative);
    }
}

#[test]
fn the_text_is_the_one_that_aws_returns() {
    let grants = BusPolicy {
        statements: vec![
            Statement::account_grant("a", "aws", "222222222222", BUS),
            Statement::organization_grant("o", "o-a1b2c3d4e5", BUS),
        ],
    };
    let text = grants.to_aws_text();
    assert_eq!(
        text,
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"a","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::222222222222:root"}},"Action":"events:PutEvents","Resource":"{BUS}"}},{{"Sid":"o","Effect":"Allow","Principal":"*","Action":"events:PutEvents","Resource":"{BUS}","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}}}}]}}"#
        )
    );
    assert_eq!(BusPolicy::parse(&text).unwrap(), grants);
    assert_eq!(grants.normalised_length(), text.len());
}

#[test]
fn a_bare_account_is_in_the_partition_of_its_bus() {
    let bus = "arn:aws-cn:events:cn-north-1:111111111111:event-bus/b";
    let read = Statement::from_value(&json!({ "Sid": "a", "Effect": "Allow",
        "Principal": { "AWS": "222222222222" }, "Action": "events:PutEvents", "Resource": bus }));
    assert_eq!(read.unwrap(), Statement::account_grant("a", "aws-cn", "222222222222", bus));
}

#[test]
fn a_deleted_role_is_seen() {
    let dead = statement("Allow", &json!({ "AWS": ["AROAEXAMPLEEXAMPLE", "222222222222"] }), &json!({}));
    assert!(Statement::from_value(&dead).unwrap().has_dead_principal());
    assert!(!Statement::account_grant("a", "aws", "222222222222", BUS).has_dead_principal());
}

#[test]
fn what_is_no_policy_says_where() {
    for (text, wanted) in [
        ("[]", "not a JSON object"),
        ("{}", "no `Statement`"),
        (r#"{"Statement":[{"Effect":"Maybe"}]}"#, "statement 0"),
        (r#"{"Statement":{"Effect":"Allow","Action":"a","Resource":"b"}}"#, "neither `Principal`"),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"a","NotAction":"a","Resource":"b"}}"#,
            "both `Action`",
        ),
    ] {
        let message = BusPolicy::parse(text).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn conditions_hold_as_iam_has_it() {
    let everyone = json!("*");
    for (condition, allowed) in [
        (json!({}), true),
        (json!({ "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } }), true),
        (json!({ "StringEquals": { "aws:PrincipalOrgID": "o-other00000" } }), false),
        (json!({ "StringEquals": { "AWS:principalaccount": ["1", "222222222222"] } }), true),
        (json!({ "StringNotEquals": { "events:source": "com.acme.payments" } }), false),
        (json!({ "StringNotEquals": { "events:source": ["a", "b"] } }), true),
        (json!({ "StringLike": { "events:source": "com.acme.*" } }), true),
        (json!({ "StringNotLike": { "events:source": "com.acme.*" } }), false),
        (json!({ "ForAnyValue:StringLike": { "events:detail-type": ["Payment*"] } }), true),
        (json!({ "ForAllValues:StringEquals": { "events:detail-type": ["Other"] } }), false),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:events:*:222222222222:rule/*" } }), true),
        (json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:events:us-east-1:333333333333:rule/r" } }), false),
        (json!({ "StringEquals": { "aws:SourceAccount": "222222222222" } }), true),
        (json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::222222222222:role/del*" } }), true),
        (json!({ "Bool": { "events:eventBusInvocation": true } }), true),
        (json!({ "Bool": { "events:eventBusInvocation": "false" } }), false),
        (json!({ "Null": { "aws:SourceArn": "false" } }), true),
        (json!({ "Null": { "aws:SourceArn": "true" } }), false),
        (json!({ "StringEquals": { "aws:PrincipalTag/x": "y" } }), false),
        (json!({ "DateLessThan": { "aws:CurrentTime": "2030-01-01" } }), false),
        (json!({ "StringEquals": { "events:source": "${aws:PrincipalTag/source}" } }), false),
    ] {
        let policy = policy(&json!([statement("Allow", &everyone, &condition)]));
        assert_eq!(policy.evaluate(&request()).is_allowed(), allowed, "{condition}");
    }
}

#[test]
fn a_key_that_is_missing_fails_unless_the_operator_forgives_it() {
    let request = PutEventsRequest { source_arn: None, ..request() };
    let value = json!({ "aws:SourceArn": "arn:aws:events:us-east-1:222222222222:rule/r" });
    for (operator, allowed) in [
        ("ArnEquals", false),
        ("ArnEqualsIfExists", true),
        ("ArnNotEquals", true),
        ("ForAllValues:ArnLike", true),
        ("ForAnyValue:ArnLike", false),
    ] {
        let policy = policy(&json!([statement("Allow", &json!("*"), &json!({ operator: value }))]));
        assert_eq!(policy.evaluate(&request).is_allowed(), allowed, "{operator}");
    }
}

#[test]
fn a_denial_wins_and_doubt_is_taken_the_safe_way() {
    let allow = statement("Allow", &json!({ "AWS": "222222222222" }), &json!({}));
    let deny = statement("Deny", &json!("*"), &json!({ "Bool": { "events:eventBusInvocation": "true" } }));
    let doubt = json!({ "StringEquals": { "aws:PrincipalTag/x": "y" } });
    assert_eq!(
        policy(&json!([allow.clone(), deny])).evaluate(&request()),
        Decision::ExplicitDeny { sid: Some("s".to_owned()), unknown: Vec::new() }
    );
    assert_eq!(
        policy(&json!([allow, statement("Deny", &json!("*"), &doubt)])).evaluate(&request()),
        Decision::ExplicitDeny {
            sid: Some("s".to_owned()),
            unknown: vec!["condition key `aws:PrincipalTag/x`".to_owned()]
        }
    );
    assert_eq!(
        policy(&json!([statement("Allow", &json!("*"), &doubt)])).evaluate(&request()),
        Decision::ImplicitDeny { unknown: vec!["condition key `aws:PrincipalTag/x`".to_owned()] }
    );
}

#[test]
fn principals_actions_and_resources_limit_a_statement() {
    let role = json!({ "AWS": "arn:aws:iam::222222222222:role/deliver" });
    assert!(policy(&json!([statement("Allow", &role, &json!({}))])).evaluate(&request()).is_allowed());
    let other = json!({ "AWS": "333333333333" });
    assert!(!policy(&json!([statement("Allow", &other, &json!({}))])).evaluate(&request()).is_allowed());
    for (member, value, allowed) in [
        ("Action", json!("events:*"), true),
        ("Action", json!("events:PutRule"), false),
        ("Resource", json!("*"), true),
        ("Resource", json!("arn:aws:events:us-east-1:111111111111:event-bus/other"), false),
    ] {
        let mut changed = statement("Allow", &json!("*"), &json!({}));
        changed[member] = value;
        assert_eq!(policy(&json!([changed.clone()])).evaluate(&request()).is_allowed(), allowed, "{changed}");
    }
}

const RULE: &str = "arn:aws:events:us-east-1:111111111111:rule/org-events/ww.ledger.large.1a2b3c4d";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:dead-letters";

fn assumes(trust: &Value) -> Decision {
    let document = json!({ "Version": "2012-10-17", "Statement": trust }).to_string();
    let role = "arn:aws:iam::111111111111:role/delivery";
    BusPolicy::parse_trust(&document).unwrap().evaluate_service(&ServiceRequest {
        service: "events.amazonaws.com",
        action: "sts:AssumeRole",
        resource: role,
        source_arn: RULE,
    })
}

fn trusting(principal: &Value, condition: &Value) -> Value {
    json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition })
}

#[test]
fn a_role_lets_eventbridge_in_for_the_rules_that_its_trust_policy_means() {
    let events = json!({ "Service": "events.amazonaws.com" });
    for (principal, condition, lets_in) in [
        (events.clone(), json!({}), true),
        (json!({ "Service": ["lambda.amazonaws.com", "events.amazonaws.com"] }), json!({}), true),
        (json!("*"), json!({}), true),
        (json!({ "Service": "lambda.amazonaws.com" }), json!({}), false),
        (json!({ "AWS": "111111111111" }), json!({}), false),
        (events.clone(), json!({ "StringEquals": { "aws:SourceAccount": "111111111111" } }), true),
        (events.clone(), json!({ "StringEquals": { "aws:SourceAccount": "222222222222" } }), false),
        (
            events.clone(),
            json!({ "ArnLike": { "aws:SourceArn": ["arn:aws:events:*:111111111111:rule/*/ww.*", "arn:x"] } }),
            true,
        ),
        (events.clone(), json!({ "ArnLike": { "aws:SourceArn": "arn:aws:events:*:111111111111:rule/x" } }), false),
        // A service gives no external id.
        (events.clone(), json!({ "StringEquals": { "sts:ExternalId": "x" } }), false),
        (events, json!({ "StringEquals": { "aws:PrincipalTag/x": "y" } }), false),
    ] {
        let decision = assumes(&trusting(&principal, &condition));
        assert_eq!(decision.is_allowed(), lets_in, "{principal} {condition}: {decision:?}");
    }
    let allowed = trusting(&json!({ "Service": "events.amazonaws.com" }), &json!({}));
    let denied = json!({ "Effect": "Deny", "Principal": "*", "Action": "sts:*" });
    assert!(matches!(assumes(&json!([allowed, denied])), Decision::ExplicitDeny { .. }));
    // What is meant for people is no word to a service.
    let session =
        json!({ "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "sts:TagSession" });
    assert_eq!(assumes(&session), Decision::ImplicitDeny { unknown: vec![] });
}

#[test]
fn a_queue_takes_dead_letters_by_its_policy_and_a_demand_for_tls_keeps_none_out() {
    let send = json!({ "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "SQS:SendMessage",
                       "Resource": QUEUE, "Condition": { "ArnEquals": { "aws:SourceArn": RULE } } });
    let tls = json!({ "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE,
                      "Condition": { "Bool": { "aws:SecureTransport": "false" } } });
    let request = |source_arn: &'static str| ServiceRequest {
        service: "events.amazonaws.com",
        action: "sqs:SendMessage",
        resource: QUEUE,
        source_arn,
    };
    let policy = policy(&json!([tls, send]));
    assert!(policy.evaluate_service(&request(RULE)).is_allowed());
    let other = "arn:aws:events:us-east-1:111111111111:rule/org-events/theirs";
    assert!(!policy.evaluate_service(&request(other)).is_allowed());
}
