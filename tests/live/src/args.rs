//! The command line.

use std::path::PathBuf;

use secrets_core::SecretName;

/// What is printed where it is not understood.
pub(crate) const USAGE: &str = "\
usage: cargo xtask conformance --live aws --region REGION --prefix PREFIX [--endpoint URL] [--out FILE]

Runs the conformance suite on your own account, with the credentials of AWS's default chain.
  --live aws        has to be said: secrets are written and deleted there, which costs money
  --region REGION   such as eu-west-1
  --prefix PREFIX   what the names of all secrets begin with, such as mainstay-conformance
  --endpoint URL    instead of that of AWS; one of this machine is a double, and is not waited for
  --out FILE        where the results are written, conformance-aws.json unless set";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) region: String,
    pub(crate) prefix: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) out: PathBuf,
}

impl Request {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A sentence that says what is missing or not understood.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words;
        let (mut live, mut region, mut prefix, mut endpoint, mut out) =
            (None, None, None, None, None);
        while let Some(word) = words.next() {
            let place = match word.as_str() {
                "--live" => &mut live,
                "--region" => &mut region,
                "--prefix" => &mut prefix,
                "--endpoint" => &mut endpoint,
                "--out" => &mut out,
                other => return Err(format!("`{other}` is not understood here")),
            };
            let value =
                words.next().ok_or_else(|| format!("a value is missing behind `{word}`"))?;
            if place.replace(value).is_some() {
                return Err(format!("`{word}` stands there twice"));
            }
        }
        match live.as_deref() {
            Some("aws") => {}
            Some(other) => return Err(format!("`{other}` is no cloud that there is; `aws` is")),
            None => return Err("this runs on an account of yours: say `--live aws`".to_owned()),
        }
        let prefix = prefix.ok_or("`--prefix` is missing")?;
        SecretName::new(&format!("{prefix}/run/label"))
            .map_err(|reason| format!("`{prefix}` cannot begin names of secrets: {reason}"))?;
        Ok(Self {
            region: region.ok_or("`--region` is missing")?,
            prefix,
            endpoint,
            out: out.unwrap_or_else(|| "conformance-aws.json".to_owned()).into(),
        })
    }

    /// An endpoint on this machine is no account.
    pub(crate) fn is_on_a_double(&self) -> bool {
        let urls = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
        self.endpoint.as_ref().is_some_and(|url| urls.iter().any(|start| url.starts_with(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        Request::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn nothing_is_done_that_was_not_asked_for() {
        let whole = "--live aws --region eu-west-1 --prefix here";
        assert!(parse(whole).is_ok_and(|request| !request.is_on_a_double()));
        assert!(parse("--region eu-west-1 --prefix here").is_err_and(|e| e.contains("--live aws")));
        for line in [
            "",
            "--live",
            "--live gcp --region eu-west-1 --prefix here",
            "--live aws --prefix here",
            "--live aws --region eu-west-1",
            "--live aws --region eu-west-1 --prefix No!",
            "--live aws --live aws --region eu-west-1 --prefix here",
            "--live aws --region eu-west-1 --prefix here --force",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        let double = parse(&format!("{whole} --endpoint http://127.0.0.1:1"));
        assert!(double.is_ok_and(|request| request.is_on_a_double()));
    }
}
