//! Runs every target over the inputs that fuzzing kept: `tests/fuzz/corpus/TARGET`.

use std::{error::Error, fs, panic, path::Path};

use mixed_feelings_fuzz_targets::TARGETS;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Takes the whole folder of a target and names the inputs that break a promise.
fn replay(target: &str) -> Result {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).ok_or("there is no such target")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let (mut count, mut broken) = (0, Vec::new());
    for entry in fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        count += 1;
        if panic::catch_unwind(|| run(&bytes)).is_err() {
            broken.push(path);
        }
    }
    println!("{target}: {count} inputs");
    assert!(count > 0, "{} is empty", folder.display());
    assert!(broken.is_empty(), "{target} breaks a promise on {broken:#?}");
    Ok(())
}

/// A test for each target, so that they run beside each other.
macro_rules! targets {
    ($($(#[$condition:meta])* $target:ident)*) => {
        $($(#[$condition])* #[test] fn $target() -> Result { replay(stringify!($target)) })*

        #[test]
        fn each_target_is_replayed() {
            let names = [$($(#[$condition])* stringify!($target)),*];
            assert_eq!(TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
        }
    };
}

targets! { bundle config image instruction_sets profile #[cfg(feature = "native")] table text tokenizer_json }
