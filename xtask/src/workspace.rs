//! What cargo knows about the workspace, as far as the checks need it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;
use crate::process::Run;

/// The workspace at the root of the repository.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where builds go; ours go to folders of their own below it.
    pub(crate) target: PathBuf,
    /// All members, by name.
    pub(crate) members: Vec<Package>,
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `rust-version` of the manifest.
    pub(crate) msrv: String,
    /// From the root of the repository, such as `crates/live-value`.
    pub(crate) folder: String,
    pub(crate) publishable: bool,
    /// What each feature turns on; `default` among them.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) package: String,
    pub(crate) purpose: Purpose,
    pub(crate) requirement: String,
    /// It lies in this repository.
    pub(crate) ours: bool,
}

/// Which table a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Normal,
    Build,
    Dev,
}

/// Something that cargo builds out of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// `lib`, `bin`, `test`, …
    pub(crate) kind: String,
    /// Its root file, from the root of the repository.
    pub(crate) source: String,
}

impl Workspace {
    /// The workspace that this program was built from.
    ///
    /// # Errors
    ///
    /// `cargo metadata` fails or prints something that it never printed before.
    pub(crate) fn load() -> Result<Self, Failure> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root =
            own.parent().ok_or_else(|| Failure::new("xtask lies at the root of the disk"))?;
        Self::load_from(root)
    }

    /// The workspace whose root manifest lies in `root`.
    ///
    /// # Errors
    ///
    /// As for [`Workspace::load`].
    pub(crate) fn load_from(root: &Path) -> Result<Self, Failure> {
        let json =
            Run::cargo(root).words("metadata --locked --no-deps --format-version 1").read()?;
        Self::parse(&json).ok_or_else(|| {
            Failure::new("`cargo metadata` printed something that is not understood")
        })
    }

    /// The packages under `crates/`: what users depend on.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter(|package| package.is_crate())
    }

    fn parse(json: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(json).ok()?;
        let root = PathBuf::from(text(&json, "workspace_root")?);
        let mut members = json
            .get("packages")?
            .as_array()?
            .iter()
            .map(|package| Package::parse(package, &root))
            .collect::<Option<Vec<_>>>()?;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Self { target: PathBuf::from(text(&json, "target_directory")?), root, members })
    }
}

impl Package {
    /// Whether it lies under `crates/`.
    pub(crate) fn is_crate(&self) -> bool {
        self.folder.starts_with("crates/")
    }

    /// The features that a user may name: all but `default`.
    pub(crate) fn named_features(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str).filter(|name| *name != "default")
    }

    /// Whether `feature` is on unless a user turns the defaults off; by way of other features, too.
    pub(crate) fn is_default(&self, feature: &str) -> bool {
        let mut seen: Vec<&str> = Vec::new();
        let mut open = vec!["default"];
        while let Some(name) = open.pop() {
            if name == feature {
                return true;
            }
            if !seen.contains(&name) {
                seen.push(name);
                open.extend(self.features.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }

    fn parse(json: &Value, root: &Path) -> Option<Self> {
        let manifest = PathBuf::from(text(json, "manifest_path")?);
        Some(Self {
            name: text(json, "name")?,
            version: text(json, "version")?,
            msrv: text(json, "rust_version").unwrap_or_default(),
            folder: below(root, manifest.parent()?)?,
            // `null` means every registry, an empty list none.
            publishable: json.get("publish")?.as_array().is_none_or(|list| !list.is_empty()),
            features: features(json.get("features")?)?,
            dependencies: list(json, "dependencies", Dependency::parse)?,
            targets: list(json, "targets", |target| Target::parse(target, root))?,
        })
    }
}

impl Dependency {
    fn parse(json: &Value) -> Option<Self> {
        let purpose = match json.get("kind")?.as_str() {
            None => Purpose::Normal,
            Some("build") => Purpose::Build,
            Some("dev") => Purpose::Dev,
            Some(_) => return None,
        };
        Some(Self {
            package: text(json, "name")?,
            purpose,
            requirement: text(json, "req")?,
            ours: json.get("path").is_some(),
        })
    }
}

impl Target {
    fn parse(json: &Value, root: &Path) -> Option<Self> {
        Some(Self {
            name: text(json, "name")?,
            kind: json.get("kind")?.get(0)?.as_str()?.to_owned(),
            source: below(root, Path::new(&text(json, "src_path")?))?,
        })
    }
}

fn text(json: &Value, key: &str) -> Option<String> {
    json.get(key)?.as_str().map(str::to_owned)
}

fn list<T>(json: &Value, key: &str, parse: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    json.get(key)?.as_array()?.iter().map(parse).collect()
}

fn features(json: &Value) -> Option<BTreeMap<String, Vec<String>>> {
    let strings = |list: &Value| -> Option<Vec<String>> {
        list.as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    json.as_object()?.iter().map(|(name, list)| Some((name.clone(), strings(list)?))).collect()
}

fn below(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A member without dependencies that breaks no rule.
    pub(crate) fn package(folder: &str) -> Package {
        Package {
            name: folder.rsplit('/').next().unwrap_or(folder).to_owned(),
            version: "0.1.0".to_owned(),
            msrv: "1.95".to_owned(),
            folder: folder.to_owned(),
            publishable: false,
            features: BTreeMap::new(),
            dependencies: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// `package` with one more dependency on a package of ours.
    pub(crate) fn using(mut package: Package, other: &str, purpose: Purpose) -> Package {
        package.dependencies.push(Dependency {
            package: other.to_owned(),
            purpose,
            requirement: "*".to_owned(),
            ours: true,
        });
        package
    }

    /// `package` with the feature `name` that turns `on` on.
    pub(crate) fn featured(mut package: Package, name: &str, on: &[&str]) -> Package {
        let on = on.iter().map(|feature| (*feature).to_owned()).collect();
        package.features.insert(name.to_owned(), on);
        package
    }

    const METADATA: &str = r#"{
        "workspace_root": "/repo", "target_directory": "/repo/target",
        "packages": [{
            "name": "leaf", "version": "0.2.0", "rust_version": "1.95", "publish": [],
            "manifest_path": "/repo/crates/leaf/Cargo.toml",
            "features": { "default": ["a"], "a": ["b"], "b": [], "c": [] },
            "dependencies": [
                { "name": "serde", "req": "^1.0", "kind": null },
                { "name": "probe", "req": "*", "kind": "dev", "path": "/repo/testing/probe" }
            ],
            "targets": [{ "name": "leaf", "kind": ["lib"], "src_path": "/repo/crates/leaf/src/lib.rs" }]
        }]
    }"#;

    #[test]
    fn metadata_is_read() {
        let workspace = Workspace::parse(METADATA).unwrap();
        let leaf = &workspace.members[0];
        assert_eq!(workspace.crates().count(), 1);
        assert_eq!(leaf.folder, "crates/leaf");
        assert!(!leaf.publishable);
        assert_eq!(leaf.targets[0].source, "crates/leaf/src/lib.rs");
        assert_eq!(leaf.dependencies[0].purpose, Purpose::Normal);
        assert!(leaf.dependencies[1].ours && !leaf.dependencies[0].ours);
    }

    #[test]
    fn a_feature_is_default_also_by_way_of_another() {
        let workspace = Workspace::parse(METADATA).unwrap();
        let leaf = &workspace.members[0];
        assert!(leaf.is_default("a") && leaf.is_default("b") && !leaf.is_default("c"));
        assert_eq!(leaf.named_features().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_package_without_publish_is_publishable() {
        let json = METADATA.replace(r#""publish": []"#, r#""publish": null"#);
        assert!(Workspace::parse(&json).unwrap().members[0].publishable);
    }

    #[test]
    fn metadata_of_another_shape_is_refused() {
        assert!(Workspace::parse("{}").is_none());
        assert!(Workspace::parse("not json").is_none());
    }
}
