//! As much of SQS as deliveries, dead letters and a demo need: standard queues, policies, send, receive, delete.
//!
//! Messages keep their order, and a received one is hidden until its visibility timeout is over.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::SimulatedAws;
use super::authorization::Guarded;
use super::errors::AwsError;
use super::policy_document::{Asker, allows, statements};
use super::request::Request;
use crate::eventbridge::Arn;

/// A message in a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The message's id.
    pub message_id: String,
    /// Its body.
    pub body: String,
    /// Its attributes, `{name: {"DataType": …, "StringValue": …}}`.
    pub attributes: Value,
    /// When it was sent, in simulated milliseconds since 1970.
    pub sent_ms: i64,
    visible_from_ms: i64,
    receives: u64,
}

/// A queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    name: String,
    pub(super) arn: String,
    attributes: BTreeMap<String, String>,
    policy: Option<Value>,
    messages: Vec<Arc<Message>>,
    created_ms: i64,
    modified_ms: i64,
}

impl Queue {
    /// The queue for a snapshot: what it is, not what is in it.
    pub(super) fn snapshot(&self) -> Value {
        json!({"QueueArn": self.arn, "Attributes": self.attributes})
    }

    /// What GetQueueAttributes knows, with AWS's defaults for what nobody set.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
    fn all_attributes(&self, now_ms: i64) -> BTreeMap<&str, String> {
        let mut all: BTreeMap<&str, String> =
            DEFAULT_ATTRIBUTES.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        all.extend(self.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())));
        if all.contains_key("KmsMasterKeyId") {
            all.insert("SqsManagedSseEnabled", "false".to_owned());
            all.entry("KmsDataKeyReusePeriodSeconds").or_insert_with(|| "300".to_owned());
        }
        let visible = self.messages.iter().filter(|message| message.visible_from_ms <= now_ms).count();
        for (name, value) in [
            ("QueueArn", self.arn.clone()),
            ("ApproximateNumberOfMessages", visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", (self.messages.len() - visible).to_string()),
            ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
            ("CreatedTimestamp", (self.created_ms / 1_000).to_string()),
            ("LastModifiedTimestamp", (self.modified_ms / 1_000).to_string()),
        ] {
            all.insert(name, value);
        }
        all
    }

    /// The key that its messages are encrypted with, if it is a customer's or the one that AWS manages for SQS.
    pub(super) fn kms_key(&self) -> Option<&str> {
        self.attributes.get("KmsMasterKeyId").map(String::as_str)
    }

    /// Whether the queue's policy lets someone send.
    pub(super) fn lets_send(&self, asker: &Asker) -> bool {
        self.policy.as_ref().is_some_and(|policy| allows(policy, "sqs:SendMessage", &self.arn, asker))
    }
}

impl SimulatedAws {
    /// Creates a queue with a policy, or gives one that exists this policy.
    pub fn create_queue_with_policy(&mut self, account: &str, region: &str, name: &str, policy: &Value) {
        self.create_account(account);
        self.ensure_region(account, region);
        let now_ms = self.now_ms;
        let Some(found) = self.region_mut(account, region) else {
            return;
        };
        let queue = found.queues.entry(name.to_owned()).or_default();
        let queue = Arc::make_mut(queue);
        if queue.name.is_empty() {
            queue.created_ms = now_ms;
        }
        queue.modified_ms = now_ms;
        name.clone_into(&mut queue.name);
        queue.arn = Arn::queue(region, account, name).to_string();
        queue.attributes.insert("Policy".to_owned(), policy.to_string());
        queue.policy = Some(policy.clone());
    }

    /// The messages in a queue, oldest first, hidden ones too.
    #[must_use]
    pub fn messages(&self, queue_arn: &str) -> &[Arc<Message>] {
        self.queue_by_arn(queue_arn).map_or(&[], |queue| queue.messages.as_slice())
    }

    pub(super) fn queue_by_arn(&self, queue_arn: &str) -> Option<&Queue> {
        let arn: Arn = queue_arn.parse().ok()?;
        let region = self.region(&arn.account, &arn.region)?;
        region.queues.get(arn.queue_name()?).map(Arc::as_ref)
    }

    /// Puts a message into a queue; whether the queue exists.
    pub(super) fn enqueue(&mut self, queue_arn: &str, body: &str, attributes: Value) -> bool {
        let Ok(arn) = queue_arn.parse::<Arn>() else {
            return false;
        };
        let message = Arc::new(Message {
            message_id: self.next_uuid(),
            body: body.to_owned(),
            attributes,
            sent_ms: self.now_ms,
            visible_from_ms: self.now_ms,
            receives: 0,
        });
        let queue = self
            .region_mut(&arn.account, &arn.region)
            .and_then(|region| region.queues.get_mut(arn.queue_name().unwrap_or_default()));
        queue.is_some_and(|queue| {
            Arc::make_mut(queue).messages.push(message);
            true
        })
    }

    pub(super) fn dispatch_sqs(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        match request.operation {
            "CreateQueue" => self.create_queue(request),
            "ListQueues" => self.list_queues(request),
            "GetQueueUrl" => self.queue_url(request),
            "GetQueueAttributes" => self.queue_attributes(request),
            "SetQueueAttributes" => self.set_queue_attributes(request),
            "SendMessage" => self.send_message(request),
            "ReceiveMessage" => self.receive_message(request),
            "DeleteMessage" => self.delete_message(request),
            "PurgeQueue" => self.purge_queue(request),
            other => Err(AwsError::unknown_operation(other)),
        }
    }

    fn create_queue(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = request.text("QueueName").unwrap_or_default();
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        if name.is_empty() || name.len() > 80 || !name.chars().all(plain) {
            return Err(AwsError::client(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            ));
        }
        let arn = Arn::queue(request.region, request.account(), name).to_string();
        self.authorize(request, "sqs:CreateQueue", &arn)?;
        let now_ms = self.now_ms;
        let region = self.region_mut(request.account(), request.region).ok_or_else(AwsError::internal)?;
        if !region.queues.contains_key(name) {
            let mut queue =
                Queue { name: name.to_owned(), arn, created_ms: now_ms, modified_ms: now_ms, ..Queue::default() };
            set_attributes(&mut queue, request)?;
            region.queues.insert(name.to_owned(), Arc::new(queue));
        }
        Ok(json!({"QueueUrl": url(request.region, request.account(), name)}))
    }

    fn list_queues(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        self.authorize(request, "sqs:ListQueues", "*")?;
        let prefix = request.text("QueueNamePrefix").unwrap_or_default();
        let region = self.region(request.account(), request.region).ok_or_else(AwsError::internal)?;
        let urls: Vec<String> = region
            .queues
            .keys()
            .filter(|name| name.starts_with(prefix))
            .map(|name| url(request.region, request.account(), name))
            .collect();
        Ok(if urls.is_empty() { json!({}) } else { json!({"QueueUrls": urls}) })
    }

    /// A queue of another account is shown to those whom its policy lets ask.
    fn queue_url(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = request.text("QueueName").unwrap_or_default();
        let owner = request.text("QueueOwnerAWSAccountId").unwrap_or(request.account());
        self.authorized_queue(request, "sqs:GetQueueUrl", owner, name)?;
        Ok(json!({"QueueUrl": url(request.region, owner, name)}))
    }

    fn queue_attributes(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let arn = self.called_queue(request, "sqs:GetQueueAttributes")?;
        let queue = self.queue_by_arn(&arn).ok_or_else(no_queue)?;
        let all = queue.all_attributes(self.now_ms);
        let mut shown = Map::new();
        for wanted in request.list("AttributeNames").iter().filter_map(Value::as_str) {
            if wanted != "All" && !all.contains_key(wanted) && !ATTRIBUTES_THAT_MAY_BE_ABSENT.contains(&wanted) {
                return Err(AwsError::client("InvalidAttributeName", format!("Unknown Attribute {wanted}.")));
            }
            let wanted = all.iter().filter(|(name, _)| wanted == "All" || **name == wanted);
            shown.extend(wanted.map(|(name, value)| ((*name).to_owned(), json!(value))));
        }
        Ok(if shown.is_empty() { json!({}) } else { json!({"Attributes": shown}) })
    }

    fn set_queue_attributes(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let arn = self.called_queue(request, "sqs:SetQueueAttributes")?;
        let mut queue = self.queue_by_arn(&arn).ok_or_else(no_queue)?.clone();
        set_attributes(&mut queue, request)?;
        queue.modified_ms = self.now_ms;
        self.replace_queue(&arn, queue);
        Ok(json!({}))
    }

    fn send_message(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let arn = self.called_queue(request, "sqs:SendMessage")?;
        let body = request.text("MessageBody").unwrap_or_default();
        let attributes = request.structure("MessageAttributes").unwrap_or_else(|| json!({}));
        self.enqueue(&arn, body, attributes);
        let id = self.messages(&arn).last().map(|message| message.message_id.clone());
        Ok(json!({"MessageId": id, "MD5OfMessageBody": md5_hex(body.as_bytes())}))
    }

    fn receive_message(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let arn = self.called_queue(request, "sqs:ReceiveMessage")?;
        let most = request.number("MaxNumberOfMessages").unwrap_or(1).clamp(1, 10);
        let hidden_ms = request.number("VisibilityTimeout").unwrap_or(30).saturating_mul(1_000);
        let now_ms = self.now_ms;
        let mut queue = self.queue_by_arn(&arn).ok_or_else(no_queue)?.clone();
        let mut shown = Vec::new();
        for message in &mut queue.messages {
            if shown.len() as i64 >= most || message.visible_from_ms > now_ms {
                continue;
            }
            let message = Arc::make_mut(message);
            message.receives += 1;
            message.visible_from_ms = now_ms.saturating_add(hidden_ms);
            shown.push(received(message, request));
        }
        if shown.is_empty() {
            return Ok(json!({}));
        }
        self.replace_queue(&arn, queue);
        Ok(json!({"Messages": shown}))
    }

    fn delete_message(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let arn = self.called_queue(request, "sqs:DeleteMessage")?;
        let handle = request.text("ReceiptHandle").unwrap_or_default();
        let id = handle.split('#').next().unwrap_or_default();
        let mut queue = self.queue_by_arn(&arn).ok_or_else(no_queue)?.clone();
        queue.messages.retain(|message| message.message_id != id);
        self.replace_queue(&arn, queue);
        Ok(json!({}))
    }

    fn purge_queue(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let arn = self.called_queue(request, "sqs:PurgeQueue")?;
        let mut queue = self.queue_by_arn(&arn).ok_or_else(no_queue)?.clone();
        queue.messages.clear();
        self.replace_queue(&arn, queue);
        Ok(json!({}))
    }

    fn replace_queue(&mut self, arn: &str, queue: Queue) {
        let Ok(arn) = arn.parse::<Arn>() else { return };
        if let Some(region) = self.region_mut(&arn.account, &arn.region) {
            region.queues.insert(queue.name.clone(), Arc::new(queue));
        }
    }

    /// The ARN of the queue that a call's URL names, if the caller may do this there.
    fn called_queue(&self, request: &Request<'_>, action: &str) -> Result<String, AwsError> {
        let url = request.text("QueueUrl").unwrap_or_default();
        let mut parts = url.rsplit('/');
        let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        self.authorized_queue(request, action, account, name)
    }

    /// The ARN of a queue, if the caller may do this there: with a permission of its own in its own account, with the
    /// queue's policy as well in another.
    fn authorized_queue(
        &self,
        request: &Request<'_>,
        action: &str,
        account: &str,
        name: &str,
    ) -> Result<String, AwsError> {
        let arn = Arn::queue(request.region, account, name).to_string();
        let queue = self.queue_by_arn(&arn);
        let guarded = Guarded {
            account,
            arn: &arn,
            statements: queue.and_then(|queue| queue.policy.as_ref()).map_or_else(Vec::new, statements),
            asker: self.asker(request.caller),
        };
        // Whoever asks for a queue that another account does not have is told so, whatever they may do.
        if queue.is_some() || account == request.account() {
            self.authorize_on(request, action, &arn, &guarded)?;
        }
        queue.ok_or_else(no_queue)?;
        Ok(arn)
    }
}

fn set_attributes(queue: &mut Queue, request: &Request<'_>) -> Result<(), AwsError> {
    let Some(attributes) = request.input.get("Attributes").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, value) in attributes {
        let text = value.as_str().unwrap_or_default();
        if name == "Policy" {
            queue.policy = match text {
                "" => None,
                text => Some(serde_json::from_str(text).map_err(|_| {
                    AwsError::client("InvalidAttributeValue", "Invalid value for the parameter Policy.")
                })?),
            };
        }
        if text.is_empty() {
            queue.attributes.remove(name);
        } else {
            queue.attributes.insert(name.clone(), text.to_owned());
        }
    }
    Ok(())
}

/// A message with those of its attributes that were asked for.
fn received(message: &Message, request: &Request<'_>) -> Value {
    let asked = |fields: &[&str], name: &str| {
        let mut names = fields.iter().flat_map(|field| request.list(field)).filter_map(Value::as_str);
        names.any(|wanted| wanted == "All" || wanted == ".*" || wanted == name)
    };
    let mut shown = json!({
        "MessageId": message.message_id,
        "ReceiptHandle": format!("{}#{}", message.message_id, message.receives),
        "MD5OfBody": md5_hex(message.body.as_bytes()),
        "Body": message.body,
    });
    let of_the_system: Map<String, Value> =
        [("SentTimestamp", message.sent_ms.to_string()), ("ApproximateReceiveCount", message.receives.to_string())]
            .into_iter()
            .filter(|(name, _)| asked(&["AttributeNames", "MessageSystemAttributeNames"], name))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
    let of_the_message: Map<String, Value> = message
        .attributes
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| asked(&["MessageAttributeNames"], name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (field, attributes) in [("Attributes", of_the_system), ("MessageAttributes", of_the_message)] {
        if let Some(map) = shown.as_object_mut().filter(|_| !attributes.is_empty()) {
            map.insert(field.to_owned(), Value::Object(attributes));
        }
    }
    shown
}

fn url(region: &str, account: &str, name: &str) -> String {
    format!("https://sqs.{region}.amazonaws.com/{account}/{name}")
}

/// What a new queue has.
const DEFAULT_ATTRIBUTES: [(&str, &str); 6] = [
    ("VisibilityTimeout", "30"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("DelaySeconds", "0"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("SqsManagedSseEnabled", "true"),
];

/// What may be asked for although the queue does not have it.
const ATTRIBUTES_THAT_MAY_BE_ABSENT: [&str; 9] = [
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

fn no_queue() -> AwsError {
    AwsError::client("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}

/// MD5 (RFC 1321), which SQS clients check bodies against.
fn md5_hex(data: &[u8]) -> String {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut padded = data.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&((data.len() as u64).wrapping_mul(8)).to_le_bytes());
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let words: Vec<u32> = block
            .chunks_exact(4)
            .map(|bytes| bytes.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte)))
            .collect();
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64_usize {
            let (mixed, word) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(mixed).wrapping_add(constant).wrapping_add(words.get(word).copied().unwrap_or(0));
            let shift = SHIFTS.get(step / 16).and_then(|row| row.get(step % 4)).copied().unwrap_or(0);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(shift)));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    state.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_gives_the_digests_of_its_rfc() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(md5_hex(text.as_bytes()), digest, "of {text:?}");
        }
    }
}
