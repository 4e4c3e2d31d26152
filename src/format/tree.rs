//! Places in JSON: finding, filling and clearing them.

use serde_json::{Map, Value};

use super::deed;

/// One step on the way to a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A way from the outermost object.
pub(super) type Path = Vec<Step>;

/// A place in a record, what a `*` on the way to it stood for, and what is there.
pub(super) struct Found<'a> {
    pub(super) path: Path,
    pub(super) star: Option<Step>,
    pub(super) value: &'a Value,
}

/// The places that a pattern such as `targets.*.id` names.
///
/// `*` is each entry of a list or a map, `@user` the first entry whose type is that of an account,
/// `@other` each of the others.
pub(super) fn find<'a>(root: &'a Value, pattern: &str) -> Vec<Found<'a>> {
    let start = Found {
        path: Path::new(),
        star: None,
        value: root,
    };
    let mut found = vec![start];
    for segment in pattern.split('.') {
        found = found.into_iter().flat_map(|at| step(at, segment)).collect();
    }
    found
}

fn step<'a>(at: Found<'a>, segment: &str) -> Vec<Found<'a>> {
    let go = |step: Step, star: Option<Step>, value: &'a Value| {
        let mut path = at.path.clone();
        path.push(step);
        Found { path, star, value }
    };
    match (segment, at.value) {
        ("*", Value::Array(list)) => {
            let entries = list.iter().enumerate();
            entries
                .map(|(index, value)| go(Step::Index(index), Some(Step::Index(index)), value))
                .collect()
        }
        ("*", Value::Object(map)) => map
            .iter()
            .map(|(key, value)| {
                let step = Step::Key(key.clone());
                go(step.clone(), Some(step), value)
            })
            .collect(),
        ("@user", Value::Array(list)) => {
            let user = user(list).and_then(|index| Some((index, list.get(index)?)));
            user.map(|(index, value)| go(Step::Index(index), None, value))
                .into_iter()
                .collect()
        }
        ("@other", Value::Array(list)) => {
            let user = user(list);
            let others = list.iter().enumerate();
            let others = others.filter(|(index, _)| Some(*index) != user);
            let numbered = others.enumerate();
            numbered
                .map(|(number, (index, value))| {
                    go(Step::Index(index), Some(Step::Index(number)), value)
                })
                .collect()
        }
        (_, Value::Array(list)) => {
            let index: Option<usize> = segment.parse().ok();
            let value = index.and_then(|index| Some((index, list.get(index)?)));
            value
                .map(|(index, value)| go(Step::Index(index), at.star.clone(), value))
                .into_iter()
                .collect()
        }
        (_, Value::Object(map)) => map
            .get(segment)
            .map(|value| go(Step::Key(segment.to_owned()), at.star.clone(), value))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// Which entry is an account.
fn user(list: &[Value]) -> Option<usize> {
    list.iter()
        .position(|entry| text(entry, "type").is_some_and(deed::is_user))
}

/// The text at a plain path.
pub(super) fn text<'a>(root: &'a Value, path: &str) -> Option<&'a str> {
    find(root, path)
        .first()
        .and_then(|found| found.value.as_str())
}

/// What is at a place.
pub(super) fn get<'a>(root: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(root, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Index(index) => at.get(index),
    })
}

/// Whether something is at a place.
pub(super) fn has(root: &Value, path: &[Step]) -> bool {
    get(root, path).is_some()
}

/// Puts a value to a place; `false`, and nothing changed there, when something else is there.
pub(super) fn put(root: &mut Value, path: &[Step], value: Value) -> bool {
    let Some(place) = reach(root, path) else {
        return false;
    };
    match place {
        Value::Null => *place = value,
        there => return *there == value,
    }
    true
}

/// Adds a value to the list at a place, unless it is in it.
pub(super) fn append(root: &mut Value, path: &[Step], value: Value) -> bool {
    match reach(root, path) {
        Some(place @ Value::Null) => *place = Value::Array(vec![value]),
        Some(Value::Array(list)) => {
            if !list.contains(&value) {
                list.push(value);
            }
        }
        _ => return false,
    }
    true
}

/// The place itself, made if it is not there; none when the way to it is blocked.
fn reach<'a>(root: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    let mut at = root;
    for step in path {
        at = match step {
            Step::Key(key) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut()?.entry(key).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if at.is_null() {
                    *at = Value::Array(Vec::new());
                }
                let list = at.as_array_mut()?;
                if list.len() <= *index {
                    list.resize(index.checked_add(1)?, Value::Null);
                }
                list.get_mut(*index)?
            }
        };
    }
    Some(at)
}

/// Takes a value away, and what becomes empty by that. Of several places in one list the last has
/// to be taken first.
pub(super) fn remove(root: &mut Value, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match (step, root) {
        (Step::Key(key), Value::Object(map)) => {
            let is_gone = map.get_mut(key).is_some_and(|next| is_cleared(next, rest));
            if is_gone {
                map.remove(key);
            }
        }
        (Step::Index(index), Value::Array(list)) => {
            let is_gone = list
                .get_mut(*index)
                .is_some_and(|next| is_cleared(next, rest));
            if is_gone {
                list.remove(*index);
            }
        }
        _ => {}
    }
}

/// Takes the rest of a path away; whether nothing is left.
fn is_cleared(value: &mut Value, rest: &[Step]) -> bool {
    if rest.is_empty() {
        return true;
    }
    remove(value, rest);
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Path {
        let step = |step: &str| match step.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(step.to_owned()),
        };
        text.split('.').map(step).collect()
    }

    #[test]
    fn a_pattern_finds_each_place_and_says_what_its_star_stood_for() {
        let root = json!({"targets": [{"id": "a"}, {"type": "t"}, {"id": "b"}], "map": {"x": 1}});
        let ids: Vec<_> = find(&root, "targets.*.id")
            .into_iter()
            .map(|found| (found.path, found.star, found.value.clone()))
            .collect();
        assert_eq!(
            ids,
            [
                (path("targets.0.id"), Some(Step::Index(0)), json!("a")),
                (path("targets.2.id"), Some(Step::Index(2)), json!("b")),
            ]
        );
        let keys = find(&root, "map.*");
        assert_eq!(keys[0].star, Some(Step::Key("x".to_owned())));
        for (pattern, expected) in [
            ("targets.1.type", 1),
            ("targets.9.id", 0),
            ("map.x.y", 0),
            ("no", 0),
        ] {
            assert_eq!(find(&root, pattern).len(), expected, "{pattern}");
        }
    }

    #[test]
    fn a_place_that_is_taken_keeps_what_it_has() {
        let mut root = json!({"a": {"b": 1}, "c": "text"});
        for (place, value, expected) in [
            ("a.b", json!(2), false),
            ("a.b", json!(1), true),
            ("c.d", json!(1), false),
            ("a.e.1.f", json!(3), true),
        ] {
            assert_eq!(put(&mut root, &path(place), value), expected, "{place}");
        }
        assert_eq!(
            root,
            json!({"a": {"b": 1, "e": [null, {"f": 3}]}, "c": "text"})
        );
        assert!(append(&mut root, &path("l"), json!("x")));
        assert!(append(&mut root, &path("l"), json!("x")));
        assert!(append(&mut root, &path("l"), json!("y")));
        assert!(!append(&mut root, &path("c"), json!("y")));
        assert_eq!(root["l"], json!(["x", "y"]));
    }

    #[test]
    fn what_is_taken_away_leaves_nothing_empty_behind() {
        let mut root =
            json!({"targets": [{"id": "a"}, {"id": "b", "x": {}}], "details": {"e": {}}});
        for place in [
            "targets.1.id",
            "targets.0.id",
            "targets.7.id",
            "details.e.f",
        ] {
            remove(&mut root, &path(place));
        }
        assert_eq!(root, json!({"targets": [{"x": {}}]}));
    }
}
