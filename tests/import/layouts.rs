//! Layouts as people have them, made by raw calls: a central bus with many accounts; a bus for each service; rules that subscribers
//! made on the publisher's bus. They are like those of AWS's public samples, and written for this test.

use serde_json::{Value, json};

pub(crate) const PLATFORM: &str = "111111111111";
pub(crate) const SHOP: &str = "222222222222";
pub(crate) const BILLING: &str = "333333333333";
pub(crate) const SHIPPING: &str = "444444444444";
pub(crate) const US: &str = "us-east-1";

/// Roles of people's own that the layouts name.
pub(crate) const ROLES: [(&str, &str); 6] = [
    (PLATFORM, "central-bus-invoke"),
    (SHOP, "to-central-bus"),
    (SHOP, "OrdersBusRole"),
    (SHOP, "products-out"),
    (SHOP, "publisher"),
    (BILLING, "BillingBusRole"),
];

/// A call of EventBridge's by somebody of an account: account, operation, input.
pub(crate) type Door<'d> = &'d mut dyn FnMut(&str, &str, Value) -> Value;

fn bus_arn(account: &str, name: &str) -> String {
    format!("arn:aws:events:{US}:{account}:event-bus/{name}")
}

fn role(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

fn let_in(door: Door<'_>, owner: &str, bus: &str, account: &str) {
    let sid = format!("allow_account_{account}");
    let input = json!({"EventBusName": bus, "StatementId": sid, "Action": "events:PutEvents", "Principal": account});
    door(owner, "PutPermission", input);
}

#[allow(clippy::needless_pass_by_value)] // They are written where they are passed.
fn rule(door: Door<'_>, owner: &str, bus: &str, name: &str, pattern: Value, target: Value) {
    let input = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern.to_string()});
    door(owner, "PutRule", input);
    let targets = if target.is_array() { target } else { json!([target]) };
    door(owner, "PutTargets", json!({"Rule": name, "EventBusName": bus, "Targets": targets}));
}

/// One bus in the platform's account: everybody puts events on it, and its rules bring them to other accounts' default buses.
pub(crate) fn central_bus(door: Door<'_>) {
    let bus = "central-event-bus";
    let described = json!({"Name": bus, "Description": "Events of the shop"});
    door(PLATFORM, "CreateEventBus", described);
    for account in [SHOP, BILLING] {
        let_in(door, PLATFORM, bus, account);
    }
    for account in [BILLING, SHIPPING] {
        let_in(door, account, "default", PLATFORM);
    }
    let to = |account: &str, id: &str| json!({"Id": id, "Arn": bus_arn(account, "default"), "RoleArn": role(PLATFORM, "central-bus-invoke")});
    let new_orders = json!({"source": ["com.acme.webstore"], "detail-type": ["newOrderCreated"]});
    rule(door, PLATFORM, bus, "WebStoreToBilling", new_orders, to(BILLING, "billing-bus"));
    let parcels = json!({
        "account": [SHOP], "source": ["com.acme.webstore"], "detail-type": ["newOrderCreated"],
        "detail": {"shipping": {"country": [{"anything-but": ["DE"]}]}, "total": [{"numeric": [">", 0]}]},
    });
    rule(door, PLATFORM, bus, "WebStoreToShipping", parcels, to(SHIPPING, "shipping-bus"));
    let invoices = json!({"account": [BILLING], "source": ["com.acme.billing"]});
    let queue = json!({
        "Id": "invoices", "Arn": format!("arn:aws:sqs:{US}:{SHOP}:invoices"), "RoleArn": role(PLATFORM, "central-bus-invoke"),
        "RetryPolicy": {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 3600},
    });
    rule(door, PLATFORM, bus, "BillingToShop", invoices, queue);
    let log = json!({"Id": "log", "Arn": format!("arn:aws:sqs:{US}:{PLATFORM}:everything")});
    rule(door, PLATFORM, bus, "Everything", json!({"source": [{"prefix": ""}]}), log);
    // AWS services' own events, from the shop's default bus.
    let findings = json!({"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"]});
    let target = json!({"Id": "central", "Arn": bus_arn(PLATFORM, bus), "RoleArn": role(SHOP, "to-central-bus")});
    rule(door, SHOP, "default", "FindingsToCentral", findings.clone(), target);
    let desk = json!({"Id": "desk", "Arn": format!("arn:aws:sqs:{US}:{PLATFORM}:findings")});
    rule(door, PLATFORM, bus, "FindingsToDesk", findings, desk);
    // Something that Terraform keeps.
    let kept = json!({"Id": "kept", "Arn": format!("arn:aws:sqs:{US}:{PLATFORM}:kept")});
    rule(door, PLATFORM, bus, "KeptByTerraform", json!({"source": ["com.acme.webstore"]}), kept);
    let arn = format!("arn:aws:events:{US}:{PLATFORM}:rule/{bus}/KeptByTerraform");
    let tags = json!([{"Key": "managed-by", "Value": "terraform"}]);
    door(PLATFORM, "TagResource", json!({"ResourceARN": arn, "Tags": tags}));
}

/// A bus for each service in its own account; the publishers' rules bring events to the subscribers' buses.
pub(crate) fn bus_for_each(door: Door<'_>) {
    for (account, bus) in [(SHOP, "orders-bus"), (BILLING, "billing-bus"), (SHIPPING, "shipping-bus")] {
        door(account, "CreateEventBus", json!({"Name": bus}));
    }
    for (account, bus) in [(BILLING, "billing-bus"), (SHIPPING, "shipping-bus")] {
        let_in(door, account, bus, SHOP);
    }
    let_in(door, SHOP, "orders-bus", BILLING);
    let to = |account: &str, bus: &str| {
        let queue = json!({"Arn": format!("arn:aws:sqs:{US}:{SHOP}:orders-dead-letters")});
        json!({"Id": "Target0", "Arn": bus_arn(account, bus), "RoleArn": role(SHOP, "OrdersBusRole"), "DeadLetterConfig": queue})
    };
    let placed = json!({"source": ["acme.orders"], "detail-type": ["Order Placed", "Order Cancelled"]});
    rule(door, SHOP, "orders-bus", "OrdersToBilling", placed, to(BILLING, "billing-bus"));
    let placed = json!({"source": ["acme.orders"], "detail-type": ["Order Placed"]});
    rule(door, SHOP, "orders-bus", "OrdersToShipping", placed, to(SHIPPING, "shipping-bus"));
    // What the subscriber does on its own bus is its business.
    let own = json!({"Id": "worker", "Arn": format!("arn:aws:sqs:{US}:{BILLING}:worker")});
    rule(door, BILLING, "billing-bus", "ToWorker", json!({"source": ["acme.orders"]}), own);
    // Billing publishes on the same bus, which is a subscriber's already.
    let back = json!({"Id": "back", "Arn": bus_arn(SHOP, "orders-bus"), "RoleArn": role(BILLING, "BillingBusRole")});
    rule(door, BILLING, "billing-bus", "InvoicesToOrders", json!({"source": ["acme.billing"]}), back);
}

/// Subscribers make their own rules on the publisher's bus, and receive on their default buses.
pub(crate) fn rules_by_subscribers(door: Door<'_>) {
    let bus = "product-events";
    door(SHOP, "CreateEventBus", json!({"Name": bus, "Description": "Products, by the shop"}));
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "PublishByTheShop", "Effect": "Allow", "Principal": {"AWS": role(SHOP, "publisher")},
         "Action": "events:PutEvents", "Resource": bus_arn(SHOP, bus),
         "Condition": {"StringEquals": {"events:source": "acme.products"}}},
    ]});
    door(SHOP, "PutPermission", json!({"EventBusName": bus, "Policy": policy.to_string()}));
    for account in [BILLING, SHIPPING] {
        let_in(door, account, "default", SHOP);
    }
    let to = |account: &str| json!({"Id": "own-bus", "Arn": bus_arn(account, "default"), "RoleArn": role(SHOP, "products-out")});
    let priced = json!({"source": ["acme.products"], "detail-type": ["PriceChanged"]});
    rule(door, SHOP, bus, "billing-prices", priced, to(BILLING));
    let heavy = json!({
        "source": ["acme.products"], "detail-type": ["ProductAdded"], "detail": {"kilograms": [{"numeric": [">=", 31.5]}]},
        "replay-name": [{"exists": false}],
    });
    rule(door, SHOP, bus, "shipping-heavy-goods", heavy, to(SHIPPING));
    door(SHOP, "DisableRule", json!({"Name": "shipping-heavy-goods", "EventBusName": bus}));
    let queue = |id: &str| json!({"Id": id, "Arn": format!("arn:aws:sqs:{US}:{SHIPPING}:{id}"), "RoleArn": role(SHOP, "products-out")});
    let both = json!([queue("light"), queue("heavy")]);
    rule(door, SHOP, bus, "shipping-two-queues", json!({"source": ["acme.products"]}), both);
}
