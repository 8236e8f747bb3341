//! Small scenarios drawn from a seed: any topology, latency, loss, rates, buffers, protocols and
//! faults together, and what their networks cannot do.

use headwater::base::rng::{Purpose, Rng, Seed};

use super::watch::{Limits, Partition};

/// A drawn scenario.
pub(super) struct World {
    pub(super) text: String,
    pub(super) limits: Limits,
}

/// Draws the scenario of a seed.
pub(super) fn world(seed: u64) -> World {
    let rng = Rng::of_cluster(Seed(seed), Purpose::Faults);
    let mut draw = Draw { rng, nodes: 0, text: String::new(), limits: Limits::none(0) };
    draw.nodes = 2 + draw.below(13);
    draw.limits = Limits::none(draw.nodes as usize);
    draw.limits.waiting = false;
    draw.line(&format!("seed = {seed}\nduration = \"3s\""));
    draw.protocols();
    draw.population();
    draw.topology();
    draw.network();
    for _ in 0..1 + draw.below(3) {
        draw.rumors();
    }
    for place in 0..draw.below(6) {
        draw.fault(place as u32);
    }
    World { text: draw.text, limits: draw.limits }
}

struct Draw {
    rng: Rng,
    nodes: u64,
    text: String,
    limits: Limits,
}

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.rng.index(list.len())]
    }

    fn line(&mut self, text: &str) {
        self.text += text;
        self.text.push('\n');
    }

    /// The line, once in so many times.
    fn perhaps(&mut self, count: u64, text: &str) {
        if self.one_in(count) {
            self.line(text);
        }
    }

    fn protocols(&mut self) {
        if self.one_in(2) {
            let style = self.pick(&["push", "pull", "push-pull", "forward-once"]);
            let phase = self.pick(&["random", "aligned"]);
            self.line(&format!(
                "[gossip]\nstyle = \"{style}\"\nphase = \"{phase}\"\ninterval = \"150ms\"\nfanout = 2"
            ));
            self.perhaps(2, "refresh = \"400ms\"");
        }
        if self.one_in(3) {
            self.line(
                "[discovery]\nenabled = true\nrequest_interval = \"500ms\"\nattempts = 1\n\
                 ping_interval = \"300ms\"\ntimeout = \"200ms\"\nretry_initial = \"100ms\"",
            );
            self.perhaps(2, "bootstrap = 0");
        }
        if self.one_in(4) {
            self.limits.waiting = true;
            self.line("[cost]\nmessage = \"900us\"\nkilobyte = \"100us\"");
        }
        self.perhaps(4, "[limits]\ninbox = 3");
    }

    /// The table of nodes; all stand in cities of two regions.
    fn population(&mut self) {
        let nodes = self.nodes;
        self.line(&format!("[nodes]\ncount = {nodes}"));
        if nodes > 4 && self.one_in(3) {
            self.line("observers = 2");
        }
        self.perhaps(3, "stake = { kind = \"pareto\", min = 100, exponent = 1.1 }");
        self.perhaps(4, "stagger = \"20ms\"");
        self.perhaps(4, "connect = \"100ms\"");
        self.line(
            "placement = { kind = \"cities\", cities = [\"Frankfurt\", \"Tokyo\", \"Paris\"] }",
        );
        if self.one_in(3) {
            let first = self.below(nodes);
            let rate = self.rate();
            let range = first as usize..nodes as usize;
            self.limits.uplinks[range].fill(Some(rate));
            self.line(&format!(
                "[[nodes.class]]\nnodes = \"{first}..{nodes}\"\nuplink = \"{rate}bit/s\""
            ));
        }
    }

    fn rate(&mut self) -> u64 {
        [300_000, 1_000_000, 7_000_001, 50_000_000][self.rng.index(4)]
    }

    fn topology(&mut self) {
        let (nodes, center) = (self.nodes, self.below(self.nodes));
        let ends: Vec<[u64; 2]> = (0..2 * nodes)
            .map(|_| [self.below(nodes), self.below(nodes)])
            .filter(|[a, b]| a != b)
            .collect();
        let kinds = [
            "kind = \"complete\"".to_owned(),
            "kind = \"line\"".to_owned(),
            format!("kind = \"star\"\ncenter = {center}"),
            "kind = \"grid\"".to_owned(),
            "kind = \"tree\"\narity = 3".to_owned(),
            "kind = \"erdos-renyi\"\nprobability = \"40%\"".to_owned(),
            "kind = \"barabasi-albert\"\nattach = 1".to_owned(),
            "kind = \"regions\"\nbridges = 2".to_owned(),
            format!("kind = \"k-out\"\ndegree = {}", 1 + (nodes - 1) / 2),
            format!("kind = \"edges\"\ndirected = true\nlist = {ends:?}"),
            "kind = \"ring\"".to_owned(),
            "kind = \"random-regular\"\ndegree = 2".to_owned(),
            "kind = \"watts-strogatz\"\ndegree = 2\nrewire = \"30%\"".to_owned(),
        ];
        // The last ones need more than two nodes.
        let choices = if nodes > 3 { kinds.len() } else { kinds.len() - 3 };
        let kind = kinds[self.rng.index(choices)].clone();
        self.line(&format!("[topology]\n{kind}\nallow_disconnected = true"));
        self.limits.latency = u64::MAX;
        if self.one_in(4) {
            let ms = self.below(60);
            self.at_least(ms * 1_000_000);
            self.line(&format!("latency = \"{ms}ms\""));
        }
        self.perhaps(4, "rate = \"2Mbit/s\"");
    }

    /// Some link may be as fast as this.
    fn at_least(&mut self, nanos: u64) {
        self.limits.latency = self.limits.latency.min(nanos);
    }

    /// A distribution as TOML; its shortest length is noted.
    fn latency(&mut self) -> String {
        let ms = 1 + self.below(120);
        let (text, shortest) = match self.below(6) {
            0 => (format!("\"{ms}ms\""), ms),
            1 => {
                (format!("{{ kind = \"uniform\", min = \"{ms}ms\", max = \"{}ms\" }}", 3 * ms), ms)
            }
            2 => (format!("{{ kind = \"pareto\", min = \"{ms}ms\", exponent = 1.5 }}"), ms),
            3 => (format!("{{ kind = \"normal\", mean = \"{ms}ms\", deviation = \"{ms}ms\" }}"), 0),
            4 => (format!("{{ kind = \"log-normal\", median = \"{ms}ms\", sigma = 0.9 }}"), 0),
            _ => (format!("{{ kind = \"exponential\", mean = \"{ms}ms\" }}"), 0),
        };
        self.at_least(shortest * 1_000_000);
        text
    }

    fn network(&mut self) {
        self.line("[network]");
        if self.one_in(5) {
            // Half of the access time is the least.
            self.at_least(3_150_000);
            self.line("geography = {}");
        } else {
            let latency = self.latency();
            let per = self.pick(&["link", "message"]);
            self.line(&format!("latency = {latency}\nlatency_per = \"{per}\""));
        }
        self.perhaps(3, "jitter = { kind = \"exponential\", mean = \"9ms\" }");
        let loss = self.pick(&["0", "\"4%\"", "{ good_to_bad = \"5%\", bad_to_good = \"30%\" }"]);
        self.line(&format!("loss = {loss}"));
        self.perhaps(3, "duplicate = \"5%\"");
        self.perhaps(3, "corrupt = \"3%\"");
        self.perhaps(3, "in_order = true");
        self.perhaps(3, "header = \"46B\"");
        self.perhaps(5, "message_limit = \"2kB\"");
        self.perhaps(3, "link_buffer = 2");
        if self.one_in(2) {
            let pipe = self.pipe();
            self.line(&format!("uplink = {}", pipe.0));
            let own = self.limits.uplinks.iter_mut();
            own.for_each(|rate| *rate = rate.or(Some(pipe.1)));
        }
        if self.one_in(3) {
            let pipe = self.pipe();
            self.line(&format!("downlink = {}", pipe.0));
            self.limits.downlinks.fill(Some(pipe.1));
            self.limits.waiting = true;
        }
        if self.one_in(3) {
            let (from, to, latency) = (self.selector(), self.selector(), self.latency());
            let link = format!("from = {from}\nto = {to}\nlatency = {latency}\nloss = \"9%\"");
            self.line(&format!("[[network.link]]\n{link}"));
        }
    }

    /// An uplink or downlink, and its rate.
    fn pipe(&mut self) -> (String, u64) {
        let rate = self.rate();
        let buffer = self.pick(&["\"64MiB\"", "\"6KiB\"", "4", "0"]);
        (format!("{{ rate = \"{rate}bit/s\", buffer = {buffer} }}"), rate)
    }

    /// Some nodes.
    fn selector(&mut self) -> String {
        let nodes = self.nodes;
        let first = self.below(nodes);
        match self.below(5) {
            0 => "\"all\"".into(),
            1 => first.to_string(),
            2 => format!("\"{first}..{nodes}\""),
            3 => "\"random:50%\"".into(),
            _ => "\"validators\"".into(),
        }
    }

    fn rumors(&mut self) {
        let style =
            self.pick(&["flood", "forward-once", "push", "pull", "push-pull", "direct", "direct"]);
        let (at, size) = (self.below(1_500), 1 + self.below(4_000));
        self.line(&format!(
            "[[rumors]]\nspread = \"{style}\"\nat = \"{at}ms\"\nsize = \"{size}B\""
        ));
        if style == "direct" {
            let last = self.nodes;
            self.line(&format!("node = 0\nto = \"1..{last}\""));
        } else {
            self.line("node = \"all\"\ninterval = \"170ms\"\nfanout = 1");
            self.perhaps(3, "echo = true");
            self.perhaps(3, "choose_from = \"membership\"");
            self.perhaps(3, "rounds = 3");
        }
        let when = self.pick(&["per_second = 15.0", "every = \"60ms\"", "count = 25"]);
        self.line(when);
    }

    fn fault(&mut self, place: u32) {
        let at = self.below(2_500);
        self.line(&format!("[[faults]]\nat = \"{at}ms\"\nmay_miss = true"));
        let lasting = 1 + self.below(1_500);
        let kind = self.below(13);
        if kind != 1 && !self.one_in(5) {
            self.line(&format!("for = \"{lasting}ms\""));
        }
        let (some, others) = (self.selector(), self.selector());
        let paths = format!("from = {some}\nto = {others}");
        let text = match kind {
            0 => self.partition(place),
            1 => "kind = \"heal\"".into(),
            2 => format!("kind = \"loss\"\n{paths}\nprobability = \"40%\""),
            3 => format!("kind = \"delay\"\n{paths}\nextra = {}", self.extra()),
            4 => format!("kind = \"duplicate\"\n{paths}\nprobability = \"30%\""),
            5 => format!("kind = \"throttle\"\n{paths}\nrate = \"300kbit/s\"\nbuffer = 3"),
            6 => format!("kind = \"crash\"\nnodes = {some}"),
            7 => format!("kind = \"crash\"\nnodes = {some}\nmemory = \"lost\""),
            8 => {
                format!("kind = \"churn\"\nnodes = {some}\nevery = \"90ms\"\ndowntime = \"150ms\"")
            }
            9 => format!("kind = \"mute\"\nnodes = {some}"),
            10 => format!("kind = \"deaf\"\nnodes = {some}"),
            11 => format!("kind = \"clock\"\nnodes = {some}\nahead = \"70ms\"\ndrift_ppm = -900"),
            _ => {
                self.limits.waiting = true;
                let slow = format!("kind = \"slow\"\nnodes = {some}\nper_message = \"3ms\"");
                let pause = format!("kind = \"pause\"\nnodes = {some}");
                if self.one_in(2) { slow } else { pause }
            }
        };
        self.line(&text);
    }

    /// A distribution that lengthens latencies and cannot shorten them.
    fn extra(&mut self) -> String {
        let latency = self.limits.latency;
        let extra = self.latency();
        self.limits.latency = latency;
        extra
    }

    /// A partition: one group against the rest, two that share nodes, three, or a one-way one.
    fn partition(&mut self, fault: u32) -> String {
        let nodes = self.nodes;
        let cut = 1 + self.below(nodes - 1);
        let (mut one_way, mut groups) = (false, vec![(0, cut), (cut, nodes)]);
        match self.below(4) {
            // One node stands on both sides; not where that would leave nobody cut off.
            0 if cut > 1 => groups = vec![(0, cut), (cut - 1, nodes)],
            1 => groups = (0..nodes).map(|node| (node, node + 1)).collect(),
            2 => one_way = true,
            _ => {}
        }
        let mut masks = vec![0; nodes as usize];
        for (bit, &(first, end)) in groups.iter().enumerate() {
            masks[first as usize..end as usize].iter_mut().for_each(|mask| *mask |= 1 << bit);
        }
        let texts: Vec<String> =
            groups.iter().map(|(first, end)| format!("{first}..{end}")).collect();
        self.limits.partitions.push(Partition { fault, masks, one_way });
        format!("kind = \"partition\"\ngroups = {texts:?}\none_way = {one_way}")
    }
}
