//! Bad bundles, checkpoints, posts and rows: the right message, exit code 1, nothing written half.

mod common;

use std::fs;

use common::{
    run, run_with_input,
    world::{World, config, png_bomb},
};

/// The tables and a bundle that was exported from random weights.
fn world() -> World {
    let world = World::new().with_tables().with_checkpoint();
    let (checkpoint, pairs, out) =
        (world.path("checkpoint"), world.path("pairs.tsv"), world.path("tiny.safetensors"));
    let args = [
        "export".into(),
        "--checkpoint".into(),
        checkpoint,
        "--calibration".into(),
        pairs,
        "--out".into(),
        out,
    ];
    run(args).ok();
    world
}

#[test]
fn bad_bundles_and_posts_are_refused_by_name() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    let good = path("tiny.safetensors");
    let bytes = fs::read(&good).expect("exported");

    // Bundles.
    let refused = |name: &str, content: &[u8], words: &[&str]| {
        let bundle = world.write(name, content).display().to_string();
        let mut words = words.to_vec();
        words.push(name);
        run(["predict", "--text", "so good", "--bundle", &bundle]).refused(&words);
        run(["eval", "--texts", &path("texts.tsv"), "--bundle", &bundle, "--json", &path("r.json")])
            .refused(&words);
        assert!(!world.path("r.json").exists());
    };
    refused("empty.safetensors", b"", &["not a mixed-feelings bundle", "0 bytes"]);
    let text = b"this is not a bundle, whatever its name says";
    refused("text.safetensors", text, &["not a mixed-feelings bundle", "safetensors header"]);
    let cut_off = |len: usize| [format!("{} bytes announced", bytes.len()), format!("{len} there")];
    for (name, len) in [("truncated.safetensors", bytes.len() / 2), ("short.safetensors", bytes.len() - 1)] {
        let [announced, there] = cut_off(len);
        refused(name, &bytes[..len], &["the bundle is cut off", &announced, &there]);
    }
    let header = bytes.windows(10).position(|w| w == b"\"version\":").expect("in the header");
    let mut other = bytes.clone();
    other[header + 1] = b'V';
    refused("version.safetensors", &other, &["version"]);
    let heads = bytes.windows(7).position(|w| w == b"\\\"heads").expect("in the config");
    let mut other = bytes.clone();
    other[heads + 2] = b'H';
    refused("config.safetensors", &other, &["config"]);

    // Posts.
    let predict = |args: &[&str]| run(["predict", "--bundle", &good].iter().chain(args));
    predict(&["--text", "  \n"]).refused(&["the post is empty", "give a text, an image, or both"]);
    let text = world.write("words.txt", "so good");
    let words = text.display().to_string();
    predict(&["--image", &words]).refused(&["words.txt"]);
    let bomb = world.write("bomb.png", png_bomb()).display().to_string();
    predict(&["--image", &bomb]).refused(&["bomb.png", "60000"]);
    let whole = fs::read(world.path("images/0.bmp")).expect("there");
    let cut = world.write("cut.bmp", &whole[..whole.len() / 2]).display().to_string();
    assert!(predict(&["--image", &cut]).ok().contains("missing or damaged"));
    let long = world.write("long.txt", "so good ".repeat(10 << 17)).display().to_string();
    predict(&["--text-file", &long]).refused(&["10485760 bytes", "100000"]);
    let latin = world.write("latin.txt", b"caf\xe9").display().to_string();
    predict(&["--text-file", &latin]).refused(&["latin.txt", "not UTF-8 at byte 3: save it as UTF-8"]);

    // The same from standard input, and a good one after all the bad ones.
    let from_input =
        |input: &[u8]| run_with_input(["predict", "--text", "-", "--bundle", &good, "--json"], input);
    from_input("so good ".repeat(10 << 17).as_bytes()).refused(&["10485760 bytes"]);
    assert_eq!(from_input(b"so good").ok(), predict(&["--text", "so good", "--json"]).ok());
}

#[test]
fn a_bundle_that_is_not_the_one_of_its_checksum_is_refused() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    let (bundle, sum) = (path("tiny.safetensors"), path("tiny.safetensors.sha256"));
    let predict = || run(["predict", "--text", "so good", "--bundle", &bundle]);
    let eval = || run(["eval", "--texts", &path("texts.tsv"), "--bundle", &bundle]);
    let promised = fs::read_to_string(&sum).expect("exported");
    let promised = promised.split_whitespace().next().expect("a checksum");
    let mut bytes = fs::read(&bundle).expect("exported");
    *bytes.last_mut().expect("not empty") ^= 1;
    world.write("tiny.safetensors", &bytes);
    for told in [predict(), eval()] {
        told.refused(&["bundle", &bundle, &sum, promised, "SHA-256"]);
    }
    *bytes.last_mut().expect("not empty") ^= 1;
    world.write("tiny.safetensors", &bytes);
    predict().ok();
    eval().ok();
    world.write("tiny.safetensors.sha256", format!("{} *tiny.safetensors\n", promised.to_uppercase()));
    predict().ok();
    world.write("tiny.safetensors.sha256", "tiny.safetensors\n");
    predict().refused(&[&sum, "no SHA-256"]);
    fs::remove_file(&sum).expect("removed");
    predict().ok();
}

#[test]
fn an_export_that_loses_too_much_writes_nothing() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, texts) = (path("checkpoint"), path("pairs.tsv"), path("texts.tsv"));
    let (out, json) = (path("new.safetensors"), path("new.json"));
    let export = |most: &str| {
        let args =
            ["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &out, "--json", &json];
        run(args.iter().chain(&["--check", &pairs, "--check-texts", &texts, most]))
    };
    let before = world.listing();
    // No score may stay as it is: each falls by 0, which is more than that.
    let told = export("--max-loss=-1");
    assert_eq!(told.code, Some(1), "{told:?}");
    let error = told.err.rsplit_once("error: ").expect("an error").1;
    assert!(error.contains("with int8, by more than -1") && error.contains("--max-loss"), "{error}");
    assert!(told.out.contains("whole post on label"), "what was compared is printed all the same: {told:?}");
    assert_eq!(world.listing(), before);
    export("--max-loss=1").ok();
    assert!(world.path("new.safetensors").exists());
}

#[test]
fn a_bad_row_is_named_and_nothing_is_written() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    world.write("broken.jpg", "not a picture");
    let header = "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tsplit\n";
    let good = "1\timages/0.bmp\tso good\tpositive\tpositive\tpositive\tagree\tval\n";
    let bad: [(&str, &[&str]); 6] = [
        ("2\tbroken.jpg\ta\tneutral\tneutral\tneutral\tagree\tval\n", &["line 3", "broken.jpg"]),
        ("2\tmissing.jpg\ta\tneutral\tneutral\tneutral\tagree\tval\n", &["line 3", "missing.jpg"]),
        ("2\timages/0.bmp\ta\tfine\tneutral\tneutral\tagree\tval\n", &["line 3", "text_label", "fine"]),
        ("2\timages/0.bmp\ta\n", &["line 3", "3 columns"]),
        ("2\timages/0.bmp\ta\tpositive\tnegative\tpositive\tconflict\tval\n", &["line 3", "conflict"]),
        ("\n", &["no row of the split `test`"]),
    ];
    for (row, words) in bad {
        let table = world.write("bad.tsv", format!("{header}{good}{row}")).display().to_string();
        fs::write(world.path("old.json"), "old").expect("written");
        let before = world.listing();
        let split: &[&str] = if row == "\n" { &["--split", "test"] } else { &[] };
        for model in [["--bundle", &path("tiny.safetensors")], ["--checkpoint", &path("checkpoint")]] {
            let (json, tsv) = (path("old.json"), path("p.tsv"));
            let args = ["eval", "--pairs", &table, "--json", &json, "--predictions", &tsv];
            let mut words = words.to_vec();
            words.push("bad.tsv");
            run(args.iter().chain(&model).chain(split)).refused(&words);
            assert_eq!(fs::read_to_string(world.path("old.json")).expect("still there"), "old");
            assert_eq!(world.listing(), before);
        }
        let out = path("new.safetensors");
        let checkpoint = path("checkpoint");
        let args = ["export", "--checkpoint", &checkpoint, "--calibration", &table, "--out", &out];
        run(args.iter().chain(split)).refused(words);
        assert_eq!(world.listing(), before);
    }
    world.write("bad.tsv", "label\ttext\npositive\tso good\nhappy\tso good\n");
    run(["eval", "--texts", &path("bad.tsv"), "--bundle", &path("tiny.safetensors")])
        .refused(&["bad.tsv line 3", "happy"]);
    world.write("bad.tsv", "label\ttext\npositive\tso good\npositive\t  \n");
    run(["eval", "--texts", &path("bad.tsv"), "--bundle", &path("tiny.safetensors")])
        .refused(&["bad.tsv line 3", "the post is empty"]);
}

#[test]
fn a_bad_checkpoint_is_refused_by_file() {
    let world = World::new().with_tables().with_checkpoint();
    let checkpoint = world.path("checkpoint").display().to_string();
    let texts = world.path("texts.tsv").display().to_string();
    let eval = || run(["eval", "--texts", &texts, "--checkpoint", &checkpoint]);
    eval().ok();

    world.write("checkpoint/config.json", config().replace("\"max_tokens\":32", "\"max_tokens\":33"));
    eval().refused(&["config.json", "max_tokens = 33"]);
    world.write("checkpoint/config.json", config().replace("\"max_tokens\"", "\"most_tokens\""));
    eval().refused(&["config.json", "most_tokens"]);
    world.write("checkpoint/config.json", config().replace("\"hidden_size\":16", "\"hidden_size\":32"));
    eval().refused(&["checkpoint", "text."]);
    world.write("checkpoint/config.json", config());

    let weights = fs::read(world.path("checkpoint/model.safetensors")).expect("there");
    world.write("checkpoint/model.safetensors", &weights[..weights.len() - 4]);
    eval().refused(&["model.safetensors", "not a whole safetensors file"]);
    world.write("checkpoint/model.safetensors", &weights);

    world.write("checkpoint/tokenizer.json", "{}");
    eval().refused(&["checkpoint", "tokenizer.json"]);
    fs::remove_file(world.path("checkpoint/tokenizer.json")).expect("removed");
    eval().refused(&["tokenizer.json", "there is no such file"]);
    run(["eval", "--texts", &texts, "--checkpoint", &checkpoint, "--device", "cuda"])
        .refused(&["--device cuda:0"]);
}
