//! Build script: a changed skeleton of the base image compiles this crate again, which embeds it
//! (`include_dir!` by itself is not seen by cargo).

fn main() {
    println!("cargo::rerun-if-changed=../../templates/base");
}
