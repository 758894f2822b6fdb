//! The shipped bundle's answers, to the last bit, on the challenge set, the parity texts and the image fixtures. A change
//! of the code must not change them; a new bundle writes new ones (`UPDATE_DIGEST=1 cargo test --test digest`).

use std::{fs, path::Path};

use mixed_feelings::{Analysis, Analyzer, Post, analyzer::ImageInput};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A post and the name that its line in the digest has.
struct Case {
    name: String,
    text: Option<String>,
    image: Option<Vec<u8>>,
}

/// The fields `text` and `image` (where the table has one) of each row, named by its first field.
fn table(path: &Path) -> Result<Vec<Case>> {
    let content = fs::read_to_string(path)?;
    let mut rows = content.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = rows.next().ok_or("a table has a head")?;
    let column = |name| head.iter().position(|field| *field == name);
    let text = column("text").ok_or("a table has texts")?;
    let folder = path.parent().ok_or("a table lies in a folder")?;
    rows.map(|row| {
        let image = column("image").map(|image| fs::read(folder.join(row[image]))).transpose()?;
        Ok(Case { name: row[0].to_owned(), text: Some(row[text].to_owned()), image })
    })
    .collect()
}

fn cases(root: &Path) -> Result<Vec<Case>> {
    let tests = root.join("tests");
    let mut cases = table(&tests.join("challenge/texts.tsv"))?;
    cases.extend(table(&tests.join("challenge/pairs.tsv"))?);
    let texts: Vec<String> = serde_json::from_str(&fs::read_to_string(tests.join("digest/texts.json"))?)?;
    for (i, text) in texts.iter().enumerate() {
        cases.push(Case { name: format!("text-{i:02}"), text: Some(text.clone()), image: None });
    }
    let mut files: Vec<_> =
        fs::read_dir(tests.join("fixtures/images"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension != "safetensors"));
    files.sort();
    for (i, file) in files.iter().enumerate() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let image = fs::read(file)?;
        let text = texts[i * 7 % texts.len()].clone();
        cases.push(Case { name: format!("{name} alone"), text: None, image: Some(image.clone()) });
        cases.push(Case { name, text: Some(text), image: Some(image) });
    }
    Ok(cases)
}

/// The bits of every number of an answer: scores and valence of the post, of its text, of its image; the contradiction.
fn line(name: &str, analysis: &Analysis) -> String {
    let bits = |numbers: &[f32]| {
        numbers.iter().map(|x| format!("{:08x}", x.to_bits())).collect::<Vec<_>>().join(" ")
    };
    let side = |reading: Option<mixed_feelings::analysis::Reading>| match reading {
        Some(reading) => bits(&[&reading.scores.to_array()[..], &[reading.valence]].concat()),
        None => "-".to_owned(),
    };
    let whole = bits(&[&analysis.scores.to_array()[..], &[analysis.valence]].concat());
    let contradiction = analysis.contradiction.map_or("-".to_owned(), |p| bits(&[p]));
    [name.to_owned(), whole, side(analysis.text), side(analysis.image), contradiction].join("\t")
}

#[test]
fn the_answers_are_the_same_to_the_last_bit() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut analyzer = Analyzer::from_bundle(fs::read(root.join("pkg/mixed-feelings-small.safetensors"))?)?;
    let mut lines = Vec::new();
    for Case { name, text, image } in cases(root)? {
        let post = Post { text: text.as_deref(), image: image.as_deref().map(ImageInput::Encoded) };
        lines.push(line(&name, &analyzer.analyze(post).map_err(|e| format!("{name}: {e}"))?));
    }
    let digest = root.join("tests/digest/answers.tsv");
    if std::env::var_os("UPDATE_DIGEST").is_some() {
        fs::write(&digest, lines.join("\n") + "\n")?;
        return Ok(());
    }
    let expected = fs::read_to_string(&digest)?;
    assert_eq!(expected.lines().count(), lines.len());
    for (expected, found) in expected.lines().zip(&lines) {
        assert_eq!(expected, found);
    }
    Ok(())
}
