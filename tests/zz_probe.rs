use mixed_feelings::{Analyzer, Bundle, Post, model::tokenizer_json, text::Tokenizer};
use std::{fs, io::Write};
fn versioned(bytes: &[u8], version: u32) -> Vec<u8> {
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
    let meta = &mut header["__metadata__"]["config"];
    let mut config: serde_json::Value = serde_json::from_str(meta.as_str().unwrap()).unwrap();
    config["text_preparation"] = version.into();
    *meta = serde_json::to_string(&config).unwrap().into();
    let mut text = serde_json::to_vec(&header).unwrap();
    while text.len() % 8 != 0 {
        text.push(b' ');
    }
    [&(text.len() as u64).to_le_bytes()[..], &text, &bytes[8 + len..]].concat()
}
#[test]
fn probe() {
    let bytes = fs::read("pkg/mixed-feelings-small.safetensors").unwrap();
    let two = versioned(&bytes, 2);
    let bundle = Bundle::parse(two.clone()).unwrap();
    let toks: Vec<Tokenizer> = [1, 2]
        .iter()
        .map(|v| Tokenizer::from_json(tokenizer_json(&bundle).unwrap(), 128, *v).unwrap())
        .collect();
    let mut models = [Analyzer::from_bundle(bytes).unwrap(), Analyzer::from_bundle(two).unwrap()];
    let mut out = fs::File::create("/tmp/tx/out.tsv").unwrap();
    for line in fs::read_to_string("/tmp/tx/in.txt").unwrap().split('\n') {
        let line = line.replace("␤", "\n");
        if line.is_empty() {
            continue;
        }
        let mut row = vec![line.replace('\n', "␤")];
        for (t, m) in toks.iter().zip(&mut models) {
            row.push(t.clean(&line).text.clone());
            row.push(match m.analyze(Post { text: Some(&line), image: None }) {
                Ok(a) => format!("{} {:+.2}", a.label, a.valence),
                Err(e) => e.code().to_owned(),
            });
        }
        writeln!(out, "{}", row.join("\t")).unwrap();
    }
}
