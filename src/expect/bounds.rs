//! Expectation layer: what is asked of a value: at most, at least, below, above, equals.

use std::cmp::Ordering;

use super::Refusal;
use super::metric::integer;
use super::statistic::Side;
use super::value::{Exact, Literal, written};
use crate::metrics::table::{Cell, Unit};

/// The bounds of a value; all of them have to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) unit: Unit,
    parts: Vec<(Relation, Limit)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    AtMost,
    AtLeast,
    Below,
    Above,
    Equals,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Limit {
    Number(Exact),
    Text(String),
}

/// The bounds as a scenario writes them.
pub(super) struct Written<'a> {
    pub(super) at_most: Option<&'a Literal>,
    pub(super) at_least: Option<&'a Literal>,
    pub(super) below: Option<&'a Literal>,
    pub(super) above: Option<&'a Literal>,
    pub(super) equals: Option<&'a Literal>,
}

impl Written<'_> {
    fn given(&self) -> Vec<(Relation, &Literal)> {
        let all = [
            (Relation::AtMost, self.at_most),
            (Relation::AtLeast, self.at_least),
            (Relation::Below, self.below),
            (Relation::Above, self.above),
            (Relation::Equals, self.equals),
        ];
        all.into_iter().filter_map(|(relation, literal)| Some((relation, literal?))).collect()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.given().is_empty()
    }
}

impl Relation {
    const fn key(self) -> &'static str {
        match self {
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
            Self::Below => "below",
            Self::Above => "above",
            Self::Equals => "equals",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::AtMost => "at most",
            Self::AtLeast => "at least",
            Self::Below => "below",
            Self::Above => "above",
            Self::Equals => "exactly",
        }
    }

    fn allows(self, order: Ordering) -> bool {
        match self {
            Self::AtMost => order.is_le(),
            Self::AtLeast => order.is_ge(),
            Self::Below => order.is_lt(),
            Self::Above => order.is_gt(),
            Self::Equals => order.is_eq(),
        }
    }
}

impl Bounds {
    /// The bounds in the unit of a metric.
    pub(super) fn resolve(unit: Unit, written: &Written<'_>) -> Result<Self, Refusal> {
        let mut parts = Vec::new();
        for (relation, literal) in written.given() {
            let at = |message| Refusal::new(relation.key(), message);
            let limit = match (unit, relation) {
                (Unit::Text, Relation::Equals) => Limit::Text(literal.cell(unit).map_err(at)?),
                (Unit::Text, _) => {
                    return Err(at("the metric is a text, which can only be equal".into()));
                }
                _ => Limit::Number(literal.exact(unit).map_err(at)?),
            };
            parts.push((relation, limit));
        }
        if parts.is_empty() {
            let message = "there is no bound; expected at_most, at_least, below, above or equals";
            return Err(Refusal::new("", message));
        }
        let bounds = Self { unit, parts };
        match bounds.contradiction() {
            Some(key) => {
                let message = format!("no value is {}", bounds.words());
                Err(Refusal::new(key, message))
            }
            None => Ok(bounds),
        }
    }

    /// More than zero.
    pub(super) fn positive(unit: Unit) -> Self {
        Self { unit, parts: vec![(Relation::Above, Limit::Number(Exact::whole(0)))] }
    }

    /// The key of a lower bound that is above an upper one.
    fn contradiction(&self) -> Option<&'static str> {
        let numbers = || {
            self.parts.iter().filter_map(|(relation, limit)| match limit {
                Limit::Number(number) => Some((*relation, *number)),
                Limit::Text(_) => None,
            })
        };
        let upper = |relation| !matches!(relation, Relation::AtLeast | Relation::Above);
        let lower = |relation| !matches!(relation, Relation::AtMost | Relation::Below);
        numbers().filter(|(relation, _)| lower(*relation)).find_map(|(least, bottom)| {
            let meets = |(most, top): (Relation, Exact)| {
                let strict = least == Relation::Above || most == Relation::Below;
                if strict { bottom < top } else { bottom <= top }
            };
            let other = |most: Relation| upper(most) && most != least;
            let clash = numbers().any(|(most, top)| other(most) && !meets((most, top)));
            clash.then_some(least.key())
        })
    }

    /// Whether a number is within them.
    pub(super) fn hold(&self, number: Exact) -> bool {
        self.parts.iter().all(|(relation, limit)| match limit {
            Limit::Number(limit) => relation.allows(number.cmp(limit)),
            Limit::Text(_) => false,
        })
    }

    /// Whether the value of a cell is within them; `None` for an empty cell.
    pub(super) fn hold_cell(&self, cell: &Cell<'_>) -> Option<bool> {
        match cell {
            Cell::Empty => None,
            Cell::Text(text) => {
                let same = |limit: &Limit| matches!(limit, Limit::Text(limit) if text == limit);
                Some(self.parts.iter().all(|(_, limit)| same(limit)))
            }
            Cell::Integer(_) | Cell::Signed(_) => {
                integer(cell).map(|number| self.hold(Exact::whole(number)))
            }
        }
    }

    /// Where a value that never came stands: beyond the bound.
    pub(super) fn side(&self) -> Side {
        let low = |relation| matches!(relation, Relation::AtLeast | Relation::Above);
        if self.parts.iter().all(|(relation, _)| low(*relation)) {
            Side::Small
        } else {
            Side::Large
        }
    }

    /// `at most 80ms`.
    pub(super) fn words(&self) -> String {
        let part = |(relation, limit): &(Relation, Limit)| {
            let limit = match limit {
                Limit::Number(number) => written(*number, self.unit),
                Limit::Text(text) => format!("{text:?}"),
            };
            format!("{} {limit}", relation.words())
        };
        self.parts.iter().map(part).collect::<Vec<_>>().join(" and ")
    }
}

/// The value of a cell, as people read it.
pub(super) fn cell_words(cell: &Cell<'_>, unit: Unit) -> String {
    match (cell, integer(cell)) {
        (_, Some(number)) => written(Exact::whole(number), unit),
        (Cell::Empty, _) => "never".into(),
        _ => format!("{:?}", cell.to_string()),
    }
}
