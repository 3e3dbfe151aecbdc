//! The tables of rules name tests that exist.

use std::{collections::BTreeSet, fs, path::Path};

fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_rule_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("tests"), &mut code);
    let mut checked = BTreeSet::new();
    for table in ["credentials.md", "kms.md", "secrets.md", "server.md", "sqs.md", "sts.md"] {
        let text = fs::read_to_string(root.join("rules").join(table)).unwrap();
        let rows = text.lines().filter(|l| {
            l.starts_with("| ") && !l.starts_with("| rule") && !l.starts_with("| field")
        });
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            assert_eq!(cells.len(), 3, "{row}");
            let tests: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
            assert!(!tests.is_empty(), "{row}");
            for test in tests {
                assert!(
                    code.contains(&format!("fn {test}(")),
                    "`{test}` of {table} does not exist"
                );
                checked.insert(test.to_owned());
            }
        }
    }
    assert!(checked.len() > 90, "{}", checked.len());
}
