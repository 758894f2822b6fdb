//! `learn` and `predict --profile`, on the real program and a tiny bundle.

mod common;

use std::{error::Error, fs};

use common::{run, world::World};
use mixed_feelings::testing::{random_bundle, tiny_config, tiny_tokenizer};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const TABLE: &str = "label\ttext\nnegative\tsad rain\nnegative\tthe sad rain\nnegative\ti hate rain\npositive\thappy sun\n\
                     positive\tlove the happy sun\npositive\ti love the sun\nneutral\ta b c\nneutral\td e f\nneutral\tx y z\n";

#[test]
fn a_profile_is_learned_and_goes_on_and_a_wrong_one_is_refused() -> Result {
    let world = World::new();
    let path = |name: &str| world.path(name).display().to_string();
    world.write("a.safetensors", random_bundle(&tiny_config(), &tiny_tokenizer(), 1)?);
    world.write("b.safetensors", random_bundle(&tiny_config(), &tiny_tokenizer(), 2)?);
    world.write("posts.tsv", TABLE);
    let (a, b, posts, mine) =
        (path("a.safetensors"), path("b.safetensors"), path("posts.tsv"), path("mine.profile"));

    let told = run(["learn", &posts, "--bundle", &a, "--out", &mine]).ok();
    assert!(told.contains("text head: 9 examples"), "{told}");
    let predict = |more: &[&str]| {
        let words = ["predict", "--text", "love the happy sun", "--json", "--bundle"];
        run(words.iter().chain(more))
    };
    let (shipped, taught) = (predict(&[&a]).ok(), predict(&[&a, "--profile", &mine]).ok());
    assert_ne!(shipped, taught);
    predict(&[&b, "--profile", &mine]).refused(&["mine.profile", "another bundle"]);
    world.write("cut.profile", &fs::read(&mine)?[..70]);
    predict(&[&a, "--profile", &path("cut.profile")]).refused(&["cut.profile", "damaged"]);

    world.write("odd.tsv", "label\ttext\nfurious\tsad rain\n");
    let odd = path("odd.tsv");
    run(["learn", &odd, "--bundle", &a, "--out", &mine]).refused(&["odd.tsv line 2", "`furious`"]);
    world.write("empty.tsv", "label\ttext\n");
    run(["learn", &path("empty.tsv"), "--bundle", &a, "--out", &mine]).refused(&["empty.tsv", "no examples"]);

    let simulated =
        run(["learn", &posts, "--bundle", &a, "--simulate", "2", "--draws", "3", "--home", &posts]).ok();
    assert!(simulated.contains("3 draws of 2 examples") && simulated.lines().count() == 4, "{simulated}");
    run(["learn", &posts, "--bundle", &a, "--simulate", "3"]).refused(&[&posts, "3 rows of `"]);
    Ok(())
}
