//! `--set KEY=VALUE`: single values of a config, changed on the command line.

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

/// Puts `value` at the dotted `key` of `config`, making the tables on the way. A value that is no TOML is taken as a
/// string, so that `model.fusion.kind=concat` needs no quotes.
///
/// # Errors
/// When `assignment` is no `KEY=VALUE`, or a part of the key is a value already.
pub fn set(config: &mut Table, assignment: &str) -> Result<()> {
    let usage = || format!("--set {assignment}: want KEY=VALUE, for instance fusion.learning.epochs=5");
    let (key, value) = assignment.split_once('=').with_context(usage)?;
    let (key, value) = (key.trim(), value.trim());
    let mut path: Vec<&str> = key.split('.').collect();
    if path.iter().any(|part| part.is_empty()) {
        bail!(usage());
    }
    let last = path.pop().with_context(usage)?;
    let mut table = config;
    for part in path {
        let next = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
        table = next.as_table_mut().with_context(|| format!("--set {key}: `{part}` is no table"))?;
    }
    table.insert(last.to_owned(), parse(value));
    Ok(())
}

fn parse(value: &str) -> Value {
    let document = format!("value = {value}").parse::<Table>();
    let parsed = document.ok().filter(|document| document.len() == 1).and_then(|mut d| d.remove("value"));
    parsed.unwrap_or_else(|| Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_where_the_key_says() -> Result<()> {
        let mut config: Table = "[fusion]\npairs = 'p'\n[fusion.learning]\nepochs = 3".parse()?;
        let assignments = [
            "fusion.learning.epochs=5",
            "fusion.learning.ema = 0.99",
            "model.fusion.kind=concat",
            "fusion.learning.freeze=['heads.*', 'a=b']",
            "model.text=../x y.z",
        ];
        for assignment in assignments {
            set(&mut config, assignment)?;
        }
        let expected: Table = "[fusion]\npairs = 'p'\n[fusion.learning]\nepochs = 5\nema = 0.99\n\
            freeze = ['heads.*', 'a=b']\n[model]\ntext = '../x y.z'\n[model.fusion]\nkind = 'concat'"
            .parse()?;
        assert_eq!(config, expected);
        Ok(())
    }

    #[test]
    fn what_is_no_assignment_is_said() {
        let refused = |assignment: &str, word: &str| {
            let mut config: Table = "seed = 3".parse().expect("TOML");
            let error = set(&mut config, assignment).expect_err(assignment).to_string();
            assert!(error.contains(word), "{error}");
        };
        refused("fusion.learning.epochs", "KEY=VALUE");
        refused("=3", "KEY=VALUE");
        refused("a..b=3", "KEY=VALUE");
        refused("seed.of=3", "`seed` is no table");
    }
}
