//! The types that JavaScript sees of the engine are made of the Rust types that it serializes, with their documentation:
//! `pkg/src/analysis.ts` cannot drift from them. To renew it: `UPDATE=1 cargo test --test typescript`.

use std::{collections::BTreeSet, env, fmt::Write, fs, path::Path};

use syn::{
    Attribute, Expr, Field, Fields, File, GenericArgument, Item, ItemStruct, Lit, Meta, PathArguments, Type,
    visit::{self, Visit},
};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const TARGET: &str = "pkg/src/analysis.ts";

/// Where a struct is, and its name in TypeScript if that is another.
const STRUCTS: [(&str, &str, &str); 9] = [
    ("src/model/labels.rs", "Label", "Label"),
    ("src/analyzer/analysis.rs", "Reading", "Reading"),
    ("src/analyzer/analysis.rs", "WordWeight", "WordWeight"),
    ("src/analyzer/analysis.rs", "RegionWeights", "RegionWeights"),
    ("src/analyzer/analysis.rs", "Explanation", "Explanation"),
    ("src/web/mod.rs", "StageTimings", "StageTimings"),
    // The package adds to it whose decoder read the picture, and the times.
    ("src/analyzer/analysis.rs", "Analysis", "EngineAnalysis"),
    ("src/analyzer/learn.rs", "HeadReport", "HeadReport"),
    ("src/analyzer/learn.rs", "LearnReport", "LearnReport"),
];

/// Fields that hold the name of a label.
const LABELS: [(&str, &str); 3] = [("Label", "name"), ("Reading", "label"), ("Analysis", "label")];

/// Fields that hold one of a few names.
const NAMES: [(&str, &str, &str); 1] = [("HeadReport", "head", "'text' | 'image' | 'fused'")];

/// Types with the names of the labels as a parameter.
const OVER_LABELS: [&str; 4] = ["Label", "Scores", "Reading", "Analysis"];

/// Where errors say their codes.
const ERRORS: [&str; 6] = [
    "src/error.rs",
    "src/text/mod.rs",
    "src/image/error.rs",
    "src/bundle/mod.rs",
    "src/model/mod.rs",
    "src/fusion/profile.rs",
];

/// Codes of what no page can do: it writes no bundles.
const NATIVE_ONLY: [&str; 1] = ["bundle-unwritable"];

#[test]
fn the_types_of_the_package_are_those_of_the_engine() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = module(root)?;
    let path = root.join(TARGET);
    if env::var_os("UPDATE").is_some() {
        return Ok(fs::write(path, made)?);
    }
    let is = fs::read_to_string(&path)?;
    assert!(
        is == made,
        "{TARGET} is not what Rust says now: UPDATE=1 cargo test --test typescript\n\n{made}"
    );
    Ok(())
}

fn module(root: &Path) -> Result<String> {
    let mut out = String::from(
        "/**\n * What the engine answers. Made of the Rust types by `tests/typescript.rs`: change those.\n */\n\n\
         import type { Scores, SentimentLabel } from './types.js';\n",
    );
    for (file, name, typescript) in STRUCTS {
        let parsed = parse(root, file)?;
        let found = parsed.items.iter().find_map(|item| match item {
            Item::Struct(item) if item.ident == name => Some(item),
            _ => None,
        });
        out.push_str(&interface(found.ok_or(format!("{file} has no struct {name}"))?, typescript)?);
    }
    let mut codes = Codes::default();
    for file in ERRORS {
        codes.visit_file(&parse(root, file)?);
    }
    out.push_str("\n/** The codes of the engine's errors. */\nexport type EngineErrorCode =");
    for code in codes.found.iter().filter(|code| !NATIVE_ONLY.contains(&code.as_str())) {
        write!(out, "\n  | '{code}'")?;
    }
    out.push_str(";\n");
    Ok(out)
}

fn parse(root: &Path, file: &str) -> Result<File> {
    Ok(syn::parse_file(&fs::read_to_string(root.join(file))?)?)
}

fn interface(item: &ItemStruct, typescript: &str) -> Result<String> {
    let name = item.ident.to_string();
    let Fields::Named(fields) = &item.fields else {
        return Err(format!("{name} has no named fields").into());
    };
    let parameter = if OVER_LABELS.contains(&&*name) { "<L extends string = SentimentLabel>" } else { "" };
    let mut out = format!("\n{}export interface {typescript}{parameter} {{\n", comment(&item.attrs, ""));
    for field in &fields.named {
        out.push_str(&comment(&field.attrs, "  "));
        out.push_str(&property(&name, field)?);
    }
    out.push_str("}\n");
    Ok(out)
}

fn property(owner: &str, field: &Field) -> Result<String> {
    // What renames, skips or flattens a field is written by hand, or taught to this file.
    if field.attrs.iter().any(|attribute| attribute.path().is_ident("serde")) {
        return Err(format!("{owner} has a field with serde's attributes").into());
    }
    let name = field.ident.as_ref().ok_or("a name")?.to_string();
    let names = NAMES.iter().find(|(of, field, _)| (*of, *field) == (owner, &*name));
    let kind = match names {
        Some((_, _, names)) => (*names).to_owned(),
        None if LABELS.contains(&(owner, &name)) => String::from("L"),
        None => in_typescript(&field.ty)?,
    };
    Ok(format!("  readonly {name}: {kind};\n"))
}

fn in_typescript(kind: &Type) -> Result<String> {
    let Type::Path(path) = kind else { return Err("a type that is not a name".into()) };
    let last = path.path.segments.last().ok_or("a name")?;
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(list) => match list.args.first() {
            Some(GenericArgument::Type(inner)) => in_typescript(inner),
            _ => Err("no type in <>".into()),
        },
        _ => Err("no <>".into()),
    };
    Ok(match &*last.ident.to_string() {
        "f32" | "f64" | "u32" | "usize" => "number".into(),
        "bool" => "boolean".into(),
        "String" => "string".into(),
        "Option" => format!("{} | null", inner()?),
        "Vec" => format!("readonly {}[]", inner()?),
        name if OVER_LABELS.contains(&name) => format!("{name}<L>"),
        name => name.to_owned(),
    })
}

/// The documentation as JSDoc: its links and its word for no value.
fn comment(attributes: &[Attribute], indent: &str) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(text) => Some(
                        text.value()
                            .trim()
                            .replace("[`", "{@link ")
                            .replace("`]", "}")
                            .replace("; none ", "; `null` "),
                    ),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
        .collect();
    match &lines[..] {
        [] => String::new(),
        [one] => format!("{indent}/** {one} */\n"),
        several => {
            let body: String = several
                .iter()
                .map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n")
                .collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}

/// The strings in functions named `code`, but for those of the float model.
#[derive(Default)]
struct Codes {
    found: BTreeSet<String>,
    inside: bool,
}

impl<'ast> Visit<'ast> for Codes {
    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.inside = function.sig.ident == "code";
        visit::visit_block(self, &function.block);
        self.inside = false;
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !arm.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        if self.inside {
            self.found.insert(literal.value());
        }
    }
}
