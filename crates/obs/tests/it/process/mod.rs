//! What the kernel knows: on this machine, and on machines that were recorded.

mod bad_input;
mod cgroup;
mod host;
mod own;
mod table;
mod tcp;
mod tree;
