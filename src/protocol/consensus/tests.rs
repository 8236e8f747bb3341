//! Tests of votes at one node.
