//! Lines to play with: those of real logs, or of a few made-up programs, with every number drawn anew, so that
//! there are as many different words as in life.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

/// Of 1,000 lines, so many of each level, `trace` first.
const LEVELS: [(u32, &str); 6] =
    [(20, "trace"), (100, "debug"), (750, "info"), (90, "warn"), (35, "error"), (5, "fatal")];

/// Where nobody has real ones.
const MADE: [(&str, &str); 6] = [
    ("sshd", "sshd[24200]: Failed password for invalid user webmaster from 173.234.31.186 port 38926 ssh2"),
    (
        "sshd",
        "sshd[24200]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh rhost=173.234.31.186",
    ),
    ("kernel", "kernel: [ 1211.301245] eth0: link is up, 1000 Mbps, full duplex, rx queue 12"),
    (
        "nova",
        "nova.compute.manager [req-38101a0b-2096-447d-96ea-a692162415ae] [instance: b9000564-fe1a-409b] VM Started (Lifecycle Event)",
    ),
    (
        "nova",
        "10.11.10.1 \"GET /v2/54fadb412c4e40cdbaed9335e4c35a9e/servers/detail HTTP/1.1\" status: 200 len: 1893 time: 0.2477829",
    ),
    ("cron", "CRON[30121]: (root) CMD (run-parts --report /etc/cron.hourly) took 317 ms"),
];

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who wrote it.
    pub source: String,
    /// How bad.
    pub level: &'static str,
    /// 1 to 6.
    pub level_number: i16,
    /// What it says.
    pub message: String,
}

/// Where lines come from.
#[derive(Debug)]
pub struct Lines(Vec<(String, String)>);

impl Lines {
    /// Of every `*.log` in a folder, or made up.
    pub fn from(folder: Option<&Path>) -> Result<Lines> {
        let Some(folder) = folder else {
            return Ok(Lines(MADE.map(|(source, line)| (source.to_owned(), line.to_owned())).into()));
        };
        let mut lines = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let source = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let text = fs::read_to_string(&path)?;
                lines.extend(text.lines().map(|line| (source.clone(), line.trim_end().to_owned())));
            }
        }
        ensure!(!lines.is_empty(), "{} has no *.log", folder.display());
        Ok(Lines(lines))
    }

    /// Any of them, with other numbers.
    pub fn draw(&self) -> Line {
        let (source, sample) = &self.0[rand::random_range(0..self.0.len())];
        let mut after_digit = false;
        let message = sample.chars().map(|char| {
            let digit = char.is_ascii_digit();
            let drawn = if digit && after_digit { char::from(b'0' + rand::random_range(0..10_u8)) } else { char };
            after_digit = digit;
            drawn
        });
        let mut left = rand::random_range(0..1_000);
        let place = LEVELS.iter().position(|(share, _)| {
            let hit = left < *share;
            left = left.saturating_sub(*share);
            hit
        });
        let place = place.unwrap_or(2);
        Line {
            source: source.clone(),
            level: LEVELS[place].1,
            level_number: place as i16 + 1,
            message: message.collect(),
        }
    }
}
