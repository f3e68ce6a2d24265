//! A live target: the fields that we set as they are, every other one as JSON under AWS's own name.
//!
//! Knows all fields of the SDK's `Target`; the test below fails when an SDK update brings one that is not here, so
//! that nothing which somebody set on a target goes unseen.

use crate::model::resource::TargetSpec;
use crate::model::topology::Retry;
use crate::model::world::LiveTarget;
use aws_sdk_eventbridge::types::{
    AppSyncParameters, BatchParameters, EcsParameters, HttpParameters, InputTransformer, KinesisParameters,
    NetworkConfiguration, RedshiftDataParameters, RetryPolicy, RunCommandParameters, SageMakerPipelineParameters,
    SqsParameters, Tag, Target,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// The target's Id, and what it is.
pub(super) fn live_target(target: Target) -> (String, LiveTarget) {
    let retry = target.retry_policy.as_ref().and_then(retry);
    let dead_letter_arn = target.dead_letter_config.as_ref().and_then(|config| config.arn.clone());
    let mut other: BTreeMap<String, Value> = others(&target).into_iter().collect();
    if let (Some(policy), None) = (&target.retry_policy, retry) {
        other.insert("RetryPolicy".into(), retry_policy(policy));
    }
    if target.dead_letter_config.is_some() && dead_letter_arn.is_none() {
        other.insert("DeadLetterConfig".into(), Value::Object(Map::new()));
    }
    let spec = TargetSpec { arn: target.arn, role_arn: target.role_arn, dead_letter_arn, retry };
    (target.id, LiveTarget { spec, other })
}

/// A retry policy as we write them, with both numbers; others are somebody else's.
fn retry(policy: &RetryPolicy) -> Option<Retry> {
    Some(Retry {
        attempts_max: policy.maximum_retry_attempts?.try_into().ok()?,
        event_age_seconds_max: policy.maximum_event_age_in_seconds?.try_into().ok()?,
    })
}

/// Every field of a target that wheelwright never sets.
fn others(target: &Target) -> Map<String, Value> {
    object([
        ("Input", text(&target.input)),
        ("InputPath", text(&target.input_path)),
        ("InputTransformer", target.input_transformer.as_ref().map(input_transformer)),
        ("KinesisParameters", target.kinesis_parameters.as_ref().map(kinesis)),
        ("RunCommandParameters", target.run_command_parameters.as_ref().map(run_command)),
        ("EcsParameters", target.ecs_parameters.as_ref().map(ecs)),
        ("BatchParameters", target.batch_parameters.as_ref().map(batch)),
        ("SqsParameters", target.sqs_parameters.as_ref().map(sqs)),
        ("HttpParameters", target.http_parameters.as_ref().map(http)),
        ("RedshiftDataParameters", target.redshift_data_parameters.as_ref().map(redshift_data)),
        ("SageMakerPipelineParameters", target.sage_maker_pipeline_parameters.as_ref().map(sage_maker_pipeline)),
        ("AppSyncParameters", target.app_sync_parameters.as_ref().map(app_sync)),
    ])
}

fn retry_policy(policy: &RetryPolicy) -> Value {
    Value::Object(object([
        ("MaximumRetryAttempts", policy.maximum_retry_attempts.map(Value::from)),
        ("MaximumEventAgeInSeconds", policy.maximum_event_age_in_seconds.map(Value::from)),
    ]))
}

fn input_transformer(transformer: &InputTransformer) -> Value {
    Value::Object(object([
        ("InputPathsMap", transformer.input_paths_map.as_ref().map(dictionary)),
        ("InputTemplate", Some(transformer.input_template.clone().into())),
    ]))
}

fn kinesis(parameters: &KinesisParameters) -> Value {
    Value::Object(object([("PartitionKeyPath", Some(parameters.partition_key_path.clone().into()))]))
}

fn run_command(parameters: &RunCommandParameters) -> Value {
    let targets = parameters.run_command_targets.iter().map(|target| {
        object([("Key", Some(target.key.clone().into())), ("Values", Some(target.values.clone().into()))])
    });
    Value::Object(object([("RunCommandTargets", Some(targets.map(Value::Object).collect()))]))
}

fn ecs(parameters: &EcsParameters) -> Value {
    let constraints = parameters.placement_constraints.as_ref().map(|constraints| {
        constraints.iter().map(|constraint| {
            let kind = constraint.r#type.as_ref().map(|kind| kind.as_str().into());
            Value::Object(object([("type", kind), ("expression", text(&constraint.expression))]))
        })
    });
    let strategies = parameters.placement_strategy.as_ref().map(|strategies| {
        strategies.iter().map(|strategy| {
            let kind = strategy.r#type.as_ref().map(|kind| kind.as_str().into());
            Value::Object(object([("type", kind), ("field", text(&strategy.field))]))
        })
    });
    let providers = parameters.capacity_provider_strategy.as_ref().map(|providers| {
        providers.iter().map(|provider| {
            Value::Object(object([
                ("capacityProvider", Some(provider.capacity_provider.clone().into())),
                ("weight", Some(provider.weight.into())),
                ("base", Some(provider.base.into())),
            ]))
        })
    });
    Value::Object(object([
        ("TaskDefinitionArn", Some(parameters.task_definition_arn.clone().into())),
        ("TaskCount", parameters.task_count.map(Value::from)),
        ("LaunchType", parameters.launch_type.as_ref().map(|launch_type| launch_type.as_str().into())),
        ("NetworkConfiguration", parameters.network_configuration.as_ref().map(network)),
        ("PlatformVersion", text(&parameters.platform_version)),
        ("Group", text(&parameters.group)),
        ("CapacityProviderStrategy", providers.map(Iterator::collect)),
        ("EnableECSManagedTags", Some(parameters.enable_ecs_managed_tags.into())),
        ("EnableExecuteCommand", Some(parameters.enable_execute_command.into())),
        ("PlacementConstraints", constraints.map(Iterator::collect)),
        ("PlacementStrategy", strategies.map(Iterator::collect)),
        ("PropagateTags", parameters.propagate_tags.as_ref().map(|tags| tags.as_str().into())),
        ("ReferenceId", text(&parameters.reference_id)),
        ("Tags", parameters.tags.as_ref().map(|tags| tags.iter().map(tag).collect())),
    ]))
}

fn network(configuration: &NetworkConfiguration) -> Value {
    let vpc = configuration.awsvpc_configuration.as_ref().map(|vpc| {
        Value::Object(object([
            ("Subnets", Some(vpc.subnets.clone().into())),
            ("SecurityGroups", vpc.security_groups.clone().map(Value::from)),
            ("AssignPublicIp", vpc.assign_public_ip.as_ref().map(|assign| assign.as_str().into())),
        ]))
    });
    Value::Object(object([("awsvpcConfiguration", vpc)]))
}

fn tag(tag: &Tag) -> Value {
    Value::Object(object([("Key", Some(tag.key.clone().into())), ("Value", Some(tag.value.clone().into()))]))
}

fn batch(parameters: &BatchParameters) -> Value {
    let array = parameters.array_properties.as_ref().map(|array| object([("Size", Some(array.size.into()))]));
    let retry = parameters.retry_strategy.as_ref().map(|retry| object([("Attempts", Some(retry.attempts.into()))]));
    Value::Object(object([
        ("JobDefinition", Some(parameters.job_definition.clone().into())),
        ("JobName", Some(parameters.job_name.clone().into())),
        ("ArrayProperties", array.map(Value::Object)),
        ("RetryStrategy", retry.map(Value::Object)),
    ]))
}

fn sqs(parameters: &SqsParameters) -> Value {
    Value::Object(object([("MessageGroupId", text(&parameters.message_group_id))]))
}

fn http(parameters: &HttpParameters) -> Value {
    Value::Object(object([
        ("PathParameterValues", parameters.path_parameter_values.clone().map(Value::from)),
        ("HeaderParameters", parameters.header_parameters.as_ref().map(dictionary)),
        ("QueryStringParameters", parameters.query_string_parameters.as_ref().map(dictionary)),
    ]))
}

fn redshift_data(parameters: &RedshiftDataParameters) -> Value {
    Value::Object(object([
        ("SecretManagerArn", text(&parameters.secret_manager_arn)),
        ("Database", Some(parameters.database.clone().into())),
        ("DbUser", text(&parameters.db_user)),
        ("Sql", text(&parameters.sql)),
        ("StatementName", text(&parameters.statement_name)),
        ("WithEvent", Some(parameters.with_event.into())),
        ("Sqls", parameters.sqls.clone().map(Value::from)),
    ]))
}

fn sage_maker_pipeline(parameters: &SageMakerPipelineParameters) -> Value {
    let list = parameters.pipeline_parameter_list.as_ref().map(|list| {
        list.iter().map(|parameter| {
            let (name, value) = (parameter.name.clone(), parameter.value.clone());
            Value::Object(object([("Name", Some(name.into())), ("Value", Some(value.into()))]))
        })
    });
    Value::Object(object([("PipelineParameterList", list.map(Iterator::collect))]))
}

fn app_sync(parameters: &AppSyncParameters) -> Value {
    Value::Object(object([("GraphQLOperation", text(&parameters.graph_ql_operation))]))
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn text(field: &Option<String>) -> Option<Value> {
    field.clone().map(Value::from)
}

/// A map with its keys in order, so that the same target always reads the same.
fn dictionary(map: &HashMap<String, String>) -> Value {
    let sorted: BTreeMap<_, _> = map.iter().collect();
    Value::Object(sorted.into_iter().map(|(key, value)| (key.clone(), value.clone().into())).collect())
}
