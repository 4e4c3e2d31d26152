//! A mapping is a table: what is in it is what is done, and what is told about it.

use serde_json::{Map, Value};

use super::{
    Event,
    tree::{self, Found, Path, Step},
};

/// Which records a rule is for: bits that [`Mapping::cases`] finds.
pub(super) type Cases = u32;

/// For every record.
pub(super) const ALWAYS: Cases = 0;

/// How one field of a record becomes one field there.
#[derive(Debug)]
pub(super) struct Rule {
    /// Where it is in the record: `targets.*.id`; `*` is each entry.
    pub(super) from: &'static str,
    /// Where it goes. `*` is what it was in `from`, `{name}` is looked up, `[]` adds to a list.
    pub(super) to: &'static str,
    pub(super) how: How,
    /// One of these must hold.
    pub(super) when: Cases,
}

/// What happens to a value on its way.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// As it is.
    Same,
    /// As it is, if no rule before has moved it.
    Left,
    /// In another spelling that says the same.
    As(Spell, &'static str),
    /// The same where it fits; what does not is kept.
    If(Spell, &'static str),
    /// In words that say less: the field is kept too.
    Part(Spell, &'static str),
    /// As the name of the place that the rest of its object went to.
    Name,
}

/// A field as it is.
pub(super) const fn same(from: &'static str, to: &'static str) -> Rule {
    rule(from, to, How::Same)
}

/// A field in some way.
pub(super) const fn rule(from: &'static str, to: &'static str, how: How) -> Rule {
    Rule {
        from,
        to,
        how,
        when: ALWAYS,
    }
}

impl Rule {
    /// The same, only where one of these holds.
    pub(super) const fn when(mut self, when: Cases) -> Self {
        self.when = when;
        self
    }
}

/// Gives a value in its new spelling; none when it does not fit.
pub(super) type Spell = fn(&Value) -> Option<Value>;

/// A record in the words of another system.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) rules: &'static [Rule],
    /// What holds for a record.
    pub(super) cases: fn(&Value) -> Cases,
    /// What a case is called, for people.
    pub(super) names: &'static [(Cases, &'static str)],
    /// What stands for `{name}` in a rule, for this entry of a list.
    pub(super) expand: fn(&str, &Value, Option<&Step>) -> Option<String>,
    /// Adds what follows from the record as a whole.
    pub(super) finish: fn(&mut Value, &Value, &Event<'_>),
    /// What closes the object that [`Event`]'s place is in.
    pub(super) close: &'static str,
    /// Where fields are kept that have no home.
    pub(super) base: &'static str,
}

impl Mapping {
    /// Appends what follows behind trail, number and leaf.
    pub(super) fn write(&self, out: &mut Vec<u8>, event: &Event<'_>) {
        let (kept, mapped) = self.map(event);
        if !kept.is_null() {
            out.extend_from_slice(br#","record":"#);
            json(out, &kept);
        }
        out.extend_from_slice(self.close.as_bytes());
        for (key, value) in mapped {
            out.push(b',');
            json(out, &Value::String(key));
            out.push(b':');
            json(out, &value);
        }
        out.push(b'}');
    }

    /// What is kept as it was, and what found its place.
    fn map(&self, event: &Event<'_>) -> (Value, Map<String, Value>) {
        let Ok(mut record @ Value::Object(_)) = serde_json::from_str(event.json) else {
            // Not a record: it is carried all the same, as a text.
            return (Value::String(event.json.to_owned()), Map::new());
        };
        let mut mapped = Value::Object(Map::new());
        let settled = self.settle(&record, &mut mapped);
        (self.finish)(&mut mapped, &record, event);
        // From the last on, so that taking one out of a list does not move the others.
        for path in settled.iter().rev() {
            tree::remove(&mut record, path);
        }
        let kept = match record {
            Value::Object(left) if left.is_empty() => Value::Null,
            left => left,
        };
        match mapped {
            Value::Object(mapped) => (kept, mapped),
            _ => (kept, Map::new()),
        }
    }

    /// Applies the rules; the places of the record that need not be kept, in order.
    fn settle(&self, record: &Value, mapped: &mut Value) -> Vec<Path> {
        let cases = (self.cases)(record);
        let mut settled: Vec<Path> = Vec::new();
        for rule in self.rules {
            if rule.when != ALWAYS && rule.when & cases == 0 {
                continue;
            }
            for found in tree::find(record, rule.from) {
                let place = self.place(rule, record, found.star.as_ref());
                if place.is_some_and(|place| rule.move_to(&place, &found, record, mapped, &settled))
                {
                    settled.push(found.path);
                }
            }
        }
        settled.sort_unstable();
        // Once each: what is taken out of a list twice takes what has moved up as well.
        settled.dedup();
        settled
    }

    /// The place that a rule means for this record, and this entry of a list in it.
    fn place(&self, rule: &Rule, record: &Value, star: Option<&Step>) -> Option<Path> {
        let steps = rule.to.trim_end_matches("[]").split('.');
        steps
            .map(|step| match step {
                "*" => star.cloned(),
                name if name.starts_with('{') => {
                    let name = name.trim_matches(['{', '}']);
                    (self.expand)(name, record, star).map(Step::Key)
                }
                key => Some(match key.parse() {
                    Ok(index) => Step::Index(index),
                    Err(_) => Step::Key(key.to_owned()),
                }),
            })
            .collect()
    }
}

impl Rule {
    /// Moves a value; whether it need not be kept.
    fn move_to(
        &self,
        place: &[Step],
        found: &Found<'_>,
        record: &Value,
        mapped: &mut Value,
        settled: &[Path],
    ) -> bool {
        match self.how {
            How::Left if settled.contains(&found.path) => return false,
            How::Name => {
                return tree::has(mapped, place) && is_last(&found.path, record, settled);
            }
            _ => {}
        }
        let Some(value) = self.how.spell(found.value) else {
            return false;
        };
        let put = if self.to.ends_with("[]") {
            tree::append
        } else {
            tree::put
        };
        put(mapped, place, value) && self.how.is_whole()
    }
}

/// Whether all that stands beside a field has moved.
fn is_last(path: &[Step], record: &Value, settled: &[Path]) -> bool {
    let Some((Step::Key(name), parent)) = path.split_last() else {
        return false;
    };
    let Some(Value::Object(object)) = tree::get(record, parent) else {
        return false;
    };
    let beside = |key: &String| {
        let mut path = parent.to_vec();
        path.push(Step::Key(key.clone()));
        path
    };
    object.len() > 1
        && object
            .keys()
            .filter(|key| *key != name)
            .all(|key| settled.contains(&beside(key)))
}

impl How {
    fn spell(self, value: &Value) -> Option<Value> {
        match self {
            Self::Same | Self::Left | Self::Name => Some(value.clone()),
            Self::As(spell, _) | Self::If(spell, _) | Self::Part(spell, _) => spell(value),
        }
    }

    /// Whether nothing of the value is lost where it went.
    const fn is_whole(self) -> bool {
        !matches!(self, Self::Part(..))
    }
}

/// Appends a value as JSON.
fn json(out: &mut Vec<u8>, value: &Value) {
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(out, value);
}
