//! Kernel layer: models of message loss on a link.

use std::collections::BTreeMap;

use super::link::Passage;
use crate::base::id::NodeId;
use crate::base::quantity::Chance;
use crate::base::weather::Weather;

/// Gilbert-Elliott parameters (Gilbert 1960, Elliott 1963): a link is good or bad, takes one step
/// for each message, and loses messages with a probability of its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GilbertElliott {
    /// Probability of a step from good to bad.
    pub good_to_bad: Chance,
    /// Probability of a step from bad to good.
    pub bad_to_good: Chance,
    /// Loss while good.
    pub loss_good: Chance,
    /// Loss while bad.
    pub loss_bad: Chance,
}

/// How a link loses messages.
#[derive(Clone, Debug)]
pub enum Loss {
    /// It does not.
    None,
    /// Each message by itself.
    Independent(Chance),
    /// In bursts.
    GilbertElliott(GilbertElliott),
    /// A model of one's own: a pure function of the passage.
    Function(fn(&Passage) -> bool),
}

/// State of the links that lose in bursts; other links need none.
#[derive(Clone, Debug, Default)]
pub(super) struct BurstStates(BTreeMap<(NodeId, NodeId), Burst>);

#[derive(Clone, Copy, Debug)]
struct Burst {
    bad: bool,
    steps: u64,
}

impl BurstStates {
    /// Steps the link's chain for one message and says whether the message is lost. A chain starts
    /// in its stationary state.
    pub(super) fn lose(
        &mut self,
        model: &GilbertElliott,
        steps: Weather,
        losses: Weather,
        passage: &Passage,
    ) -> bool {
        let (from, to) = (passage.from, passage.to);
        // All draws of a chain are keyed by the link and the number of its step, not by the
        // message: kind 0 is the start, kind 1 the steps and losses.
        let burst = self.0.entry((from, to)).or_insert_with(|| {
            let draw = steps.draw(from, to, 0, 0);
            Burst { bad: stationary_bad(model).hit(draw), steps: 0 }
        });
        let change = if burst.bad { model.bad_to_good } else { model.good_to_bad };
        // The message meets the state, then the chain steps: the first one meets the stationary
        // state itself.
        let loss = if burst.bad { model.loss_bad } else { model.loss_good };
        let lost = loss.hit(losses.draw(from, to, 1, burst.steps));
        if change.hit(steps.draw(from, to, 1, burst.steps)) {
            burst.bad = !burst.bad;
        }
        burst.steps += 1;
        lost
    }
}

/// Share of time in the bad state: `a / (a + r)`; a chain that never moves starts good.
fn stationary_bad(model: &GilbertElliott) -> Chance {
    let (a, r) = (u64::from(model.good_to_bad.ppb()), u64::from(model.bad_to_good.ppb()));
    let parts = (a * 1_000_000_000).checked_div(a + r).unwrap_or(0);
    u32::try_from(parts).ok().and_then(Chance::from_ppb).unwrap_or(Chance::ALWAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Seed};
    use crate::base::time::Time;
    use crate::fact::MessageKind;

    fn chance(text: &str) -> Chance {
        text.parse().expect("a probability")
    }

    #[test]
    fn bursts_lose_the_stationary_share_and_have_the_mean_length_of_the_law() {
        // Law 7 with a = 2 %, r = 25 %, e_G = 0, e_B = 1: pi_B = 2/27 = 7.407 %, mean burst 4.
        let model = GilbertElliott {
            good_to_bad: chance("2%"),
            bad_to_good: chance("25%"),
            loss_good: Chance::NEVER,
            loss_bad: Chance::ALWAYS,
        };
        let steps = Weather::new(Seed(5), Purpose::LossState);
        let losses = Weather::new(Seed(5), Purpose::Loss);
        let mut states = BurstStates::default();
        let passage = Passage {
            at: Time::ZERO,
            from: NodeId::new(0),
            to: NodeId::new(1),
            kind: MessageKind::Rumor,
            size: 1,
            serial: 0,
            content: 0,
        };
        let count = 400_000;
        let lost: Vec<bool> =
            (0..count).map(|_| states.lose(&model, steps, losses, &passage)).collect();
        let total = lost.iter().filter(|&&lost| lost).count();
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        // The number of bursts in n messages has mean n * pi_G * a = 7,407 and a deviation below
        // its root, 86; six deviations are 516. Lengths are geometric (mean 4, deviation 3.46):
        // the mean of 7,407 has deviation 0.040; six are 0.24. Together 7 % on the loss rate.
        assert!(bursts.abs_diff(7_407) < 516, "{bursts} bursts");
        let mean = total as f64 / bursts as f64;
        assert!((mean - 4.0).abs() < 0.24, "mean burst {mean}");
        let rate = total as f64 / f64::from(count);
        assert!((rate - 2.0 / 27.0).abs() < 0.074 * 0.09, "loss rate {rate}");
    }

    #[test]
    fn chains_start_in_their_stationary_state() {
        // pi_B = 40 / (40 + 10) = 80 %: of 2,000 links, 1,600 lose their first message, with a
        // deviation of 18; six deviations are 108.
        let model = GilbertElliott {
            good_to_bad: chance("40%"),
            bad_to_good: chance("10%"),
            loss_good: Chance::NEVER,
            loss_bad: Chance::ALWAYS,
        };
        let steps = Weather::new(Seed(1), Purpose::LossState);
        let losses = Weather::new(Seed(1), Purpose::Loss);
        let mut states = BurstStates::default();
        let lost = (0..2_000).filter(|&to| {
            let passage = Passage {
                at: Time::ZERO,
                from: NodeId::new(0),
                to: NodeId::new(to),
                kind: MessageKind::Rumor,
                size: 1,
                serial: 0,
                content: 0,
            };
            states.lose(&model, steps, losses, &passage)
        });
        let lost = lost.count();
        assert!(lost.abs_diff(1_600) < 108, "{lost}");
    }
}
