//! Patterns against what AWS documents, case by case.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn check_matches(pattern_text: &str, event: &Value, wanted: bool) {
    assert_eq!(pattern(pattern_text).matches(event), wanted, "{pattern_text} {event}");
}

#[test]
fn refusals_have_the_words_of_eventbridge() {
    for (text, wanted) in [
        ("[]", "Filter is not an object"),
        ("\"x\"", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        (r#"{"a":{}}"#, "Empty objects are not allowed"),
        (r#"{"a":[]}"#, "Empty arrays are not allowed"),
        (r#"{"a":null}"#, "\"a\" must be an object or an array"),
        (r#"{"a":[["x"]]}"#, "Match value must be String, number, true, false, or null"),
        (r#"{"a":[{}]}"#, "Match expression name not found"),
        (r#"{"a":[{"PREFIX":"x"}]}"#, "Unrecognized match type PREFIX"),
        (r#"{"a":[{"prefix":"x","suffix":"y"}]}"#, "Only one key allowed in match expression"),
        (r#"{"a":[{"prefix":null}]}"#, "prefix match pattern must be a string"),
        (r#"{"a":[{"prefix":{"suffix":"x"}}]}"#, "Unsupported prefix pattern: suffix"),
        (r#"{"a":[{"suffix":{}}]}"#, "Suffix expression name not found"),
        (r#"{"a":[{"exists":"true"}]}"#, "exists match pattern must be either true or false."),
        (r#"{"a":[{"exists":true,"prefix":"x"}]}"#, "Only one key allowed in match expression"),
        (r#"{"a":[{"cidr":1}]}"#, "prefix match pattern must be a string"),
        (r#"{"a":[{"numeric":[]}]}"#, "Invalid member in numeric match: ]"),
        (r#"{"a":[{"numeric":[10]}]}"#, "Invalid member in numeric match: 10"),
        (r#"{"a":[{"numeric":["=","1"]}]}"#, "Value of equals must be numeric"),
        (r#"{"a":[{"numeric":["=",1,2]}]}"#, "Too many elements in numeric expression"),
        (r#"{"a":[{"numeric":["!=",1]}]}"#, "Unrecognized numeric range operator: !="),
        (r#"{"a":[{"numeric":[">",1,">",2]}]}"#, "Bad numeric range operator: >"),
        (r#"{"a":[{"numeric":[">",1,2]}]}"#, "Bad value in numeric range: 2"),
        (r#"{"a":[{"numeric":[">",5,"<",5]}]}"#, "Bottom must be less than top"),
        (r#"{"a":[{"numeric":[">",1,"<",5,6]}]}"#, "Too many terms in numeric range expression"),
        (r#"{"a":[{"numeric":[">",6e9]}]}"#, "Value must be between -5.0E9 and 5.0E9, inclusive"),
        (r#"{"a":[{"anything-but":null}]}"#, "Value of anything-but must be an array or single string/number value."),
        (
            r#"{"a":[{"anything-but":[]}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        (
            r#"{"a":[{"anything-but":["x",1]}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        (r#"{"a":[{"anything-but":[true]}]}"#, "Inside anything but list, start|null|boolean is not supported."),
        (r#"{"a":[{"anything-but":{"numeric":[">",1]}}]}"#, "Unsupported anything-but pattern: numeric"),
        (r#"{"a":[{"anything-but":{}}]}"#, "Anything-But expression name not found"),
        (r#"{"a":[{"wildcard":"a\\b"}]}"#, "Invalid escape character at pos 2"),
        (r#"{"$or":{}}"#, "It must be an Array followed with $or."),
        (r#"{"$or":[{"a":["x"]}]}"#, "There must have at least 2 Objects in $or relationship."),
        (r#"{"$or":[{"a":["x"]},"b"]}"#, "Only JSON object is allowed in array of $or relationship."),
        (r#"{"$or":[{"a":["x"]},{}]}"#, "Empty objects are not allowed"),
        (
            r#"{"$or":[{"prefix":["x"]},{"b":["y"]}]}"#,
            "prefix is Ruler reserved fieldName which cannot be used inside $or.",
        ),
    ] {
        let error = Pattern::parse(text).unwrap_err();
        assert_eq!(error.reason, wanted, "{text}");
    }
}

#[test]
fn an_error_leads_to_its_place() {
    let error = Pattern::parse(r#"{"detail":{"a":["x"],"b":[{"no":1}]}}"#).unwrap_err();
    assert_eq!(error.path, ["detail", "b"]);
    assert_eq!(error.offset, Some(27));
    assert_eq!(error.to_string(), "Event pattern is not valid. Reason: Unrecognized match type no");
}

#[test]
fn wildcards_that_multiply_are_refused() {
    let wildcards = |count: usize| format!(r#"{{"a":[{{"wildcard":"{}"}}]}}"#, "*a".repeat(count));
    assert_eq!(pattern(&wildcards(5)).wildcard_count(), 1);
    assert!(Pattern::parse(&wildcards(10)).unwrap_err().reason.starts_with("Rule is too complex - try"));
    let stacks = |count: usize| {
        let list: Vec<_> = ["one", "two", "six", "ten"]
            .iter()
            .take(count)
            .map(|name| format!(r#"{{"wildcard":"*:stack/{name}/*"}}"#))
            .collect();
        format!(r#"{{"a":[{}]}}"#, list.join(","))
    };
    assert!(Pattern::parse(&stacks(3)).is_ok());
    assert!(Pattern::parse(&stacks(4)).is_err());
}

#[test]
fn or_multiplies_up_to_a_thousand() {
    let or = |field: &str| {
        format!(
            r#""{field}":{{"$or":[{}]}}"#,
            (0..10).map(|at| format!(r#"{{"k{at}":[1]}}"#)).collect::<Vec<_>>().join(",")
        )
    };
    let three = format!("{{{},{},{}}}", or("a"), or("b"), or("c"));
    assert_eq!(pattern(&three).or_combinations(), 1_000);
    let four = format!("{{{},{},{},{}}}", or("a"), or("b"), or("c"), or("d"));
    assert!(Pattern::parse(&four).unwrap_err().reason.contains("1000 combinations"));
}

#[test]
fn each_operator_matches_what_it_says() {
    for (alternatives, matching, other) in [
        (r#"["x"]"#, json!("x"), json!("X")),
        (r#"[1]"#, json!(1.0), json!("1")),
        (r#"[null]"#, json!(null), json!("null")),
        (r#"[true]"#, json!(true), json!("true")),
        (r#"[""]"#, json!(""), json!(null)),
        (r#"["10.0.0.1"]"#, json!("010.0.0.1"), json!("10.0.0.2")),
        (r#"[{"prefix":""}]"#, json!(""), json!(1)),
        (r#"[{"prefix":{"equals-ignore-case":"ÉA"}}]"#, json!("éab"), json!("aéb")),
        (r#"[{"suffix":{"equals-ignore-case":".PNG"}}]"#, json!("a.png"), json!("a.pn")),
        (r#"[{"equals-ignore-case":"straße"}]"#, json!("STRASSE"), json!("strasse")),
        (r#"[{"wildcard":"a\\*b*c"}]"#, json!("a*bxc"), json!("axbxc")),
        (r#"[{"wildcard":"ab*ba"}]"#, json!("abba"), json!("aba")),
        (r#"[{"anything-but":["x","y"]}]"#, json!(1), json!("y")),
        (r#"[{"anything-but":[1,2]}]"#, json!("1"), json!(2.0)),
        (r#"[{"anything-but":{"wildcard":["*a*","b"]}}]"#, json!("c"), json!("b")),
        (r#"[{"numeric":[">=",1,"<",2]}]"#, json!(1), json!(2)),
        (r#"[{"numeric":["=",3.018e2]}]"#, json!(301.8), json!(301.81)),
        (r#"[{"cidr":"10.0.0.0/8"}]"#, json!("10.255.0.1"), json!("11.0.0.1")),
        (r#"[{"exists":true}]"#, json!(null), json!({"inner": 1})),
        (r#"[{"exists":false}]"#, json!([]), json!(null)),
    ] {
        let text = format!(r#"{{"a":{alternatives}}}"#);
        check_matches(&text, &json!({ "a": matching }), true);
        check_matches(&text, &json!({ "a": other }), false);
    }
}

#[test]
fn fields_of_one_match_agree_on_the_array_element() {
    let text = r#"{"d":{"list":{"name":["x"],"on":[true]}}}"#;
    check_matches(text, &json!({"d": {"list": [{"name": "y"}, {"name": "x", "on": true}]}}), true);
    check_matches(text, &json!({"d": {"list": [{"name": "y", "on": true}, {"name": "x"}]}}), false);
    check_matches(text, &json!({"d": [{"list": {"name": "x"}}, {"list": {"on": true}}]}), false);
    check_matches(r#"{"a":["x"],"b":["y"]}"#, &json!({"a": ["w", "x"], "b": [["y"]]}), true);
    let absent = r#"{"l":{"a":[1],"b":[{"exists":false}]}}"#;
    check_matches(absent, &json!({"l": [{"a": 1}, {"b": 2}]}), true);
    check_matches(absent, &json!({"l": [{"a": 1, "b": 2}]}), false);
}

#[test]
fn a_path_that_is_written_twice_counts_as_written_last() {
    let twice = pattern(r#"{"a":{"b":["x"]},"a.b":["y"],"c":[1],"c":[2]}"#);
    assert_eq!(twice, pattern(r#"{"a":{"b":["y"]},"c":[2]}"#));
    assert_eq!(Pattern::from_value(&twice.to_value()).unwrap(), twice);
}

#[test]
fn equal_meaning_is_equal() {
    for (one, two) in [
        (r#"{"a":["x","y"],"b":[1]}"#, r#"{"b":[1e0,1.0],"a":["y","x","x"]}"#),
        (r#"{"a":{"b":["x"]}}"#, r#"{"a.b":["x"]}"#),
        (r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, r#"{"$or":[{"b":[2]},{"a":[1]}]}"#),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":[{"anything-but":["x"]}]}"#),
        (r#"{"a":[{"wildcard":"x*"}]}"#, r#"{"a":[{"prefix":"x"}]}"#),
        (r#"{"a":[{"prefix":"x"},"xy"]}"#, r#"{"a":[{"prefix":"x"}]}"#),
        (r#"{"a":[{"equals-ignore-case":"AB"}]}"#, r#"{"a":[{"equals-ignore-case":"ab"}]}"#),
    ] {
        assert!(pattern(one).same_meaning(&pattern(two)), "{one} {two}");
    }
    for (one, two) in [
        (r#"{"a":[1]}"#, r#"{"a":["1"]}"#),
        (r#"{"a":[1]}"#, r#"{"a":[1],"b":[{"exists":false}]}"#),
        (r#"{"a":[{"numeric":[">",1]}]}"#, r#"{"a":[{"numeric":[">=",1]}]}"#),
    ] {
        assert!(!pattern(one).same_meaning(&pattern(two)), "{one} {two}");
    }
}

#[test]
fn overlap_and_cover_are_known_where_they_matter() {
    for (one, two, overlap, covers) in [
        (r#"{"source":["a"]}"#, r#"{"source":["b"]}"#, false, false),
        (r#"{"source":[{"prefix":"a."}]}"#, r#"{"source":["a.b"],"detail-type":["x"]}"#, true, true),
        (r#"{"source":[{"prefix":"a."}]}"#, r#"{"source":[{"prefix":"b."}]}"#, false, false),
        (r#"{"source":[{"anything-but":{"prefix":"a."}}]}"#, r#"{"source":["a.b"]}"#, false, false),
        (r#"{"account":["1"]}"#, r#"{"account":[{"anything-but":"1"}]}"#, false, false),
        (r#"{"detail":{"x":[1]}}"#, r#"{"detail":{"x":[2]}}"#, true, false),
        (r#"{"replay-name":[{"exists":false}]}"#, r#"{"replay-name":[{"exists":true}]}"#, false, false),
        (
            r#"{"source":[{"prefix":""}],"replay-name":[{"exists":false}]}"#,
            r#"{"source":["a"],"detail":{"x":[1]},"replay-name":[{"exists":false}]}"#,
            true,
            true,
        ),
        (r#"{"detail":{"x":[{"numeric":[">",1]}]}}"#, r#"{"detail":{"x":[{"numeric":[">",2,"<",3]}]}}"#, true, true),
    ] {
        let (one_read, two_read) = (pattern(one), pattern(two));
        assert_eq!(one_read.may_overlap(&two_read), overlap, "{one} {two}");
        assert_eq!(two_read.may_overlap(&one_read), overlap, "{two} {one}");
        assert_eq!(one_read.covers(&two_read), covers, "{one} {two}");
    }
}

#[test]
fn hostile_patterns_and_events_end() {
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(999), "}".repeat(999));
    assert!(pattern(&deep).to_value().is_object());
    assert!(Pattern::parse(&r#"{"a":"#.repeat(100_000)).is_err());
    let element = json!({"x": 1, "y": 2});
    let array: Vec<_> = std::iter::repeat_n(element, 2_000).collect();
    let event = json!({"a": array, "b": array, "c": array, "d": array});
    check_matches(
        r#"{"a":{"x":[1],"y":[2]},"b":{"x":[1],"y":[2]},"c":{"x":[1],"y":[2]},"d":{"x":[1],"y":[3]}}"#,
        &event,
        false,
    );
}

fn alternative() -> impl Strategy<Value = Value> {
    let text = "[ab]{0,3}";
    prop_oneof![
        text.prop_map(|text| json!(text)),
        (-2..3_i32).prop_map(|number| json!(number)),
        Just(json!(null)),
        any::<bool>().prop_map(|flag| json!(flag)),
        text.prop_map(|text| json!({ "prefix": text })),
        text.prop_map(|text| json!({ "suffix": text })),
        "[aB]{0,2}".prop_map(|text| json!({ "equals-ignore-case": text })),
        "[aB]{1,2}".prop_map(|text| json!({ "prefix": { "equals-ignore-case": text } })),
        ("[ab]{0,2}", "[ab]{0,2}").prop_map(|(one, two)| json!({ "wildcard": format!("{one}*{two}") })),
        prop::collection::vec(text, 1..3).prop_map(|texts| json!({ "anything-but": texts })),
        "[ab]{1,2}".prop_map(|text| json!({ "anything-but": { "prefix": text } })),
        "[ab]{1,2}".prop_map(|text| json!({ "anything-but": { "suffix": [text] } })),
        "[aB]{1,2}".prop_map(|text| json!({ "anything-but": { "equals-ignore-case": text } })),
        (-2..2_i32, 0..3_i32).prop_map(|(low, span)| json!({ "numeric": [">", low, "<=", low + span + 1] })),
        (-2..2_i32).prop_map(|low| json!({ "numeric": ["<", low] })),
        any::<bool>().prop_map(|flag| json!({ "exists": flag })),
    ]
}

fn fields() -> impl Strategy<Value = Value> {
    let alternatives = || prop::collection::vec(alternative(), 1..4);
    (
        prop::option::of(alternatives()),
        prop::option::of(alternatives()),
        prop::option::of(alternatives()),
        alternatives(),
    )
        .prop_map(|(source, x, y, z)| {
            let mut pattern = json!({ "detail": { "l": { "z": z } } });
            if let Some(source) = source {
                pattern["source"] = json!(source);
            }
            if let Some(x) = x {
                pattern["detail"]["l"]["x"] = json!(x);
            }
            if let Some(y) = y {
                pattern["detail"]["y"] = json!(y);
            }
            pattern
        })
}

fn pattern_value() -> impl Strategy<Value = Value> {
    (fields(), prop::option::of((fields(), fields()))).prop_map(|(mut pattern, or)| {
        if let Some((one, two)) = or {
            pattern["$or"] = json!([one, two]);
        }
        pattern
    })
}

fn event() -> impl Strategy<Value = Value> {
    let leaf = || {
        prop_oneof![
            "[abB]{0,3}".prop_map(|text| json!(text)),
            (-3..4_i32).prop_map(|number| json!(number)),
            Just(json!(null)),
            any::<bool>().prop_map(|flag| json!(flag)),
        ]
    };
    let element = (prop::option::of(leaf()), prop::option::of(leaf())).prop_map(|(x, z)| {
        let mut element = json!({});
        if let Some(x) = x {
            element["x"] = x;
        }
        if let Some(z) = z {
            element["z"] = z;
        }
        element
    });
    ("[ab]{0,3}", prop::collection::vec(element, 0..3), prop::collection::vec(leaf(), 0..2))
        .prop_map(|(source, list, y)| json!({ "source": source, "detail": { "l": list, "y": y } }))
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect(),
        // A range's terms have an order of their own.
        Value::Array(items) if items.first().is_some_and(|item| [">", "<"].iter().any(|sign| item == sign)) => {
            value.clone()
        }
        Value::Array(items) => items.iter().rev().map(reversed).collect(),
        other => other.clone(),
    }
}

#[test]
fn numbers_are_written_as_people_write_them() {
    for text in ["10000", "0", "-3", "2.5", "9007199254740993", "1e300"] {
        let value: Value = serde_json::from_str(&format!(r#"{{"detail":{{"n":[{text}]}}}}"#)).unwrap();
        let read = Pattern::from_value(&value).unwrap();
        let written = read.to_value().to_string();
        assert_eq!(Pattern::from_value(&read.to_value()).unwrap(), read);
        let expected = if text == "1e300" { "1e+300" } else { text };
        assert_eq!(written, format!(r#"{{"detail":{{"n":[{expected}]}}}}"#));
    }
    let range = json!({ "detail": { "amount": [{ "numeric": [">=", 10_000] }] } });
    let read = Pattern::from_value(&range).unwrap();
    assert_eq!(read.to_value(), range);
    let told = read.mismatch(&json!({ "detail": { "amount": 12 } })).unwrap().to_string();
    assert_eq!(told, r#"`detail.amount` is 12; asked for is [{"numeric":[">=",10000]}]"#);
}

proptest! {
    #[test]
    fn writing_and_reading_keeps_the_meaning(value in pattern_value()) {
        let read = Pattern::from_value(&value).unwrap();
        prop_assert_eq!(&Pattern::from_value(&read.to_value()).unwrap(), &read);
        prop_assert_eq!(&Pattern::from_value(&write(read.branches())).unwrap(), &read);
    }

    #[test]
    fn the_one_text_of_a_meaning_is_its_own(value in pattern_value()) {
        let pattern = Pattern::from_value(&value).unwrap();
        let again = Pattern::parse(pattern.canonical_text()).unwrap();
        prop_assert_eq!(again.canonical_text(), pattern.canonical_text());
        prop_assert_eq!(&again, &pattern);
    }

    #[test]
    fn a_pattern_at_rest_is_the_same(value in pattern_value(), event in event()) {
        let pattern = Pattern::from_value(&value).unwrap();
        let rested = pattern.at_rest();
        prop_assert_eq!(rested.matches(&event), pattern.matches(&event));
        prop_assert_eq!(rested.as_str(), pattern.as_str());
        prop_assert_eq!(rested.at_rest(), pattern);
    }

    #[test]
    fn a_pattern_at_rest_is_not_woken_to_be_compared_with_itself(value in pattern_value()) {
        let rested = Pattern::from_value(&value).unwrap().at_rest();
        let shared = rested.clone();
        prop_assert!(shared.same_meaning(&rested) && shared == rested && shared.covers(&rested));
        prop_assert!(rested.0.branches.get().is_none());
    }

    #[test]
    fn equal_patterns_match_the_same_events(value in fields(), events in prop::collection::vec(event(), 8)) {
        let one = Pattern::from_value(&value).unwrap();
        let two = Pattern::from_value(&reversed(&value)).unwrap();
        prop_assert!(one.same_meaning(&two));
        for event in &events {
            prop_assert_eq!(one.matches(event), two.matches(event));
        }
    }

    #[test]
    fn simplifying_changes_no_match(value in pattern_value(), events in prop::collection::vec(event(), 8)) {
        let branches = parse::parse(&value.to_string()).unwrap().branches;
        let simplified = Pattern::from_value(&value).unwrap();
        let wanted: BTreeSet<_> = branches.iter().flat_map(|branch| branch.keys().map(AsRef::as_ref)).collect();
        for event in &events {
            let values = matching::Values::collect(event, &wanted);
            let plain = branches.iter().any(|branch| values.match_branch(branch));
            prop_assert_eq!(plain, simplified.matches(event), "{}", event);
        }
    }

    #[test]
    fn overlap_and_cover_agree_with_matching(
        one in pattern_value(), two in pattern_value(), events in prop::collection::vec(event(), 16),
    ) {
        let (one, two) = (Pattern::from_value(&one).unwrap(), Pattern::from_value(&two).unwrap());
        for event in &events {
            let both = one.matches(event) && two.matches(event);
            prop_assert!(!both || one.may_overlap(&two), "{}", event);
            prop_assert!(!one.covers(&two) || !two.matches(event) || one.matches(event), "{}", event);
        }
    }
}

#[test]
fn a_number_of_many_digits_is_written_as_the_number_that_was_read() {
    let text = r#"{"a":[2111111111115111.111111111111111111111111111111111111111]}"#;
    let pattern = Pattern::parse(text).unwrap();
    let again = Pattern::parse(&pattern.to_string()).unwrap();
    assert!(pattern.same_meaning(&again), "{again}");
}
