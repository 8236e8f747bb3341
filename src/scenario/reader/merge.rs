//! Scenario layer, reader: lays the user's file over the preset that it names.

use super::TAG;
use super::tree::{Data, Node};

/// The value of `over` on top of `under`: tables are merged key by key, everything else of `over`
/// replaces what is under it. A table of another kind replaces the whole table, because the keys
/// of the two kinds have nothing to do with each other.
pub(super) fn merge(under: Node, over: Node) -> Node {
    if is_other_kind(&under, &over) {
        return over;
    }
    let data = match (under.data, over.data) {
        (Data::Table(mut merged), Data::Table(table)) => {
            for (key, node) in table {
                match merged.get_mut(&key) {
                    Some(place) => {
                        let below = std::mem::replace(place, Node::empty_table(node.key));
                        *place = merge(below, node);
                    }
                    None => drop(merged.insert(key, node)),
                }
            }
            Data::Table(merged)
        }
        (_, data) => data,
    };
    Node { data, ..over }
}

/// Whether both are tables that say of which kind they are, and say different things.
fn is_other_kind(under: &Node, over: &Node) -> bool {
    let kind = |node: &Node| node.get(TAG).and_then(Node::text).map(str::to_owned);
    matches!((kind(under), kind(over)), (Some(under), Some(over)) if under != over)
}
