/// How a page of metrics is encoded on its way (`Content-Encoding`; RFC 9110, section 8.4).
///
/// ```
/// use obs::metric::ContentCoding;
///
/// # #[cfg(feature = "gzip")]
/// assert_eq!(ContentCoding::accepted("gzip"), ContentCoding::Gzip); // What Prometheus sends.
/// assert_eq!(ContentCoding::accepted("br, gzip;q=0, *"), ContentCoding::Identity);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ContentCoding {
    /// As it is.
    #[default]
    Identity,
    /// Compressed as RFC 1952 has it. It takes the feature `gzip`.
    Gzip,
}

impl ContentCoding {
    /// The value of `Content-Encoding` that goes with it; as it is, there is none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
        }
    }

    /// The coding that a request asks for by its header `Accept-Encoding` (RFC 9110, section 12.5.3); several
    /// lines of it are joined by commas. Gzip is only given to who weighs it no less than `identity`. A coding that is
    /// named twice has the smaller weight, and a weight that is none is 0. Who takes nothing at all gets the page as it is, and
    /// so does everybody without the feature `gzip`.
    #[must_use]
    pub fn accepted(accept_encoding: &str) -> Self {
        let (mut gzip, mut identity, mut others) = (None, None, None);
        for coding in accept_encoding.split(',') {
            let mut parts = coding.split(';').map(str::trim);
            let known = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                // RFC 9110, section 8.4.1.3: the two are one.
                "gzip" | "x-gzip" => &mut gzip,
                "identity" => &mut identity,
                "*" => &mut others,
                _ => continue,
            };
            let weight = parts.next().map_or(MOST, weight);
            *known = Some(known.map_or(weight, |before: u16| before.min(weight)));
        }
        let gzip = gzip.or(others).unwrap_or(0);
        if cfg!(feature = "gzip") && gzip > 0 && gzip >= identity.unwrap_or(0) {
            Self::Gzip
        } else {
            Self::Identity
        }
    }
}

/// The weight 1, in thousandths.
const MOST: u16 = 1_000;

/// `q=0.5` in thousandths: at most three digits after the point, and no more than 1 (RFC 9110, section 12.4.2).
fn weight(parameter: &str) -> u16 {
    let Some((name, value)) = parameter.split_once('=') else { return 0 };
    let (whole, digits) = value.split_once('.').unwrap_or((value, ""));
    let is_one = match whole {
        "0" => false,
        "1" => true,
        _ => return 0,
    };
    let is_weight = name.eq_ignore_ascii_case("q")
        && digits.len() <= 3
        && digits.bytes().all(|digit| digit.is_ascii_digit() && !(is_one && digit != b'0'));
    match format!("{digits:0<3}").parse::<u16>() {
        Ok(thousandths) if is_weight => u16::from(is_one) * MOST + thousandths,
        _ => 0,
    }
}
