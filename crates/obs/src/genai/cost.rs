use std::fmt;

/// A currency by its code of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The dollar of the United States.
    pub const USD: Self = Self(*b"USD");
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The currency of this code, three capital letters; nothing if it is none.
    #[must_use]
    pub fn new(code: &str) -> Option<Self> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        // They are capital letters.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Currency").field(&self.code()).finish()
    }
}

/// An amount of money in billionths of the currency's unit, so that sums are exact: the dearest model and the
/// cheapest token both are whole numbers of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cost {
    pub(super) currency: Currency,
    pub(super) billionths: u64,
}

impl Cost {
    /// So many billionths: 1,000,000,000 of [`Currency::USD`] are a dollar.
    #[must_use]
    pub const fn billionths(currency: Currency, billionths: u64) -> Self {
        Self { currency, billionths }
    }
}

/// What tokens cost.
///
/// ```
/// use obs::genai::{Cost, Currency, Price};
///
/// // 0.15 dollars for a million tokens.
/// let price = Price::of_a_million(Cost::billionths(Currency::USD, 150_000_000));
/// assert_eq!(price.of(1_234), Cost::billionths(Currency::USD, 185_100));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Price(Cost);

impl Price {
    /// As providers list it.
    #[must_use]
    pub const fn of_a_million(cost: Cost) -> Self {
        Self(cost)
    }

    /// What so many tokens cost, to the nearest billionth; half of one is a whole one.
    #[must_use]
    pub fn of(&self, tokens: u64) -> Cost {
        const MILLION: u128 = 1_000_000;
        let exact = u128::from(tokens) * u128::from(self.0.billionths);
        let billionths = u64::try_from((exact + MILLION / 2) / MILLION).unwrap_or(u64::MAX);
        Cost { billionths, ..self.0 }
    }
}
