//! Notes how the C code is compiled: `cc` takes the optimisation level from Cargo's profile, as this does.

fn main() {
    let level = std::env::var("OPT_LEVEL").expect("Cargo sets it");
    println!("cargo:rustc-env=DS_LIBDEFLATE_FLAGS=-O{level}");
    println!("cargo:rerun-if-changed=build.rs");
}
