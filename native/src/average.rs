//! `mixed-feelings average`: the mean of the weights of several checkpoints. Runs that began at the same base weights and saw
//! other data, or the same in another order, mostly lie in one valley: their mean is as fast as one of them and often better than
//! each (model soups, Wortsman et al. 2022).

use std::{collections::HashMap, io::Write, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};

use crate::{checkpoint::Checkpoint, outputs, stdout::stdout};

/// Averages the weights of checkpoints of the same model.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The checkpoints: folders. One that is given twice counts twice.
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    checkpoints: Vec<PathBuf>,
    /// The folder for the averaged checkpoint.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings average runs/a/checkpoint runs/b/checkpoint --out runs/mean
  mixed-feelings eval --checkpoint runs/mean --texts tweets.tsv";

/// Runs the subcommand.
///
/// # Errors
/// When a checkpoint cannot be read, or is of another model than the first.
pub fn run(args: Args) -> Result<()> {
    outputs::check_folder("--out", Some(&args.out))?;
    let mut checkpoints = Vec::new();
    for path in &args.checkpoints {
        checkpoints.push((path.display().to_string(), Checkpoint::load(path, &Device::Cpu)?));
    }
    average(checkpoints)?.save(&args.out)?;
    let count = args.checkpoints.len();
    Ok(writeln!(stdout(), "{}: the mean of {count} checkpoints", args.out.display())?)
}

/// The mean of named checkpoints.
fn average(checkpoints: Vec<(String, Checkpoint)>) -> Result<Checkpoint> {
    let count = checkpoints.len() as f64;
    let mut checkpoints = checkpoints.into_iter();
    let Some((first, mut mean)) = checkpoints.next() else { bail!("there is no checkpoint to average") };
    for (name, other) in checkpoints {
        let alike = |what, alike| {
            ensure!(
                alike,
                "checkpoint {name}: its {what} is not that of {first}; only runs of one model can be averaged"
            );
            Ok(())
        };
        alike("config.json", other.config == mean.config)?;
        alike("tokenizer.json", other.tokenizer == mean.tokenizer)?;
        alike("number of tensors", other.tensors.len() == mean.tensors.len())?;
        for (tensor, sum) in &mut mean.tensors {
            let more = other
                .tensors
                .get(tensor)
                .with_context(|| format!("checkpoint {name} has no tensor {tensor}"))?;
            *sum = (&*sum + more).with_context(|| format!("checkpoint {name}, tensor {tensor}"))?;
        }
    }
    let divided = |(name, sum): (String, Tensor)| Ok((name, (sum / count)?));
    mean.tensors = mean.tensors.into_iter().map(divided).collect::<Result<HashMap<_, _>>>()?;
    Ok(mean)
}

#[cfg(test)]
mod tests {
    use mixed_feelings::testing::tiny_config;

    use super::*;

    fn checkpoint(values: &[f32]) -> (String, Checkpoint) {
        let tensor = Tensor::new(values, &Device::Cpu).unwrap();
        let tensors = HashMap::from([("heads.text.bias".to_owned(), tensor)]);
        ("one".into(), Checkpoint { config: tiny_config(), tokenizer: "{}".into(), tensors })
    }

    #[test]
    fn one_that_is_given_twice_counts_twice() {
        let checkpoints = vec![checkpoint(&[0.0, 3.0]), checkpoint(&[3.0, 0.0]), checkpoint(&[3.0, 0.0])];
        let mean = average(checkpoints).unwrap();
        assert_eq!(mean.tensors["heads.text.bias"].to_vec1::<f32>().unwrap(), [2.0, 1.0]);
    }

    #[test]
    fn another_model_is_refused() {
        let refused = |change: &dyn Fn(&mut Checkpoint)| {
            let (_, mut other) = checkpoint(&[1.0, 2.0]);
            change(&mut other);
            format!("{:#}", average(vec![checkpoint(&[1.0, 2.0]), ("two".into(), other)]).unwrap_err())
        };
        for (change, said) in [
            (
                &(|c: &mut Checkpoint| c.config.max_tokens += 1) as &dyn Fn(&mut Checkpoint),
                "checkpoint two: its config.json",
            ),
            (&|c| c.tokenizer.push(' '), "its tokenizer.json"),
            (&|c| c.tensors.clear(), "its number of tensors"),
            (&|c| *c = checkpoint(&[1.0]).1, "checkpoint two, tensor heads.text.bias"),
        ] {
            let error = refused(change);
            assert!(error.contains(said), "{error}");
        }
    }
}
