//! What a resource's error says about the credential: ready rules over the codes that drivers give.
//!
//! They take the code alone, so they fit any driver:
//!
//! ```
//! use secrets_manager::FailureClass;
//! use secrets_manager::classify;
//!
//! # struct DriverError(Option<&'static str>);
//! # impl DriverError { fn code(&self) -> Option<&str> { self.0 } }
//! let classifier = |error: &DriverError| {
//!     error.code().map_or(FailureClass::Other, classify::postgres)
//! };
//! assert_eq!(classifier(&DriverError(Some("28P01"))), FailureClass::Authentication);
//! assert_eq!(classifier(&DriverError(Some("40001"))), FailureClass::Other);
//! assert_eq!(classifier(&DriverError(None)), FailureClass::Other);
//! ```

/// What an error of a resource says about the credential that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// The resource does not accept the credential.
    Authentication,
    /// Something else: the credential is not to blame, or it is not known.
    Other,
}

impl FailureClass {
    fn authentication_if(is_refusal: bool) -> Self {
        if is_refusal { Self::Authentication } else { Self::Other }
    }
}

/// PostgreSQL, by SQLSTATE: `28P01` (invalid password) and `28000` (invalid authorization), which
/// are the whole of class 28 (PostgreSQL manual, appendix A).
#[must_use]
pub fn postgres(sqlstate: &str) -> FailureClass {
    FailureClass::authentication_if(matches!(sqlstate, "28P01" | "28000"))
}

/// Redis and its kin, by the error's code or the whole error line: `WRONGPASS` (a wrong pair of user
/// and password) and `NOAUTH` (none was given where one is needed). `NOPERM` is no refusal of the
/// credential: the user is known and may not do this.
#[must_use]
pub fn redis(error: &str) -> FailureClass {
    let code = error.trim_start_matches('-').split_ascii_whitespace().next();
    FailureClass::authentication_if(matches!(code, Some("WRONGPASS" | "NOAUTH")))
}

/// HTTP, by status: 401 (RFC 9110, section 15.5.2). 403 says that the credential was understood and
/// is not enough: another version of it would not help.
#[must_use]
pub fn http(status: u16) -> FailureClass {
    const UNAUTHORIZED: u16 = 401;
    FailureClass::authentication_if(status == UNAUTHORIZED)
}
