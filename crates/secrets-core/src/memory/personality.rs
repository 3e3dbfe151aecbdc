use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which cloud a [`MemoryProvider`](super::MemoryProvider) behaves like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Personality {
    /// AWS Secrets Manager: staging labels, `AWSPENDING` beside `AWSCURRENT`; compare-and-move of
    /// labels; the token is the version's id; deletion after a window.
    Aws,
    /// Azure Key Vault: the newest version wins, no compare-and-set; a companion secret holds what
    /// is pending, promotion appends; soft delete in phases.
    Azure,
    /// Google Secret Manager: numbered versions, `latest` is the newest whatever its state; etags
    /// on metadata only; a companion secret holds what is pending, promotion appends; deletion is
    /// final.
    Google,
}

impl Personality {
    /// All of them: what is built on the contract runs its tests on each.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Google];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Google => "google",
        }
    }

    /// AWS: a list may be five minutes behind (API reference, `ListSecrets`). Azure: recorded six
    /// seconds after a deletion. Google: "minutes" (secret-manager/docs/data-consistency).
    pub(crate) const fn usual_delay(self) -> Duration {
        match self {
            Self::Aws | Self::Google => Duration::from_secs(5 * 60),
            Self::Azure => Duration::from_secs(10),
        }
    }

    /// AWS: 30 days unless the request says otherwise. Azure: 90 days unless the vault was created
    /// with less.
    pub(crate) const fn usual_window(self) -> Duration {
        match self {
            Self::Aws => DAY.saturating_mul(30),
            Self::Azure => DAY.saturating_mul(90),
            Self::Google => Duration::ZERO,
        }
    }
}
