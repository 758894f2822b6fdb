//! `cargo bench-web`: how fast the project is beside other runtimes. See the README beside `src/`.

mod bars;
mod browser;
mod cases;
mod chart;
mod facade;
mod machine;
mod measured;
mod models;
mod native;
mod options;
mod prepare;
mod questions;
mod stats;
mod table;
mod turns;
mod webgpu;

use std::fs;

use anyhow::{Context, Result};
use clap::Parser;
use machine::Machine;
use measured::Engine;
use options::{Arguments, Options};
use prepare::Places;
use serde_json::json;

fn main() -> Result<()> {
    let Some(options) = Arguments::parse().options()? else { return Ok(()) };
    let places = Places::find()?;
    let machine = Machine::here();
    let engines = measure(&places, &options)?;
    report(&places, &options, &machine, &engines)
}

fn measure(places: &Places, options: &Options) -> Result<Vec<Engine>> {
    let mut engines = Vec::new();
    if !options.browsers.is_empty() {
        prepare::packages(places)?;
        if options.build {
            prepare::programs(places)?;
        }
    }
    for &browser in &options.browsers {
        match browser.find()? {
            Some(program) => engines.push(browser::measure(places, options, browser, &program)?),
            None => eprintln!(
                "no {0} here, so nothing is measured in it: install it, or set {1} to one",
                browser.name(),
                browser.name().to_uppercase()
            ),
        }
    }
    if options.native {
        engines.push(native::measure(places, options)?);
    }
    Ok(engines)
}

fn report(places: &Places, options: &Options, machine: &Machine, engines: &[Engine]) -> Result<()> {
    let bars = bars::bars(engines);
    println!("{}, {} threads, {}, {}\n", machine.processor, machine.threads, machine.system, machine.date);
    for engine in engines {
        println!("{} ({}), one thread\n", engine.name, engine.version);
        if !engine.outcomes.is_empty() {
            println!("{}\n{}{}", table::of_engine(engine), table::peaks(engine), table::agreement(engine));
        }
        if let Some(soak) = &engine.soak {
            println!("{}", facade::of_soak(soak));
        }
        if let Some(load) = &engine.load {
            println!("{}", facade::of_load(load));
        }
        if let Some(batch) = &engine.batch {
            println!("{}", facade::of_batch(batch));
        }
        if let Some(starts) = &engine.starts {
            println!("{}", facade::of_starts(starts));
        }
        if let Some(parts) = &engine.webgpu {
            parts.iter().for_each(|part| println!("{}", webgpu::of_part(part)));
        }
    }
    if !bars.is_empty() {
        println!("{}", table::of_bars(&bars));
    }
    let json = options.json.clone().unwrap_or_else(|| places.made.join("report.json"));
    let all = json!({ "machine": machine, "engines": engines, "bars": bars });
    fs::write(&json, serde_json::to_string_pretty(&all)?).with_context(|| json.display().to_string())?;
    let svg = options.svg.clone().unwrap_or_else(|| places.made.join("report.svg"));
    fs::write(&svg, chart::svg(machine, engines)).with_context(|| svg.display().to_string())?;
    eprintln!("{}\n{}", json.display(), svg.display());
    Ok(())
}
