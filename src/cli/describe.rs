//! Command line: plans and results in words a person enjoys reading.

mod blocks;
mod consensus;
mod transactions;

use super::{Failure, ScenarioArguments, complain, print};
use crate::base::time::Span;
use crate::expect::invariant::MISSED;
use crate::metrics::{Heal, PeersSummary, RegistrySummary, RumorsSummary, Summary};
use crate::protocol::gossip;
use crate::run::Finished;
use crate::scenario::plan::{Plan, PlannedFault};
use crate::scenario::reader::one_line;
use crate::scenario::shipped;

/// A plan in half a line.
pub(super) fn in_short(plan: &Plan) -> String {
    let nodes = many(plan.population.count() as u64, "node", "nodes");
    let parts = [
        (plan.streams.len(), "stream of rumors", "streams of rumors"),
        (plan.faults.len(), "fault", "faults"),
    ];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
    let parts: String =
        parts.map(|(count, one, more)| format!(", {}", many(count as u64, one, more))).collect();
    format!("{nodes} for {}{parts}", plan.scenario.duration)
}

/// `headwater show`: the resolved scenario as TOML, then what it resolves to, as comments.
pub(super) fn show(arguments: &ScenarioArguments) -> Result<u8, Failure> {
    let plan = shipped::plan(&arguments.source()?, &arguments.overrides()?)?;
    for note in &plan.notes {
        complain("note", note);
    }
    let mut text = plan.resolved();
    text += "\n# Resolved with this seed:\n";
    let validators = plan.population.validators().count();
    let mut say = |line: String| text += &format!("# {line}\n");
    say(format!("  nodes: {} ({validators} validators)", plan.population.count()));
    say(format!("  total stake: {}", plan.population.total_stake()));
    say(format!("  sites: {}", plan.population.sites.len()));
    for line in crate::scenario::topology::draw::describe(&plan.overlay).lines() {
        say(format!("  topology: {line}"));
    }
    for (place, fault) in plan.faults.iter().enumerate() {
        let end = fault.end.map_or("the end".to_owned(), |end| end.to_string());
        let (begin, describe) = (fault.begin, &fault.describe);
        say(format!("  faults[{place}]: {begin} to {end}: {describe}"));
    }
    for (place, adversary) in plan.adversaries.iter().enumerate() {
        let role = &adversary.role;
        let end = role.end.map_or("the end".to_owned(), |end| end.to_string());
        say(format!("  adversaries[{place}]: {} to {end}: {}", role.begin, adversary.describe));
        let nodes: Vec<String> = role.nodes.iter().map(|node| node.to_string()).collect();
        say(format!("    nodes {}", nodes.join(", ")));
    }
    say(format!("  plan digest: {}", plan.digest()));
    say(format!("  run key: {}", plan.key()));
    print(&text)
}

/// What came of a run.
pub(super) fn summary(plan: &Plan, finished: &Finished<impl Sized>, wall: Span) -> String {
    let Finished { summary, tallies, reached, handled, .. } = finished;
    let seconds = wall.as_nanos().max(1) as f64 / 1e9;
    let speed = reached.as_nanos() as f64 / 1e9 / seconds;
    let mut text = format!("{} (seed {})", plan.scenario.name, plan.seed.0);
    if !plan.scenario.description.is_empty() {
        text += &format!(": {}", one_line(&plan.scenario.description, LONGEST_DESCRIPTION));
    }
    text += &format!(
        "\n  {}, {} of virtual time in {seconds:.2} s ({speed:.1}x), {}\n",
        many(plan.population.count() as u64, "node", "nodes"),
        time(reached.as_nanos()),
        many(*handled, "event", "events"),
    );
    text += &registry(plan, summary.registry.as_ref());
    if !plan.streams.is_empty() {
        text += &rumors(&summary.rumors);
    }
    if let Some(of_blocks) = &summary.blocks {
        text += &blocks::blocks(of_blocks, plan.population.count());
    }
    if let Some(of) = &summary.consensus {
        text += &consensus::in_words(of);
    }
    if let Some(of) = &summary.transactions {
        text += &transactions::in_words(of);
    }
    text += &peers(&summary.peers);
    text += &traffic(summary);
    text += &faults(plan, tallies);
    text += &adversaries(plan, summary);
    text
}

fn registry(plan: &Plan, registry: Option<&RegistrySummary>) -> String {
    let Some(registry) = registry else { return String::new() };
    let style = match plan.validators.gossip.style {
        gossip::Style::Off => "off",
        gossip::Style::Push => "push",
        gossip::Style::Pull => "pull",
        gossip::Style::PushPull => "push-pull",
        gossip::Style::ForwardOnce => "forward-once",
        gossip::Style::Solana => "solana",
    };
    let gossip = &plan.validators.gossip;
    let fanout = match (gossip.style, &gossip.solana) {
        (gossip::Style::Solana, Some(rules)) => rules.fanout,
        _ => gossip.fanout,
    };
    let mut text = format!("\n  gossip ({style}, fan-out {fanout})\n");
    let all = match registry.validators {
        1 => "the only validator".to_owned(),
        validators => format!("all {} validators", count(validators)),
    };
    text += &match registry.converged_ns {
        Some(at) => format!("    every node knew {all} after {}\n", time(at)),
        None => format!("    not every node learned of {all}\n"),
    };
    // Partitions that heal at one moment have one line.
    let same = |a: &Heal, b: &Heal| (a.healed_ns, a.took_ns) == (b.healed_ns, b.took_ns);
    for heals in registry.heals.chunk_by(same) {
        let several = match heals.len() {
            1 => String::new(),
            heals => format!(" ({heals} partitions)"),
        };
        let Heal { healed_ns, took_ns, .. } = heals[0];
        let what = match took_ns {
            Some(took) => format!("the registries agreed again {} later", time(took)),
            None => "no agreement by the end".to_owned(),
        };
        text += &format!("    healed at {}{several}: {what}\n", time(healed_ns));
    }
    if let Some(agreement) = registry.agreement_ppm {
        text += &format!("    up to date at the end: {}\n", percent(agreement));
    }
    text
}

fn rumors(rumors: &RumorsSummary) -> String {
    let mut text = format!("\n  rumors ({})\n", count(rumors.injected));
    if let (Some(mean), Some(least)) = (rumors.coverage_mean_ppm, rumors.coverage_min_ppm) {
        text += &format!(
            "    coverage {} on average, {} at worst; {} of {} complete\n",
            percent(mean),
            percent(least),
            count(rumors.complete),
            count(rumors.injected)
        );
    }
    let latency = &rumors.latency;
    if let (Some(mean), Some(p50), Some(p99)) = (latency.mean_ns, latency.p50_ns, latency.p99_ns) {
        text += &format!(
            "    first receipt after {} on average, median {}, 99 % within {}\n",
            time(mean),
            time(p50),
            time(p99)
        );
    }
    if let Some(redundancy) = rumors.redundancy_ppm {
        let copies = redundancy as f64 / 1e6;
        text += &format!("    {copies:.2} copies received for each first receipt\n");
    }
    if rumors.missed > 0 {
        text += &format!("    {} never appeared: {MISSED}\n", count(rumors.missed));
    }
    if rumors.late > 0 {
        let late = many(rumors.late, "receipt was", "receipts were");
        text += &format!("    {late} older than limits.rumors can follow\n");
    }
    text
}

fn peers(peers: &PeersSummary) -> String {
    if peers.refused == 0 && peers.forgotten == 0 {
        return String::new();
    }
    format!(
        "\n  peers\n    {} refused for want of room (discovery.max_peers), {} given up for good\n",
        many(peers.refused, "newcomer", "newcomers"),
        many(peers.forgotten, "peer", "peers")
    )
}

fn traffic(summary: &Summary) -> String {
    let (messages, size) = (&summary.messages, &summary.bytes);
    let mut text = format!(
        "\n  traffic\n    {} sent ({}), {} delivered, {} dropped, {} in flight at the end\n",
        many(messages.sent, "message", "messages"),
        bytes(size.sent),
        count(messages.delivered),
        count(messages.dropped),
        count(messages.in_flight)
    );
    let reasons: Vec<String> = summary
        .dropped
        .iter()
        .map(|(reason, dropped)| format!("{} {}", reason.name().replace('_', " "), count(dropped)))
        .collect();
    if !reasons.is_empty() {
        text += &format!("    dropped: {}\n", reasons.join(", "));
    }
    for (kind, sent) in summary.sent.iter() {
        let share = sent.saturating_mul(1_000_000).checked_div(messages.sent).unwrap_or(0);
        text += &format!("    {:<22}{:>14}  {:>8}\n", kind.name(), count(sent), percent(share));
    }
    text
}

fn faults(plan: &Plan, tallies: &[(u64, u64)]) -> String {
    if plan.faults.is_empty() {
        return String::new();
    }
    let mut text = "\n  faults\n".to_owned();
    for (place, fault) in plan.faults.iter().enumerate() {
        let end = fault.end.map_or("the end".to_owned(), |end| time(end.as_nanos()));
        let begin = time(fault.begin.as_nanos());
        let (exposed, affected) = tallies.get(place).copied().unwrap_or_default();
        text += &format!(
            "    {begin} to {end}: {} ({} met it, {} affected)\n",
            fault.describe,
            exposed_to(fault, exposed),
            count(affected)
        );
    }
    text
}

fn adversaries(plan: &Plan, summary: &Summary) -> String {
    let Some(of) = &summary.adversaries else { return String::new() };
    let mut text = format!("\n  adversaries ({} acts)\n", count(of.acts));
    for adversary in &plan.adversaries {
        let role = &adversary.role;
        let end = role.end.map_or("the end".to_owned(), |end| time(end.as_nanos()));
        let begin = time(role.begin.as_nanos());
        text += &format!("    {begin} to {end}: {}\n", adversary.describe);
    }
    let noticed = &of.noticed;
    let parts = [
        (noticed.proofs, "proof of two blocks", "proofs of two blocks"),
        (noticed.blocks_refused, "block refused", "blocks refused"),
        (noticed.shreds_refused, "shred refused", "shreds refused"),
        (noticed.double_votes, "pair of double votes", "pairs of double votes"),
        (noticed.transactions_refused, "transaction refused", "transactions refused"),
        (noticed.entries_refused, "entry refused", "entries refused"),
        (noticed.addresses_refused, "false address refused", "false addresses refused"),
    ];
    let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, one, more)| many(number, one, more)).collect();
    let noticed = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let caught = many(of.exposed, "node", "nodes");
    text += &format!("    honest nodes noticed: {noticed}; {caught} caught\n");
    text
}

/// What a fault met.
fn exposed_to(fault: &PlannedFault, exposed: u64) -> String {
    let (one, more) = match fault.kind {
        "crash" | "clock" => ("node", "nodes"),
        "churn" => ("absence", "absences"),
        "heal" => ("partition", "partitions"),
        // Messages, alarms and inputs that had to wait.
        "pause" => ("event", "events"),
        _ => ("message", "messages"),
    };
    many(exposed, one, more)
}

/// Nanoseconds as people say them.
fn time(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    match nanoseconds {
        0 => "0 s".into(),
        1..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.1} us", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}

/// Longest description that is printed, in characters.
const LONGEST_DESCRIPTION: usize = 1_000;

/// A count of things.
fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

/// A count with separators between thousands.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(number: u64) -> String {
    let value = number as f64;
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.2} GB", value / 1e9),
    }
}

fn percent(ppm: u64) -> String {
    if ppm == 1_000_000 { "100 %".into() } else { format!("{:.2} %", ppm as f64 / 1e4) }
}
