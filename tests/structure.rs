//! The library keeps to the map in the README: every folder is named there, no dependency points against its order, and no
//! file is longer than 500 lines (tests apart).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::visit::{self, Visit};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const MOST_LINES: usize = 500;

/// The Rust files below a folder.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The top module that a file of `src/` belongs to.
fn module(src: &Path, file: &Path) -> Result<String> {
    let first = file.strip_prefix(src)?.iter().next().ok_or("a file")?.to_string_lossy().into_owned();
    Ok(first.trim_end_matches(".rs").to_owned())
}

/// Collects the modules `x` of all paths `crate::x` outside of tests.
struct Paths {
    modules: BTreeSet<String>,
    /// What the crate's root names again, such as `Error`, and where it comes from.
    names: BTreeMap<String, String>,
}

impl Paths {
    fn add(&mut self, name: String) {
        let module = self.names.get(&name).cloned().unwrap_or(name);
        self.modules.insert(module);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(is_test) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        if path.ident == "crate" {
            first_names(&path.tree).into_iter().for_each(|name| self.add(name));
        } else {
            visit::visit_use_path(self, path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == "crate")
            && let Some(second) = segments.next()
        {
            self.add(second.ident.to_string());
        }
        visit::visit_path(self, path);
    }
}

fn is_test(attribute: &syn::Attribute) -> bool {
    match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().contains("test"),
        _ => false,
    }
}

/// The names that a use tree begins with.
fn first_names(tree: &syn::UseTree) -> Vec<String> {
    match tree {
        syn::UseTree::Path(path) => vec![path.ident.to_string()],
        syn::UseTree::Name(name) => vec![name.ident.to_string()],
        syn::UseTree::Rename(rename) => vec![rename.ident.to_string()],
        syn::UseTree::Glob(_) => vec![],
        syn::UseTree::Group(group) => group.items.iter().flat_map(first_names).collect(),
    }
}

/// For each module of `src/` those that it uses.
fn dependencies(src: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut names = BTreeMap::new();
    for item in syn::parse_file(&fs::read_to_string(src.join("lib.rs"))?)?.items {
        let syn::Item::Use(item) = item else { continue };
        if let syn::UseTree::Path(path) = &item.tree {
            let module = path.ident.to_string();
            names.extend(first_names(&path.tree).into_iter().map(|name| (name, module.clone())));
        }
    }
    let mut all = BTreeMap::<_, BTreeSet<_>>::new();
    for file in sources(src)? {
        let from = module(src, &file)?;
        if from == "lib" || file.ends_with("tests.rs") || file.ends_with("attacks.rs") {
            continue;
        }
        let mut paths = Paths { modules: BTreeSet::new(), names: names.clone() };
        paths.visit_file(&syn::parse_file(&fs::read_to_string(&file)?)?);
        paths.modules.remove(&from);
        all.entry(from).or_default().extend(paths.modules);
    }
    Ok(all)
}

/// The README's order: steps from the top down, each of one or more modules.
fn order(readme: &str) -> Result<Vec<Vec<String>>> {
    let start = readme.find("Dependencies point one way").ok_or("the README says the order")?;
    let paragraph = readme[start..].split("\n\n").next().unwrap_or_default();
    let names = |step: &str| step.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    Ok(paragraph.split('→').map(names).collect())
}

#[test]
fn dependencies_point_the_way_that_the_readme_says() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md"))?;
    let order = order(&readme)?;
    let height = |module: &str| order.iter().position(|step| step.iter().any(|name| name == module));
    let all = dependencies(&root.join("src"))?;
    assert!(all.len() >= 10, "the sources are read: {all:?}");
    assert!(all["analyzer"].contains("inference") && all["backend"].contains("model"), "{all:?}");
    for (from, targets) in &all {
        let from_height = height(from).ok_or(format!("the README's order lacks {from}"))?;
        for to in targets {
            let to_height = height(to).ok_or(format!("the README's order lacks {to}, which {from} uses"))?;
            assert!(from_height < to_height, "{from} uses {to}, against the README's order");
        }
    }
    Ok(())
}

#[test]
fn the_map_names_every_folder() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md"))?;
    let mut folders = Vec::new();
    for place in ["src", "tests", "native/src"] {
        for entry in fs::read_dir(root.join(place))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "node_modules" && name != "target" {
                folders.push(name);
            }
        }
    }
    assert!(folders.len() > 20, "{folders:?}");
    for folder in folders {
        assert!(readme.contains(&format!("{folder}/")), "the README's map lacks {folder}/");
    }
    Ok(())
}

#[test]
fn no_file_is_too_long() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = sources(&root.join("src"))?;
    files.extend(sources(&root.join("native/src"))?);
    for file in files {
        let source = fs::read_to_string(&file)?;
        let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().count();
        let is_test = file.ends_with("tests.rs") || file.ends_with("attacks.rs");
        assert!(is_test || lines <= MOST_LINES, "{}: {lines} lines", file.display());
    }
    Ok(())
}

/// A promise that names a file without a test promises nothing.
#[test]
fn the_table_of_promises_names_tests() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let security = fs::read_to_string(root.join(".github/SECURITY.md"))?;
    let table =
        security.split("| promise |").nth(1).and_then(|rest| rest.split("\n\n").next()).ok_or("a table")?;
    let rows =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows: Vec<_> = rows.filter(|(promise, _)| !promise.starts_with("tested by")).collect();
    assert!(rows.len() > 20, "{} promises", rows.len());
    for (promise, tests) in rows {
        let mut proofs = 0;
        for name in tests.split('`').skip(1).step_by(2) {
            let fuzzed = root.join(format!("tests/fuzz/fuzz_targets/{name}.rs"));
            // What is no path is a command, a lint, or a fuzz target.
            proofs += usize::from(fuzzed.exists() || name.starts_with("cargo verify"));
            if !name.contains('/') {
                continue;
            }
            let path = root.join(name);
            assert!(path.exists(), "{promise}: {name} is not there");
            let files = if path.is_dir() { sources(&path)? } else { vec![path] };
            let is_test = |file: &PathBuf| {
                let code = fs::read_to_string(file).unwrap_or_default();
                ["#[test]", "\ntest(", " test(", " it("].iter().any(|start| code.contains(start))
            };
            proofs += files.iter().filter(|file| is_test(file)).count();
        }
        assert!(proofs > 0, "{promise}: nothing tests it");
    }
    Ok(())
}
