//! Whether this process may sample, told without otop's help.

use test_programs::harness::Stopped;

/// `CAP_PERFMON` and `CAP_BPF` (capabilities(7); `include/uapi/linux/capability.h`).
const NEEDED: u64 = 1 << 38 | 1 << 39;

/// "ignored" where it may not.
pub(crate) fn check() -> Result<(), Stopped> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    match effective {
        Some(held) if held & NEEDED == NEEDED => Ok(()),
        _ => Err(Stopped::Ignored("needs root".to_owned())),
    }
}
