use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::decode::{Base, decode};
use crate::explain::Explanation;
use crate::nearest::nearest;
use crate::node::{Node, Origin};
use crate::problem::{Problem, ProblemKind, Problems};
use crate::read::{Contents, Format, Variables, of_variables, parse, read_file};

/// Files that are replaced more often than this while they are read are no settings.
const MOST_LOOKS: usize = 16;

/// What settings know of themselves beyond their types.
pub trait Rules {
    /// What makes no sense, all of it, by the path of the setting.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

/// Where settings come from, the later over the earlier: defaults, the profile, files, variables.
///
/// ```
/// use service_settings::{Format, Layers, Problem, Rules};
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Settings {
///     port: u16,
///     greeting: String,
/// }
///
/// impl Rules for Settings {
///     fn problems(&self) -> Vec<Problem> {
///         let is_privileged = self.port < 1024;
///         is_privileged.then(|| Problem::invalid("port", "below 1024, which needs rights")).into_iter().collect()
///     }
/// }
///
/// # fn main() -> Result<(), service_settings::Problems> {
/// let layers = Layers::<Settings>::new()
///     .defaults(Format::Toml, "port = 8080\ngreeting = 'hello'")
///     .profile("development", Format::Toml, "")
///     .profile("production", Format::Toml, "port = 8443")
///     .select("production")
///     .variables("APP", [("APP__GREETING".into(), "good day".into())]);
/// let loaded = layers.load()?;
/// assert_eq!((loaded.settings.port, loaded.settings.greeting.as_str()), (8443, "good day"));
/// let why = loaded.explanation.to_string();
/// assert!(why.contains("greeting = \"good day\"  # APP__GREETING, over defaults:2"), "{why}");
/// # Ok(()) }
/// ```
pub struct Layers<T> {
    defaults: Vec<(Format, Arc<str>)>,
    profiles: Vec<Profile>,
    selected: Option<String>,
    files: Vec<SettingsFile>,
    variables: Option<Variables>,
    settings: PhantomData<fn() -> T>,
}

#[derive(Clone)]
struct Profile {
    name: Arc<str>,
    format: Format,
    text: Arc<str>,
}

#[derive(Debug, Clone)]
struct SettingsFile {
    path: PathBuf,
    is_required: bool,
}

/// Settings that are sound, and where each of them came from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded<T> {
    /// The settings.
    pub settings: T,
    /// Which source set what.
    pub explanation: Explanation,
}

impl<T> Default for Layers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Layers<T> {
    /// No layers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            defaults: Vec::new(),
            profiles: Vec::new(),
            selected: None,
            files: Vec::new(),
            variables: None,
            settings: PhantomData,
        }
    }

    /// What holds unless something else says otherwise: a text in the program.
    #[must_use]
    pub fn defaults(mut self, format: Format, text: &str) -> Self {
        self.defaults.push((format, text.into()));
        self
    }

    /// What holds in one profile, over the defaults. Several of one name are laid one over the other.
    #[must_use]
    pub fn profile(mut self, name: &str, format: Format, text: &str) -> Self {
        self.profiles.push(Profile { name: name.into(), format, text: text.into() });
        self
    }

    /// Chooses the profile. One that does not exist is a problem, and so is none where there are
    /// some.
    #[must_use]
    pub fn select(mut self, name: impl Into<String>) -> Self {
        self.selected = Some(name.into());
        self
    }

    /// A file that has to be there. Its ending tells the format. Several are laid one over the other.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(SettingsFile { path: path.into(), is_required: true });
        self
    }

    /// A file that may be there.
    #[must_use]
    pub fn optional_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(SettingsFile { path: path.into(), is_required: false });
        self
    }

    /// Variables `PREFIX__A__B`, which set `a.b`: usually those of the process,
    /// `std::env::vars_os()`.
    #[must_use]
    pub fn variables(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        self.variables = Some(Variables::new(prefix, variables));
        self
    }

    /// What the files hold now.
    pub(crate) fn read_files(&self) -> Vec<Contents> {
        self.files.iter().map(|file| read_file(&file.path)).collect()
    }

    /// What the files hold together: what two looks in a row see. Between the first file and the last
    /// one all of them may be replaced.
    pub(crate) fn settled_files(&self) -> Vec<Contents> {
        let mut seen = self.read_files();
        for _ in 0..MOST_LOOKS {
            let again = self.read_files();
            if again == seen {
                return seen;
            }
            seen = again;
        }
        let busy = || Contents::Unreadable("is being written: it changes all the time".to_owned());
        let last = self.read_files();
        let judge = |(seen, last)| if seen == last { last } else { busy() };
        seen.into_iter().zip(last).map(judge).collect()
    }

    fn merge(&self, contents: &[Contents], problems: &mut Vec<Problem>) -> Node {
        let mut root = Node::empty_table(&Arc::from("settings"));
        let mut lay = |node: Node, found: Vec<Problem>| {
            problems.extend(found);
            root.overlay(node);
        };
        for (format, text) in &self.defaults {
            let (node, found) = parse(*format, &Arc::from("defaults"), text);
            lay(node, found);
        }
        match self.selected_profile() {
            Ok(parts) => {
                for Profile { name, format, text } in parts {
                    let source = Arc::from(format!("profile {name}"));
                    let (node, found) = parse(*format, &source, text);
                    lay(node, found);
                }
            }
            Err(problem) => lay(Node::empty_table(&Arc::from("profile")), vec![problem]),
        }
        for (file, contents) in self.files.iter().zip(contents) {
            let (node, found) = file.parse(contents);
            lay(node, found);
        }
        if let Some(variables) = &self.variables {
            let (node, found) = of_variables(variables);
            lay(node, found);
        }
        root
    }

    fn selected_profile(&self) -> Result<Vec<&Profile>, Problem> {
        let known: Vec<&str> = self.profiles.iter().map(|profile| &*profile.name).collect();
        let all = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let refuse = |message: String| Problem::new("", None, ProblemKind::Invalid, message);
        let Some(selected) = &self.selected else {
            return match known.is_empty() {
                true => Ok(Vec::new()),
                false => Err(refuse(format!("no profile is chosen; there are {all}"))),
            };
        };
        let parts = self.profiles.iter().filter(|profile| *profile.name == **selected);
        let parts: Vec<_> = parts.collect();
        if !parts.is_empty() {
            return Ok(parts);
        }
        let begin = format!("there is no profile `{}`", selected.escape_debug());
        Err(refuse(match nearest(selected, known.iter().copied()) {
            Some(near) => format!("{begin}; is `{near}` meant?"),
            None if known.is_empty() => begin,
            None => format!("{begin}; there are {all}"),
        }))
    }
}

impl SettingsFile {
    fn parse(&self, contents: &Contents) -> (Node, Vec<Problem>) {
        let source: Arc<str> = self.path.display().to_string().into();
        let refuse = |message: &str| {
            let origin = Some(Origin::new(&source, None));
            let problem = Problem::new("", origin, ProblemKind::Unreadable, message);
            (Node::empty_table(&source), vec![problem])
        };
        let text = match contents {
            Contents::Text(text) => text,
            Contents::Absent if self.is_required => return refuse("is not there"),
            Contents::Absent => return (Node::empty_table(&source), Vec::new()),
            Contents::Unreadable(reason) => return refuse(reason),
        };
        let extension = self.path.extension().and_then(|extension| extension.to_str());
        match extension.and_then(Format::of_extension) {
            Some(format) => parse(format, &source, text),
            None => refuse("ends with none of `.toml`, `.yaml`, `.yml`, `.json`"),
        }
    }
}

impl<T: DeserializeOwned + Rules> Layers<T> {
    /// Reads everything, files twice: those that are replaced together are taken together. This
    /// blocks for as long as the files take.
    ///
    /// # Errors
    /// [`Problems`]: all that is wrong, with places.
    pub fn load(&self) -> Result<Loaded<T>, Problems> {
        self.load_from(&self.settled_files())
    }

    pub(crate) fn load_from(&self, contents: &[Contents]) -> Result<Loaded<T>, Problems> {
        let mut problems = Vec::new();
        let mut root = self.merge(contents, &mut problems);
        let base = Base::root();
        match decode::<T>(&mut root, &base) {
            Ok(settings) => {
                let found = settings.problems().into_iter();
                problems.extend(found.map(|problem| base.place(&root, problem)));
                Problems::none_or(problems)?;
                let explanation = Explanation::new(root, base.reads.noted());
                Ok(Loaded { settings, explanation })
            }
            Err(found) => {
                // What is missing in a source that could not be read need not be missing.
                let is_partial = problems.iter().any(Problem::hides_settings);
                let told: BTreeSet<_> = problems.iter().map(|known| known.path.clone()).collect();
                let counts = |found: &Problem| {
                    found.kind != ProblemKind::Missing || !is_partial && !told.contains(&found.path)
                };
                problems.extend(found.into_iter().filter(counts));
                Err(match Problems::none_or(problems) {
                    Err(problems) => problems,
                    Ok(()) => Problem::invalid("", "the settings cannot be read").into(),
                })
            }
        }
    }
}

impl<T> Clone for Layers<T> {
    fn clone(&self) -> Self {
        Self {
            defaults: self.defaults.clone(),
            profiles: self.profiles.clone(),
            selected: self.selected.clone(),
            files: self.files.clone(),
            variables: self.variables.clone(),
            settings: PhantomData,
        }
    }
}

/// Shows which layers there are, and nothing of what is in them.
impl<T> fmt::Debug for Layers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profiles: BTreeSet<_> = self.profiles.iter().map(|profile| &profile.name).collect();
        let files: Vec<&Path> = self.files.iter().map(|file| file.path.as_path()).collect();
        f.debug_struct("Layers")
            .field("profiles", &profiles)
            .field("selected", &self.selected)
            .field("files", &files)
            .field("variables", &self.variables.as_ref().map(|variables| &variables.prefix))
            .finish_non_exhaustive()
    }
}
