//! The image stage on pairs and rated photos: kept values of the frozen layers, and what it leaves for another
//! training. Red photos are unpleasant, green ones pleasant.

mod common;

use std::{collections::HashMap, fs};

use candle_core::{DType, Device, Tensor, safetensors};
use common::{
    run,
    world::{World, bmp},
};

/// Twelve photos of three shades each, pairs and ratings over them.
fn world() -> World {
    let world = World::new().with_checkpoint();
    let labels = ["negative", "neutral", "positive"];
    let mut pairs =
        "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tdup_group\tsplit\n".to_owned();
    let mut ratings = "id\timage\ttheme\tvalence\tvalence_sd\n".to_owned();
    for i in 0..24u8 {
        let shade = [[200, 30, 30], [120, 120, 120], [30, 190, 60]][usize::from(i % 3)];
        let file = bmp(24, 20, |x, y| shade.map(|level| level + (x * 3 + y * 5 + i) % 9));
        world.write(&format!("images/{i}.bmp"), file);
        let label = labels[usize::from(i % 3)];
        let split = if i < 18 { "train" } else { "val" };
        pairs +=
            &format!("p{i}\timages/{i}.bmp\ta day\tneutral\t{label}\t{label}\tone_neutral\tg{i}\t{split}\n")
                .replace("neutral\tneutral\tneutral\tone_neutral", "neutral\tneutral\tneutral\tagree");
        ratings += &format!("r{i}\timages/{i}.bmp\ttheme {}\t{}\t0.9\n", i / 3, 2 + 2 * (i % 3));
    }
    world.write("pairs.tsv", pairs);
    world.write("ratings.tsv", ratings);
    world.write(
        "train.toml",
            "seed = 3\nout = 'run'\n[model]\nfrom = 'checkpoint'\nfusion = { width = 16, heads = 2 }\n\
             [image]\npairs = 'pairs.tsv'\naugment = true\nviews = 2\n\
             valence = { file = 'ratings.tsv', penalty = 1 }\nhead_penalty = 10\n\
             [image.learning]\nepochs = 2\nbatch_size = 8\nlearning_rate = 1e-2\nkeep = 'last'\n\
             freeze = ['image.conv_stem.*', 'image.blocks.0.*', 'image.blocks.1.*', 'image.*bn*']\n\
             [fusion]\npairs = 'pairs.tsv'\n\
             [fusion.learning]\nepochs = 1\nbatch_size = 8\nlearning_rate = 1e-3\nfreeze = ['heads.image.*']\n",
    );
    world
}

fn lines(world: &World, out: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(world.path(&format!("{out}/metrics.jsonl"))).expect("metrics");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn train(world: &World, more: &[&str]) {
    let config = world.path("train.toml");
    let arguments: Vec<&str> =
        ["train", config.to_str().expect("UTF-8")].iter().chain(more).copied().collect();
    run(&arguments).ok();
}

#[test]
fn another_training_takes_what_the_stage_left() {
    let world = world();
    train(&world, &[]);
    let lines = lines(&world, "run");
    let of = |stage: &str| lines.iter().filter(|line| line["stage"] == stage).count();
    assert_eq!((of("image"), of("fusion")), (2, 1));
    let image = lines.iter().rfind(|line| line["stage"] == "image").expect("an epoch");
    let spearman = image["val"]["valence_spearman"].as_f64().expect("themes are held out");
    assert!((-1.0..=1.0).contains(&spearman));

    // Another training takes it as it is: the same heads, and no epoch of the image stage.
    let from = format!("image.from={}", world.path("run/image.safetensors").display());
    let out = world.path("again");
    train(&world, &["--set", &from, "--out", out.to_str().expect("UTF-8")]);
    let again = self::lines(&world, "again");
    assert_eq!(again.iter().map(|line| &line["stage"]).collect::<Vec<_>>(), ["fusion"]);
    assert_eq!(again[0]["val"], lines.last().expect("the fusion's")["val"]);
    let weights = |run: &str| {
        let path = world.path(&format!("{run}/checkpoint/model.safetensors"));
        let tensors = safetensors::load(path, &Device::Cpu).expect("a checkpoint");
        tensors["heads.image.weight"].to_vec2::<f32>().expect("a matrix")
    };
    assert_eq!(weights("run"), weights("again"));
}

#[test]
fn the_stage_of_another_encoder_is_refused() {
    let world = world();
    let scalar = |name: &str| {
        let one = Tensor::ones(1, DType::F32, &Device::Cpu).expect("a tensor");
        let path = world.path("other.safetensors");
        safetensors::save(&HashMap::from([(name.to_owned(), one)]), &path).expect("written");
        format!("image.from={}", path.display())
    };
    let config = world.path("train.toml");
    for (name, said) in [
        ("text.norm", "text.norm, which is no image stage's"),
        ("heads.image.bias", "heads.image.bias is of another shape"),
        ("image.unknown", "it lacks image."),
    ] {
        run(["train", config.to_str().expect("UTF-8"), "--set", &scalar(name)]).refused(&[said]);
    }
}
