//! Scenario layer, reader: a view of the JSON Schema that `schemars` makes of the scenario types.
//! It follows references and lays alternatives out flat; it knows the constructs that the derive
//! emits and leaves every other one to serde.

use serde_json::Value;

/// How many references and alternatives are followed before the schema counts as endless.
const MAX_HOPS: usize = 8;

/// What a schema says about one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'s> {
    root: &'s Value,
    here: &'s Value,
}

/// What a table may hold besides the keys that it names.
pub(super) enum Rest<'s> {
    Nothing,
    Anything,
    Each(Shape<'s>),
}

impl<'s> Shape<'s> {
    /// The shape of the whole scenario.
    pub(super) const fn of_root(schema: &'s Value) -> Self {
        Self { root: schema, here: schema }
    }

    const fn at(self, here: &'s Value) -> Self {
        Self { root: self.root, here }
    }

    /// Whether two shapes are written alike, their doc sentences included.
    pub(super) fn is(self, other: Self) -> bool {
        self.here == other.here
    }

    /// The name of the definition that this shape refers to, by itself or as an alternative.
    pub(super) fn definition(self) -> Option<&'s str> {
        let choices = || self.here.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        let named = |here: &'s Value| here.get("$ref").and_then(Value::as_str);
        named(self.here).or_else(|| choices().find_map(named))
    }

    /// The doc sentence of that definition, or else of this shape.
    pub(super) fn definition_description(self) -> String {
        let pointer = self.definition().and_then(|name| name.strip_prefix('#'));
        let definition = pointer.and_then(|pointer| self.root.pointer(pointer));
        definition.map_or(self, |here| self.at(here)).description()
    }

    /// The schemas that all apply here: this one, the one it refers to, and parts of `allOf`.
    fn parts(self) -> Vec<&'s Value> {
        let mut parts = vec![self.here];
        let mut next = 0;
        while let Some(&part) = parts.get(next) {
            next += 1;
            if parts.len() > MAX_HOPS {
                break;
            }
            let reference = part.get("$ref").and_then(Value::as_str);
            let pointer = reference.and_then(|name| name.strip_prefix('#'));
            parts.extend(pointer.and_then(|pointer| self.root.pointer(pointer)));
            parts.extend(part.get("allOf").and_then(Value::as_array).into_iter().flatten());
        }
        parts
    }

    /// The nearest value of a keyword.
    pub(super) fn get(self, keyword: &str) -> Option<&'s Value> {
        self.parts().into_iter().find_map(|part| part.get(keyword))
    }

    /// The doc sentence, on one line.
    pub(super) fn description(self) -> String {
        let text = self.get("description").and_then(Value::as_str).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The string format such as `time`.
    pub(super) fn format(self) -> Option<&'s str> {
        self.get("format")?.as_str()
    }

    /// The named keys of a table.
    pub(super) fn properties(self) -> Vec<(&'s str, Self)> {
        let all = self.parts().into_iter().filter_map(|part| part.get("properties")?.as_object());
        all.flatten().map(|(name, here)| (name.as_str(), self.at(here))).collect()
    }

    /// The shape of one named key of a table.
    pub(super) fn property(self, name: &str) -> Option<Self> {
        let here = |part: &'s Value| part.get("properties")?.get(name);
        self.parts().into_iter().find_map(here).map(|here| self.at(here))
    }

    /// The keys that a table must have.
    pub(super) fn required(self) -> Vec<&'s str> {
        let all = self.parts().into_iter().filter_map(|part| part.get("required")?.as_array());
        all.flatten().filter_map(Value::as_str).collect()
    }

    /// What a table may hold besides.
    pub(super) fn rest(self) -> Rest<'s> {
        match self.get("additionalProperties") {
            Some(Value::Bool(false)) => Rest::Nothing,
            Some(here @ Value::Object(_)) => Rest::Each(self.at(here)),
            _ => Rest::Anything,
        }
    }

    /// The shape of an entry of a list.
    pub(super) fn item(self, index: usize) -> Option<Self> {
        let fixed = self.get("prefixItems").and_then(|items| items.get(index));
        fixed.or_else(|| self.get("items")).map(|here| self.at(here))
    }

    /// What may stand here, as shapes without alternatives of their own; `null`, which TOML does
    /// not have, is left out.
    pub(super) fn alternatives(self) -> Vec<Self> {
        let mut leaves = Vec::new();
        self.collect_alternatives(&mut leaves, MAX_HOPS);
        leaves
    }

    fn collect_alternatives(self, leaves: &mut Vec<Self>, hops: usize) {
        let choices = self.get("anyOf").or_else(|| self.get("oneOf")).and_then(Value::as_array);
        match choices {
            Some(choices) if hops > 0 => {
                for choice in choices {
                    self.at(choice).collect_alternatives(leaves, hops - 1);
                }
            }
            _ if self.types() == ["null"] => {}
            _ => leaves.push(self),
        }
    }

    /// The JSON types that may stand here, without `null` if there are others; empty if the schema
    /// does not say.
    pub(super) fn types(self) -> Vec<&'s str> {
        match self.get("type") {
            Some(Value::String(name)) => vec![name.as_str()],
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a value of this JSON type may stand here.
    pub(super) fn takes(self, name: &str) -> bool {
        let types = self.types();
        types.is_empty() || types.contains(&name) || name == "integer" && types.contains(&"number")
    }

    /// The only texts that may stand here; empty if any text may.
    pub(super) fn constants(self) -> Vec<&'s str> {
        if let Some(text) = self.get("const").and_then(Value::as_str) {
            return vec![text];
        }
        let texts = self.get("enum").and_then(Value::as_array);
        texts.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The key that tells the kinds of a table apart, and what it is in this kind.
    pub(super) fn tag(self) -> Option<(&'s str, &'s str)> {
        let required = self.required();
        self.properties().into_iter().find_map(|(name, shape)| {
            let text = shape.get("const")?.as_str()?;
            required.contains(&name).then_some((name, text))
        })
    }

    /// Least and greatest number allowed here: the written bounds and those of the integer's size.
    pub(super) fn bounds(self) -> (Option<Bound>, Option<Bound>) {
        let written = |keyword| self.get(keyword).and_then(Bound::of_json);
        let (least, most) = match self.format() {
            Some("int8") => (Some(i8::MIN.into()), Some(i8::MAX.into())),
            Some("int16") => (Some(i16::MIN.into()), Some(i16::MAX.into())),
            Some("int32") => (Some(i32::MIN.into()), Some(i32::MAX.into())),
            Some("uint8") => (Some(0), Some(u8::MAX.into())),
            Some("uint16") => (Some(0), Some(u16::MAX.into())),
            Some("uint32") => (Some(0), Some(u32::MAX.into())),
            Some("uint64" | "uint" | "uint128") => (Some(0), None),
            _ => (None, None),
        };
        let least = written("minimum").or(least.map(Bound::Whole));
        (least, written("maximum").or(most.map(Bound::Whole)))
    }
}

/// A bound of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    Whole(i64),
    Decimal(f64),
}

impl Bound {
    fn of_json(number: &Value) -> Option<Self> {
        let decimal = || number.as_f64().map(Self::Decimal);
        number.as_i64().map(Self::Whole).or_else(decimal)
    }

    /// As a decimal number.
    pub(super) const fn as_f64(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Decimal(number) => number,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Decimal(number) => number.fmt(f),
        }
    }
}
