//! `mixed-feelings data` as a program: what it prints and how it ends.

mod common;

use common::{
    run,
    world::{World, bmp},
};
use serde_json::Value;

/// A folder `posts` of pairs that differ and of texts.
fn world() -> World {
    let world = World::new();
    for (name, period) in [("a", 3), ("b", 8)] {
        let stripes = |x: u8, y: u8| [(x / period % 2) * 200 + y, (y / period % 2) * 90, period * 20];
        world.write(&format!("posts/{name}.bmp"), bmp(40, 30, stripes));
    }
    world.write(
        "posts/pairs.tsv",
        "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tsplit\n\
         1\ta.bmp\tPerfect solitude on the beach\tpositive\tnegative\tconflict\tconflict\ttrain\n\
         2\tb.bmp\tit rains again, all day long\tnegative\tnegative\tnegative\tagree\tval\n",
    );
    world.write("posts/texts.tsv", "label\ttext\npositive\tso good\nneutral\ta day\n");
    world
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_clean_folder_is_described() {
    let world = world();
    let posts = world.path("posts").display().to_string();
    let before = world.listing();
    let told = run(["data", &posts]).ok();
    for part in ["pairs.tsv", "texts.tsv", "train: 1 rows", "conflict 1 (100.0 %)"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    let report = json(&run(["data", &posts, "--json"]).ok());
    let tables = report["tables"].as_array().expect("tables");
    let kinds: Vec<_> = tables.iter().map(|table| (&table["kind"], &table["rows"])).collect();
    assert_eq!(kinds, [(&"pairs".into(), &2.into()), (&"texts".into(), &2.into())]);
    assert!(tables.iter().all(|table| table["problems"] == Value::Array(vec![])), "{report}");
    assert_eq!(tables[0]["pictures"]["width"]["median"], 40);
    assert_eq!(world.listing(), before, "it only looks");
}

#[test]
fn problems_are_listed_and_end_with_one() {
    let world = world();
    let posts = world.path("posts").display().to_string();
    world.write("posts/b.bmp", "this is no picture");
    let told = run(["data", &posts, "--json"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("error: ") && told.err.contains("1 problem"), "{told:?}");
    let report = json(&told.out);
    let problems = report["tables"][0]["problems"].as_array().expect("problems");
    let [problem] = problems.as_slice() else { panic!("one problem: {report}") };
    assert_eq!(problem["kind"], "image");
    let message = problem["message"].as_str().expect("a message");
    assert!(message.contains("pairs.tsv line 3") && message.contains("b.bmp"), "{message}");
    assert_eq!(report["tables"][0]["pictures"]["unreadable"], 1);

    let told = run(["data", &posts]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("problems: 1 (image 1)") && told.out.contains("b.bmp"), "{told:?}");
    run(["data", &world.path("nowhere").display().to_string()]).refused(&["nowhere"]);
}

/// A table that is named is checked as `eval` checks it; a folder may hold others too.
#[test]
fn a_named_table_is_one_that_can_be_used() {
    let world = World::new();
    let told = |content: &str, problems: &str, why: &str| {
        let table = world.write("posts/table.tsv", content).display().to_string();
        let told = run(["data", &table]);
        assert_eq!(told.code, Some(1), "{told:?}");
        assert!(told.out.contains(problems) && told.out.contains(why), "no `{why}` in {told:?}");
    };
    told(
        "file\tauthor\na.bmp\tme\n",
        "problems: 1 (table 1)",
        "table.tsv: no column `text`; it has file, author",
    );
    told("label\ttext\n", "problems: 1 (table 1)", "table.tsv: no rows below the header");
    told("label\ttext\nfurious\tsad rain\n", "problems: 1 (table 1)", "name the table's own with --labels");
    let long = "so good ".repeat(13_000);
    let rows = format!("label\ttext\npositive\t \npositive\t{long}\npositive\tgood\nhappy\tgood\n");
    told(&rows, "problems: 3 (row 3)", "line 2: text: it is empty");
    told(&rows, "problems: 3", "line 3: text: 104000 bytes");
    told(&rows, "problems: 3", "line 5: label: `happy` is none of");

    let table = world.write("posts/table.tsv", "label\ttext\nfurious\tsad rain\n").display().to_string();
    let labels = ["data", &table, "--labels", "furious,calm"];
    assert!(run(labels).ok().contains("texts with a label"));
    world.write("posts/authors.tsv", "file\tauthor\na.bmp\tme\n");
    assert!(run(["data", &world.path("posts").display().to_string()]).ok().contains("labelled otherwise"));
    let texts = world.write("texts.tsv", "text\nso good\n").display().to_string();
    assert!(run(["data", &texts]).ok().contains("texts without a label"));
}
