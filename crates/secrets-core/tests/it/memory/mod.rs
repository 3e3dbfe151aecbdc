mod aws;
mod azure;
mod google;
mod interrupted;
mod model;
mod races;
mod shared;
mod support;
