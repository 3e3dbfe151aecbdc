use std::fmt;
use std::str::FromStr;

use tracing_core::{LevelFilter, Metadata};

/// Which levels of which targets are taken.
///
/// As text it is what `RUST_LOG` has for targets and levels: `info,hyper=warn,app::db=debug`. The
/// longest target that is the beginning of a record's, up to a `::`, decides. Nothing is looked at that
/// changes from one record to the next, so a filter is asked once for each place in the program that
/// logs; directives for spans and fields (`[span{field}]`) are refused. A target alone (`app::db`, `my_crate`) is taken
/// as a whole, but a single word is read as a level: `hyper` is refused where `RUST_LOG` takes it, for it may as well be a level
/// that was misspelt; write `hyper=trace`.
///
/// ```
/// use obs::record::Filter;
///
/// let filter: Filter = "info,hyper=warn,app::db=trace".parse()?;
/// assert_eq!(filter.to_string(), "app::db=trace,hyper=warn,info");
/// assert!("hyper".parse::<Filter>().is_err() && "app::db".parse::<Filter>().is_ok());
/// # Ok::<(), obs::record::FilterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The longest targets first.
    targets: Vec<(Box<str>, LevelFilter)>,
    rest: LevelFilter,
}

/// Why a text is no [`Filter`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// What stands for a level is none.
    Level(Box<str>),
    /// A directive for spans or fields.
    Dynamic(Box<str>),
    /// A target that is empty or cannot be one.
    Target(Box<str>),
}

impl Filter {
    /// Everything up to a level.
    #[must_use]
    pub const fn up_to(level: LevelFilter) -> Self {
        Self { targets: Vec::new(), rest: level }
    }

    /// With another level for all targets that it does not name.
    #[must_use]
    pub const fn with_rest(mut self, level: LevelFilter) -> Self {
        self.rest = level;
        self
    }

    /// With another level for a target and what is below it.
    #[must_use]
    pub fn with_target(mut self, target: &str, level: LevelFilter) -> Self {
        self.targets.retain(|(name, _)| **name != *target);
        self.targets.push((target.into(), level));
        let order = |name: &str| (std::cmp::Reverse(name.len()), name.to_owned());
        self.targets.sort_by_key(|(name, _)| order(name));
        self
    }

    /// Whether it has a level for just this target.
    pub(crate) fn names(&self, target: &str) -> bool {
        self.targets.iter().any(|(name, _)| **name == *target)
    }

    /// The level up to which a target is taken.
    #[must_use]
    pub fn level_of(&self, target: &str) -> LevelFilter {
        let is_of = |name: &str| {
            target.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let found = self.targets.iter().find(|(name, _)| is_of(name));
        found.map_or(self.rest, |(_, level)| *level)
    }

    /// Whether what is logged there is taken.
    #[must_use]
    pub fn takes(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level_of(metadata.target())
    }

    /// The most that any target is taken up to.
    #[must_use]
    pub fn most(&self) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).fold(self.rest, LevelFilter::max)
    }
}

impl Default for Filter {
    /// Up to `info`.
    fn default() -> Self {
        Self::up_to(LevelFilter::INFO)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::up_to(LevelFilter::OFF);
        let directives = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        for directive in directives {
            if directive.contains(['[', '{']) {
                return Err(FilterError::Dynamic(directive.into()));
            }
            match directive.split_once('=') {
                Some((target, level)) => {
                    let target = target_of(target.trim())?;
                    filter = filter.with_target(target, level_of(level.trim())?);
                }
                None => match level_of(directive) {
                    Ok(level) => filter.rest = level,
                    // As in `RUST_LOG`, a target alone is taken as a whole.
                    Err(_) if directive.contains(['_', ':']) => {
                        filter = filter.with_target(target_of(directive)?, LevelFilter::TRACE);
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(filter)
    }
}

fn level_of(level: &str) -> Result<LevelFilter, FilterError> {
    let is_word = level.len() > 1;
    let parsed = level.parse().ok().filter(|_| is_word);
    parsed.ok_or_else(|| FilterError::Level(level.into()))
}

fn target_of(target: &str) -> Result<&str, FilterError> {
    let is_fit = !target.is_empty() && target.chars().all(|c| c.is_ascii_graphic());
    if is_fit { Ok(target) } else { Err(FilterError::Target(target.into())) }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (target, level) in &self.targets {
            write!(f, "{target}={level},")?;
        }
        write!(f, "{}", self.rest)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => write!(
                f,
                "`{}` is no level: `off`, `error`, `warn`, `info`, `debug` or `trace`",
                level.escape_debug()
            ),
            Self::Dynamic(directive) => write!(
                f,
                "`{}`: directives for spans and fields are not taken, only `target=level`",
                directive.escape_debug()
            ),
            Self::Target(target) => write!(f, "`{}` is no target", target.escape_debug()),
        }
    }
}

impl std::error::Error for FilterError {}
