//! Law 7: Gilbert-Elliott loss has the rate pi_G e_G + pi_B e_B with pi_B = a / (a + r), and bursts
//! of mean length 1 / r if the bad state loses everything and the good one nothing.

use headwater::fact::DropReason;
use headwater::metrics::DELIVERIES;

use super::{assert_near, scenario};
use crate::support::{plan, ran_keeping};

const MESSAGES: usize = 200_000;

/// Which of a constant stream of direct rumors were lost.
fn lost(loss: &str, seed: u64) -> Vec<bool> {
    let body = format!(
        "[network]\nloss = {loss}\nlatency = \"1ms\"\n\
         [[rumors]]\nspread = \"direct\"\nto = 1\nevery = \"1ms\"\ncount = {MESSAGES}"
    );
    let ran = ran_keeping(&plan(&scenario(3, "300s", seed, &body)), &[&DELIVERIES]);
    let mut lost = vec![true; MESSAGES];
    ran.integers(&DELIVERIES, "rumor").iter().for_each(|&rumor| lost[rumor as usize] = false);
    let count = lost.iter().filter(|lost| **lost).count() as u64;
    assert_eq!(ran.0.summary.dropped.of(DropReason::Loss), count, "{loss}");
    lost
}

fn share(list: &[bool]) -> f64 {
    list.iter().filter(|hit| **hit).count() as f64 / list.len() as f64
}

#[test]
fn bursts_have_the_loss_rate_of_the_stationary_chain() {
    // (a, r, e_G, e_B) and pi_G e_G + pi_B e_B by hand: 0.02 / 0.27; 0.1 / 0.5 * 0.5 + 0.8 * 0.01;
    // 0.3 / 0.4; 0.001 / 0.051 * 0.7 + 0.02 * 50 / 51.
    for (seed, (a, r, good, bad, rate)) in (1..).zip([
        (0.02, 0.25, 0.0, 1.0, 0.074_074),
        (0.1, 0.4, 0.01, 0.5, 0.108),
        (0.3, 0.1, 0.0, 1.0, 0.75),
        (0.001, 0.05, 0.02, 0.7, 0.033_333),
    ]) {
        let loss = format!(
            "{{ good_to_bad = {a}, bad_to_good = {r}, loss_good = {good:?}, loss_bad = {bad:?} }}"
        );
        let share_bad = a / (a + r);
        assert_near("by hand", (1.0 - share_bad) * good + share_bad * bad, rate, 1e-6);
        // The state forgets by a factor q = 1 - a - r per message, so n times the variance of the
        // mean is rate (1 - rate) + 2 (e_B - e_G)^2 pi_B pi_G q / (1 - q).
        let q: f64 = 1.0 - a - r;
        let spread = (bad - good) * (bad - good) * share_bad * (1.0 - share_bad);
        let variance = rate * (1.0 - rate) + 2.0 * spread * q / (1.0 - q);
        let error = (variance / MESSAGES as f64).sqrt();
        assert_near(&loss, share(&lost(&loss, seed)), rate, 6.0 * error);
    }
}

#[test]
fn bursts_of_total_loss_have_a_mean_length_of_one_over_r() {
    for (seed, (a, r)) in (11..).zip([(0.02, 0.25), (0.01, 0.1), (0.05, 0.8)]) {
        let lost = lost(&format!("{{ good_to_bad = {a}, bad_to_good = {r} }}"), seed);
        // A burst that is cut off at either end of the run is one of thousands.
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        let length = lost.iter().filter(|lost| **lost).count() as f64 / bursts;
        // Lengths are geometric: deviation sqrt(1 - r) / r.
        let error = libm::sqrt(1.0 - r) / r / bursts.sqrt();
        assert_near(&format!("mean burst of r = {r}"), length, 1.0 / r, 6.0 * error);
        // After a loss the next message is lost with probability 1 - r, after none with a.
        let next = |after: bool| {
            let pairs: Vec<bool> =
                lost.windows(2).filter(|p| p[0] == after).map(|pair| pair[1]).collect();
            (share(&pairs), (share(&pairs) * (1.0 - share(&pairs)) / pairs.len() as f64).sqrt())
        };
        let ((good, good_error), (bad, bad_error)) = (next(false), next(true));
        assert_near("loss after none", good, a, 6.0 * good_error);
        assert_near("loss after a loss", bad, 1.0 - r, 6.0 * bad_error);
    }
}

#[test]
fn independent_loss_has_its_rate_and_no_memory() {
    let lost = lost("\"7%\"", 21);
    let error = (0.07 * 0.93 / MESSAGES as f64).sqrt();
    assert_near("loss rate", share(&lost), 0.07, 6.0 * error);
    let after: Vec<bool> = lost.windows(2).filter(|pair| pair[0]).map(|pair| pair[1]).collect();
    let error = (0.07 * 0.93 / after.len() as f64).sqrt();
    assert_near("loss after a loss", share(&after), 0.07, 6.0 * error);
}
