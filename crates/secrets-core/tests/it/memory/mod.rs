mod aws;
mod shared;
mod support;
