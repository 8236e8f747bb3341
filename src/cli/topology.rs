//! Command line: `headwater topology`, the overlay as text, DOT and SVG.

use std::path::Path;

use super::{Failure, ScenarioArguments, print};
use crate::base::id::NodeMap;
use crate::scenario::shipped;
use crate::scenario::topology::draw::{Names, describe, to_dot, to_svg};

pub(super) fn topology(
    arguments: &ScenarioArguments,
    output: Option<&Path>,
) -> Result<u8, Failure> {
    let plan = shipped::plan(&arguments.source()?, &arguments.overrides()?)?;
    let labels = NodeMap::build(plan.population.count(), |node| node.to_string());
    let names = Names {
        title: &plan.scenario.name,
        labels: &labels,
        regions: &plan.population.region_of,
        region_names: &plan.population.regions,
    };
    let mut text = describe(&plan.overlay);
    if let Some(folder) = output {
        let write = |name: &str, content: String| {
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(|error| Failure::io("write", &path, &error))
        };
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
        write("topology.dot", to_dot(&plan.overlay, &names))?;
        write("topology.svg", to_svg(&plan.overlay, &names))?;
        let folder = folder.display();
        text += &format!("written: {folder}/topology.dot, {folder}/topology.svg\n");
    } else {
        text += "(--output DIR writes topology.dot and topology.svg)\n";
    }
    print(&text)
}
