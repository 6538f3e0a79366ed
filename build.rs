//! Compiles the program again when the panel has been built: its files, whose names change, are part of the program.

fn main() {
    let built = "web/panel/dist";
    // A path that is missing counts as changed at every build; the folder around it changes when it comes.
    println!("cargo::rerun-if-changed={}", if std::path::Path::new(built).exists() { built } else { "web/panel" });
}
