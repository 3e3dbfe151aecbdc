/// How metrics are written for whoever collects them.
///
/// ```
/// use obs::metric::Exposition;
///
/// // What Prometheus 2.42 sends.
/// let accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
///               text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// assert_eq!(Exposition::accepted(accept), Exposition::OpenMetrics);
/// assert_eq!(Exposition::accepted("text/html, */*;q=0.8"), Exposition::Text);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Exposition {
    /// Prometheus' text format, version 0.0.4: what everything reads. It has no exemplars.
    #[default]
    Text,
    /// OpenMetrics 1.0: with units and exemplars.
    OpenMetrics,
}

impl Exposition {
    /// The value of `Content-Type` that goes with it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that a request asks for by its header `Accept` (RFC 9110, section 12.5.1).
    /// OpenMetrics is only given to who names it, in version 1.0.0 or none; everybody else gets the text.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let (mut text, mut open_metrics, mut names_text) = (0.0_f32, 0.0_f32, false);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let (mut quality, mut version) = (1.0, "");
            for part in parts {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = weight(value.trim()),
                    "version" => version = value.trim().trim_matches('"'),
                    _ => {}
                }
            }
            if media.eq_ignore_ascii_case("application/openmetrics-text") {
                if matches!(version, "" | "1.0.0") {
                    open_metrics = open_metrics.max(quality);
                }
            } else if media.eq_ignore_ascii_case("text/plain") {
                if matches!(version, "" | "0.0.4") {
                    (text, names_text) =
                        (if names_text { text.max(quality) } else { quality }, true);
                }
            } else if !names_text && matches!(media, "*/*" | "text/*") {
                text = text.max(quality);
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }
}

/// A weight that is none counts as 0: nobody is given what they may not have asked for.
fn weight(value: &str) -> f32 {
    value.parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0)
}
