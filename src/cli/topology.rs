//! Command line: `headwater topology`, the overlay as text, DOT and SVG.

use std::path::Path;

use super::{Failure, ScenarioArguments, print};
use crate::base::id::NodeMap;
use crate::scenario::shipped;
use crate::scenario::topology::draw::{Names, describe, to_dot, to_svg};

pub(super) fn topology(
    arguments: &ScenarioArguments,
    output: Option<&Path>,
    force: bool,
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
        let drawings = [
            (folder.join("topology.dot"), to_dot(&plan.overlay, &names)),
            (folder.join("topology.svg"), to_svg(&plan.overlay, &names)),
        ];
        let taken = drawings.iter().find(|(path, _)| path.exists());
        if let Some((path, _)) = taken.filter(|_| !force) {
            let path = path.display();
            return Err(Failure::usage(format!("{path} exists already; --force replaces it")));
        }
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
        for (path, content) in drawings {
            let written = std::fs::write(&path, content);
            written.map_err(|error| Failure::io("write", &path, &error))?;
        }
        let folder = folder.display();
        text += &format!("written: {folder}/topology.dot, {folder}/topology.svg\n");
    } else {
        text += "(--output DIR writes topology.dot and topology.svg)\n";
    }
    print(&text)
}
