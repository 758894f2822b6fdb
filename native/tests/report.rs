//! The report of an evaluation: whole, self-contained, the same every time, and not at all if an input is bad.

mod common;

use std::fs;

use common::{Run, run, world::World};
use serde_json::Value;

/// The tables, a bundle with its checkpoint, and a small challenge.
fn world() -> World {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, bundle) = (path("checkpoint"), path("pairs.tsv"), path("tiny.safetensors"));
    run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &bundle]).ok();
    world.write(
        "hard/texts.tsv",
        "id\tcategory\tlabel\ttext\nt1\tslang\tpositive\tso <good>\nt2\tslang\tnegative\tbad\nt3\tnews\tneutral\ta day\n",
    );
    world.write(
        "hard/pairs.tsv",
        "id\tcategory\timage\ttext\ttext_label\timage_label\tlabel\trelation\n\
         h1\tclash\t../images/2.bmp\tgood!\tpositive\tnegative\tconflict\tconflict\n\
         h2\tsame\t../images/0.bmp\tgood\tpositive\tpositive\tpositive\tagree\n",
    );
    world.write(
        "hard/swaps.tsv",
        "kind\tgroup\tlabel\ttext\ntemplate\t\tpositive\t{} is good\nfiller\tletters\t\ta\nfiller\tletters\t\tb\n",
    );
    world
}

/// Everything together, into the folder `name`.
fn report(world: &World, name: &str, challenge: &str) -> Run {
    let path = |name: &str| world.path(name).display().to_string();
    run([
        "eval",
        "--pairs",
        &path("pairs.tsv"),
        "--texts",
        &path("texts.tsv"),
        "--challenge",
        &path(challenge),
        "--bundle",
        &path("tiny.safetensors"),
        "--checkpoint",
        &path("checkpoint"),
        "--resamples",
        "50",
        "--report",
        &path(name),
    ])
}

#[test]
fn a_report_holds_every_section_and_needs_nothing_else() {
    let world = world();
    let told = report(&world, "out/report", "hard").ok();
    let printed = [
        "whole post against label",
        "by modality used",
        "relation one_neutral",
        "text against text_label",
        "swapped words",
        "more about pairs.tsv",
        "more about texts.tsv",
        "strong, by two gold labels",
        "by predicted valence",
        "largest Youden's J",
        "right on contradictory pairs",
        "the model's own",
        "accuracy of the most confident 70 %",
        "area under risk-coverage",
        "sure, from",
        "contradicts, from",
        "calibration by temperature",
        "missing image",
        "JPEG",
        "6 rows, float → int8",
        "McNemar's p",
        "contradiction: AUC",
        "worst mistakes, by id: p",
        "out/report/report.html",
    ];
    for part in printed {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    let page = fs::read_to_string(world.path("out/report/report.html")).expect("written");
    let sections = [
        "about",
        "figures",
        "combination",
        "intensity",
        "contradiction",
        "calibration",
        "robustness",
        "texts",
        "selective",
        "challenge",
        "swaps",
        "int8",
        "mistakes",
    ];
    for id in sections {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "no section {id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "the contents do not lead to {id}");
    }
    for reach in ["http:", "https:", "//", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(reach), "the page reaches out: {reach}");
    }
    assert!(
        page.contains("Hard pairs: picture and contradiction"),
        "the pictures of the hard pairs are left out"
    );
    assert!(page.contains("so &lt;good&gt;") || !page.contains("<good>"), "a hard post is not escaped");
    assert!(!page.contains("a bad day"), "a post of the tables was copied into the page");
    check_tags(&page);

    let json = fs::read_to_string(world.path("out/report/metrics.json")).expect("written");
    assert!(!json.contains("a bad day"), "a post of the tables was copied into metrics.json");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let pairs = &json["pairs"];
    assert_eq!(
        (&pairs["rows"], &pairs["whole"]["rows"], &json["texts"]["rows"]),
        (&6.into(), &5.into(), &3.into())
    );
    assert_eq!((&json["model"]["form"], &json["compared_with"]["form"]), (&"int8".into(), &"float".into()));
    assert!(pairs["whole"]["intervals"]["macro_f1"]["low"].is_number(), "{pairs}");
    assert!(pairs["contradiction"]["curve"].as_array().is_some_and(|curve| curve.len() > 2), "{pairs}");
    for figure in ["precision", "recall"] {
        assert!(pairs["contradiction"]["best"]["intervals"][figure]["low"].is_number(), "{pairs}");
    }
    for table in [pairs, &json["texts"]] {
        let selective = &table["selective"];
        assert!(selective["area"].as_f64() >= selective["least_area"].as_f64(), "{selective}");
        assert!(
            selective["at_coverage"]["share"].is_number() && selective["curve"].is_array(),
            "{selective}"
        );
    }
    assert!(pairs["contradiction"]["own"]["recall"].is_number(), "{pairs}");
    assert!(pairs["shapley"]["intervals"]["image"]["high"].is_number(), "{pairs}");
    assert_eq!(json["challenge"]["pairs"]["contradictions_found"]["rows"], 1);
    assert!(json["challenge"]["texts"]["metrics"]["intervals"]["accuracy"]["low"].is_number(), "{json}");
    assert!(pairs["float_against_int8"]["contradiction_auc"]["int8"].is_number(), "{pairs}");
    assert_eq!(pairs["calibration"].as_array().map(Vec::len), Some(3));
    assert_eq!(pairs["robustness"].as_array().map(Vec::len), Some(6));
    assert!(pairs["float_against_int8"]["readings"][0]["mcnemar"]["p_value"].is_number(), "{pairs}");
    assert_eq!(pairs["by_intensity"]["labels"].as_array().map(Vec::len), Some(4));
    assert!(json["challenge"]["swaps"]["groups"][0]["mean_shift"].is_number(), "{json}");

    // Once more: the same bytes.
    report(&world, "again", "hard").ok();
    for name in ["report.html", "metrics.json"] {
        let [first, second] =
            ["out/report", "again"].map(|dir| fs::read(world.path(dir).join(name)).expect("written"));
        assert!(first == second, "{name} differs from run to run");
    }
}

#[test]
fn a_bad_input_writes_nothing() {
    let world = world();
    world.write("wrong/texts.tsv", "id\tcategory\tlabel\ttext\nt1\tslang\thappy\tso good\n");
    fs::create_dir(world.path("empty")).expect("made");
    let before = world.listing();
    report(&world, "report", "wrong").refused(&["texts.tsv line 2", "happy"]);
    report(&world, "report", "empty").refused(&["empty", "texts.tsv"]);
    report(&world, "report", "missing").refused(&["missing"]);
    assert_eq!(world.listing(), before);

    // A file where the folder should be.
    report(&world, "pairs.tsv", "hard").refused(&["--report", "pairs.tsv"]);
    assert_eq!(world.listing(), before);
}

/// Every element that is opened is closed, in the right order.
fn check_tags(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    // The style sheet holds no tags, but a `>`.
    let body = &page[page.find("</style>").expect("a style sheet") + "</style>".len()..];
    let mut rest = body;
    open.extend(["html", "head"]);
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes nothing");
        } else if !tag.ends_with('/') {
            open.push(tag.split([' ', '\n']).next().expect("a name"));
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "elements stay open");
}
