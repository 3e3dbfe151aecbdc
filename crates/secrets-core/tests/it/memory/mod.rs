mod aws;
mod interrupted;
mod model;
mod races;
mod shared;
mod support;
