//! What AWS refuses, as errors of the contract: by code, never by status.
