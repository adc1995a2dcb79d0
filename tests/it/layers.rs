//! Holds the imports of the modules against the table in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[test]
fn no_module_imports_what_the_table_does_not_allow() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let allowed = table(&fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap());
    assert!(
        allowed.len() >= 8,
        "the table of layers was not found: {allowed:?}"
    );
    let mut checked = BTreeSet::new();
    for entry in fs::read_dir(root.join("src")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        if module == "cli" {
            checked.insert(module);
            continue;
        }
        let may = allowed
            .get(&module)
            .unwrap_or_else(|| panic!("`{module}` is not in the table"));
        for (file, import) in imports(&path) {
            assert!(
                import == module || may.contains(&import),
                "{file} imports {import}"
            );
        }
        checked.insert(module);
    }
    let named: BTreeSet<String> = allowed.into_keys().collect();
    assert_eq!(
        checked, named,
        "the modules there are, and those in the table"
    );
}

/// Module to the modules that it may import.
fn table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.chars().nth(2).is_some_and(char::is_numeric));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let module = cells[2].split('`').nth(1).unwrap().to_owned();
        (module, cells[4].split(", ").map(str::to_owned).collect())
    })
    .collect()
}

/// Every `crate::module` that the code names, tests left out.
fn imports(path: &Path) -> Vec<(String, String)> {
    if path.is_dir() {
        let entries = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        return entries.flat_map(|entry| imports(&entry)).collect();
    }
    let text = fs::read_to_string(path).unwrap();
    let code = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or(&text);
    let code = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| {
        line.split("crate::")
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    })
    .map(|rest| {
        rest.chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    })
    .map(|module| (path.display().to_string(), module))
    .collect()
}

#[test]
fn clap_and_anyhow_live_in_the_command_line() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|name| name == "cli") {
            continue;
        }
        for name in ["clap", "anyhow"] {
            let found = uses(&path, name);
            assert!(found.is_empty(), "{name} is used in {found:?}");
        }
    }
}

/// The files at and below `path` that name the crate `name`.
fn uses(path: &Path, name: &str) -> Vec<String> {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries
            .flat_map(|entry| uses(&entry.unwrap().path(), name))
            .collect();
    }
    let text = fs::read_to_string(path).unwrap();
    let named = text.contains(&format!("use {name}")) || text.contains(&format!("{name}::"));
    named
        .then(|| path.display().to_string())
        .into_iter()
        .collect()
}
