//! What processes cost: CPU and memory out of /proc.

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

/// CPU time since a process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// Seconds in the process's own code.
    pub user_s: f64,
    /// Seconds in the kernel on its behalf, such as writing to sockets.
    pub kernel_s: f64,
}

impl Cpu {
    fn of_ticks(user: u64, kernel: u64) -> Cpu {
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        Cpu { user_s: user as f64 / per_second, kernel_s: kernel as f64 / per_second }
    }

    /// Seconds in all.
    pub fn total_s(self) -> f64 {
        self.user_s + self.kernel_s
    }

    /// What was spent since an earlier reading.
    pub fn since(self, earlier: Cpu) -> Cpu {
        Cpu { user_s: self.user_s - earlier.user_s, kernel_s: self.kernel_s - earlier.kernel_s }
    }
}

/// CPU of a process, of those it started, and of those that have ended since.
///
/// Resolution: 10 ms per process.
pub fn cpu(pid: u32) -> Result<Cpu> {
    let (mut user, mut kernel) = (0, 0);
    for member in family(pid)? {
        // A process that ends while we look is counted by its parent from now on.
        let Ok(fields) = stat(member) else { continue };
        user += fields.user;
        kernel += fields.kernel;
        if member == pid {
            user += fields.reaped_user;
            kernel += fields.reaped_kernel;
        }
    }
    Ok(Cpu::of_ticks(user, kernel))
}

/// CPU of one process without those it started.
pub fn cpu_alone(pid: u32) -> Result<Cpu> {
    let fields = stat(pid)?;
    Ok(Cpu::of_ticks(fields.user, fields.kernel))
}

/// Memory that a process and those it started have written to, in bytes.
///
/// Anonymous pages and their part of shared ones (an nginx zone), so that the sum over a
/// family counts each page once. Not the program's text, and not the kernel's socket
/// buffers, which are the same for every server.
pub fn memory_bytes(pid: u32) -> Result<u64> {
    let mut kib = 0;
    for member in family(pid)? {
        let Ok(rollup) = fs::read_to_string(format!("/proc/{member}/smaps_rollup")) else { continue };
        for line in rollup.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            if matches!(name, "Pss_Anon" | "Pss_Shmem") {
                kib += value.trim().trim_end_matches(" kB").parse::<u64>().context("smaps_rollup")?;
            }
        }
    }
    Ok(kib * 1024)
}

/// Files and sockets that a process and those it started have open.
pub fn open_files(pid: u32) -> Result<usize> {
    // A process that ends while we look has none.
    let files = |member| fs::read_dir(format!("/proc/{member}/fd")).map_or(0, Iterator::count);
    Ok(family(pid)?.into_iter().map(files).sum())
}

/// A process and its descendants.
fn family(pid: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(member) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Ok(fields) = stat(member) {
            parents.push((member, fields.parent));
        }
    }
    let mut members = vec![pid];
    let mut next = 0;
    while let Some(&parent) = members.get(next) {
        members.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| child));
        next += 1;
    }
    Ok(members)
}

/// The fields of /proc/PID/stat that are used here; times in clock ticks.
struct Stat {
    parent: u32,
    user: u64,
    kernel: u64,
    reaped_user: u64,
    reaped_kernel: u64,
}

fn stat(pid: u32) -> Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in parentheses and may itself hold spaces and parentheses.
    let (_, fields) = text.rsplit_once(')').context("a stat line without a name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // proc(5) numbers from 1 and the name is field 2, so the first one here is field 3.
    let field = |number: usize| -> Result<u64> {
        let text = fields.get(number - 3).context("a stat line that is too short")?;
        Ok(text.parse()?)
    };
    Ok(Stat {
        parent: u32::try_from(field(4)?)?,
        user: field(14)?,
        kernel: field(15)?,
        reaped_user: field(16)?,
        reaped_kernel: field(17)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_of_this_process_show() -> Result<()> {
        let pid = std::process::id();
        let (cpu_before, memory_before) = (cpu(pid)?, memory_bytes(pid)?);
        let mut block = vec![0u8; 32 << 20];
        while cpu(pid)?.since(cpu_before).total_s() < 0.05 {
            block.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
        }
        let grown = memory_bytes(pid)? - memory_before;
        assert!(grown > 30 << 20, "grown by {grown} bytes, block ends with {:?}", block.last());
        Ok(())
    }
}
