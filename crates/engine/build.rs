//! Compiles the shim against libtorch's headers and tells the linker where its libraries are.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=shim/aten.cpp");
    println!("cargo:rerun-if-changed=shim/aten.h");
    // torch-sys passes on the folder that it links against (`links = "tch"`).
    let lib = PathBuf::from(
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is"),
    );
    let include = lib.parent().expect("lib has a parent").join("include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .file("shim/aten.cpp")
        .compile("datadiet_aten");
    let lib = lib.canonicalize().unwrap_or(lib);
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}
