//! Live targets: what we set comes back as we set it, and nothing that others set is lost.

use crate::wire::{Reply, Wire};
use serde_json::{Value, json};
use wheelwright::call::{Answer, Call};
use wheelwright::model::resource::TargetSpec;
use wheelwright::model::topology::Retry;
use wheelwright::model::world::LiveTarget;

async fn read(target: Value) -> LiveTarget {
    let wire = Wire::new();
    wire.events([Reply::ok(&json!({"Targets": [target]}))]);
    let call = Call::ListTargetsByRule { bus: "org".into(), rule: "r".into(), next_token: None };
    let Answer::Targets(page) = wire.call(call).await.unwrap() else { panic!("targets are answered") };
    assert_eq!(page.items.len(), 1);
    let (id, target) = page.items.into_iter().next().unwrap();
    assert_eq!(id, "t");
    target
}

/// Every field of a target that wheelwright does not set, as the API reference has them.
fn foreign_fields() -> Value {
    json!({
        "Input": "{\"a\":1}",
        "InputPath": "$.detail",
        "InputTransformer": {"InputPathsMap": {"a": "$.a", "b": "$.b"}, "InputTemplate": "<a> <b>"},
        "KinesisParameters": {"PartitionKeyPath": "$.id"},
        "RunCommandParameters": {"RunCommandTargets": [{"Key": "InstanceIds", "Values": ["i-1", "i-2"]}]},
        "EcsParameters": {
            "TaskDefinitionArn": "arn:aws:ecs:us-east-1:111111111111:task-definition/a",
            "TaskCount": 2,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {
                "awsvpcConfiguration": {"Subnets": ["s-1"], "SecurityGroups": ["g-1"], "AssignPublicIp": "ENABLED"},
            },
            "PlatformVersion": "LATEST",
            "Group": "g",
            "CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
            "EnableECSManagedTags": true,
            "EnableExecuteCommand": false,
            "PlacementConstraints": [{"type": "memberOf", "expression": "e"}],
            "PlacementStrategy": [{"type": "spread", "field": "f"}],
            "PropagateTags": "TASK_DEFINITION",
            "ReferenceId": "r",
            "Tags": [{"Key": "k", "Value": "v"}],
        },
        "BatchParameters": {
            "JobDefinition": "d", "JobName": "n", "ArrayProperties": {"Size": 2}, "RetryStrategy": {"Attempts": 3},
        },
        "SqsParameters": {"MessageGroupId": "m"},
        "HttpParameters": {
            "PathParameterValues": ["p"],
            "HeaderParameters": {"X-A": "1", "X-B": "2"},
            "QueryStringParameters": {"q": "1"},
        },
        "RedshiftDataParameters": {
            "SecretManagerArn": "s", "Database": "d", "DbUser": "u", "Sql": "select 1", "StatementName": "n",
            "WithEvent": true, "Sqls": ["select 2"],
        },
        "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "n", "Value": "v"}]},
        "AppSyncParameters": {"GraphQLOperation": "mutation"},
    })
}

#[tokio::test(start_paused = true)]
async fn our_fields_come_back_as_they_were_put() {
    let target = read(json!({
        "Id": "t", "Arn": "a", "RoleArn": "r", "DeadLetterConfig": {"Arn": "d"},
        "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400},
    }))
    .await;
    let spec = TargetSpec {
        arn: "a".into(),
        role_arn: Some("r".into()),
        dead_letter_arn: Some("d".into()),
        retry: Some(Retry { attempts_max: 185, event_age_seconds_max: 86_400 }),
    };
    assert_eq!(target, LiveTarget { spec, other: Default::default() });
}

#[tokio::test(start_paused = true)]
async fn every_field_that_others_set_is_kept_under_its_own_name() {
    let foreign = foreign_fields();
    let mut target = json!({"Id": "t", "Arn": "a"});
    target.as_object_mut().unwrap().extend(foreign.as_object().unwrap().clone());
    let live = read(target).await;
    assert_eq!(serde_json::to_value(&live.other).unwrap(), foreign);
}

/// The SDK's `Target` is open for new fields, so the compiler cannot say that one came; its own debug form does.
#[test]
fn the_sdk_knows_no_target_field_that_is_not_here() {
    let sdk = aws_sdk_eventbridge::types::Target::builder().id("t").arn("a").build().unwrap();
    let text = format!("{sdk:?}");
    let fields = text.trim_start_matches("Target { ").trim_end_matches(" }").split(", ");
    let mut fields: Vec<String> =
        fields.filter_map(|field| field.split_once(": ")).map(|(name, _)| name.replace('_', "")).collect();
    fields.sort();
    let ours = ["Id", "Arn", "RoleArn", "DeadLetterConfig", "RetryPolicy"].map(str::to_owned);
    let foreign = foreign_fields().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut covered: Vec<String> = ours.into_iter().chain(foreign).map(|name| name.to_lowercase()).collect();
    covered.sort();
    assert_eq!(fields, covered);
}

#[tokio::test(start_paused = true)]
async fn half_a_retry_policy_is_somebody_elses_and_shows() {
    let target = read(json!({"Id": "t", "Arn": "a", "RetryPolicy": {"MaximumRetryAttempts": 3}})).await;
    assert_eq!(target.spec.retry, None);
    assert_eq!(target.other["RetryPolicy"], json!({"MaximumRetryAttempts": 3}));
    let target = read(json!({"Id": "t", "Arn": "a", "DeadLetterConfig": {}})).await;
    assert_eq!(target.spec.dead_letter_arn, None);
    assert_eq!(target.other["DeadLetterConfig"], json!({}));
}
