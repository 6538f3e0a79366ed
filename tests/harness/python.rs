//! Python with the packages of tests/requirements.txt, in a folder of its own under target/.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of its programs. Installed at the first use, and again when the requirements change.
pub fn programs() -> PathBuf {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(install).clone()
}

fn install() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted = std::fs::read_to_string(root.join("tests/requirements.txt")).unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_signalbox")).parent().unwrap().join("tests-python");
    let mark = target.join("installed.txt");
    let programs = target.join("bin");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return programs;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&target));
    let pip = Command::new(programs.join("pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(root.join("tests/requirements.txt"))
        .output()
        .unwrap();
    assert!(pip.status.success(), "{}", String::from_utf8_lossy(&pip.stderr));
    std::fs::write(mark, wanted).unwrap();
    programs
}

fn run(command: &mut Command) {
    let done = command.output().expect("python3 with venv: `make test` installs it");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
