//! `eval --challenge`: the same model says the same about the same rows as in any other evaluation.

mod common;

use std::fs;

use common::{run, world::World};
use serde_json::Value;

const TEXTS: &str = "id\tcategory\tlabel\ttext\n\
    t0\tpraise\tpositive\tso good\n\
    t1\tpraise\tpositive\tgood, good!\n\
    t2\tblame\tnegative\tbad day\n\
    t3\tblame\tneutral\ta day\n";
const SWAPS: &str = "kind\tgroup\tlabel\ttext\n\
    template\t-\tpositive\t{} good\n\
    template\t-\tnegative\tso bad {}\n\
    filler\tletters\t-\tc\n\
    filler\tletters\t-\td\n\
    filler\tletters\t-\te\n\
    filler\tdays\t-\tday\n\
    filler\tdays\t-\ta day\n";

/// The tables and a float model of random weights; `hard/` is a challenge.
fn world() -> World {
    let world = World::new().with_tables().with_checkpoint();
    let pairs = fs::read_to_string(world.path("pairs.tsv")).expect("a table");
    let mut lines = pairs.lines();
    let header = format!("{}\tcategory\n", lines.next().expect("a header"));
    let rows: String = lines
        .enumerate()
        .map(|(i, row)| format!("{}\t{}\n", row.replace("images/", "../images/"), ["odd", "even"][i % 2]))
        .collect();
    fs::create_dir(world.path("hard")).expect("a folder");
    world.write("hard/texts.tsv", TEXTS);
    world.write("hard/pairs.tsv", header + &rows);
    world.write("hard/swaps.tsv", SWAPS);
    world
}

#[test]
fn a_challenge_agrees_with_the_evaluation_of_its_tables() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    let measure = |what: &str, table: &str| -> (String, Value) {
        let (model, out) = (path("checkpoint"), path("out.json"));
        let told = run(["eval", what, &path(table), "--checkpoint", &model, "--json", &out]).ok();
        let report = fs::read_to_string(&out).expect("written");
        (told, serde_json::from_str(&report).expect("JSON"))
    };
    let (told, challenge) = measure("--challenge", "hard");
    for part in
        ["texts: 4 rows", "praise", "even", "image head on image_label", "contradiction: AUC", "letters"]
    {
        assert!(told.contains(part), "no `{part}` in {told}");
    }

    let (_, texts) = measure("--texts", "hard/texts.tsv");
    assert_eq!(challenge["texts"]["metrics"]["confusion"], texts["text_on_text_label"]["confusion"]);
    let categories = challenge["texts"]["categories"].as_array().expect("categories");
    let rows: Vec<_> = categories.iter().map(|c| (&c["category"], &c["metrics"]["rows"])).collect();
    assert_eq!(rows, [(&"praise".into(), &2.into()), (&"blame".into(), &2.into())]);
    let wrong = challenge["texts"]["wrong"].as_array().expect("a list").len() as f64;
    assert_eq!(challenge["texts"]["metrics"]["accuracy"].as_f64(), Some(1.0 - wrong / 4.0));

    // The pair that conflicts counts by its text: one row more than the whole posts with a label.
    let (_, pairs) = measure("--pairs", "hard/pairs.tsv");
    assert_eq!((&challenge["pairs"]["metrics"]["rows"], &pairs["whole"]["rows"]), (&6.into(), &5.into()));
    assert_eq!(challenge["contradiction_auc"], pairs["contradiction"]["auc"]);
    assert_eq!(challenge["pairs"]["image"]["confusion"], pairs["image_on_image_label"]["confusion"]);
    assert_eq!(challenge["pairs"]["contradictions_found"]["rows"], 1);
    assert!(challenge["texts"]["image"].is_null(), "{challenge}");

    let groups = challenge["swaps"]["groups"].as_array().expect("groups");
    let sentences: Vec<_> = groups.iter().map(|g| (&g["group"], &g["sentences"])).collect();
    assert_eq!(sentences, [(&"letters".into(), &6.into()), (&"days".into(), &4.into())]);
    for group in groups {
        let number = |key: &str| group[key].as_f64().expect("a number");
        assert!(0.0 < number("mean_shift") && number("mean_shift") <= number("largest_shift"), "{group}");
        let words = group["words"].as_array().expect("words").iter();
        let sum: f64 = words.map(|word| word["mean_shift"].as_f64().expect("a number")).sum();
        assert!(sum.abs() < 1e-6, "shifts from a mean: {group}");
    }
}

#[test]
fn a_bad_challenge_is_refused_by_file_and_line() {
    let world = world();
    let (dir, model) = (world.path("hard").display().to_string(), world.path("checkpoint"));
    let out = world.path("out.json");
    let refused = |words: &[&str]| {
        let args = ["eval".as_ref(), "--challenge".as_ref(), dir.as_ref(), "--checkpoint".as_ref()];
        run(args.into_iter().chain([model.as_os_str(), "--json".as_ref(), out.as_os_str()])).refused(words);
        assert!(!out.exists());
    };
    world.write("hard/swaps.tsv", format!("{SWAPS}template\t-\tneutral\tno slot\n"));
    refused(&["swaps.tsv line 9", "slot {}"]);
    world.write("hard/swaps.tsv", SWAPS);
    world.write("hard/texts.tsv", format!("{TEXTS}t3\tblame\tneutral\ta day\n"));
    refused(&["texts.tsv line 6", "`t3` occurs twice"]);
    world.write("hard/texts.tsv", TEXTS);
    fs::remove_file(world.path("images/4.bmp")).expect("removed");
    refused(&["pairs.tsv line 6", "4.bmp"]);
    fs::remove_dir_all(world.path("hard")).expect("removed");
    refused(&["hard", "texts.tsv, pairs.tsv or swaps.tsv"]);
}
