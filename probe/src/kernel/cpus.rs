//! Which CPUs are on line.

use std::io;
use std::path::Path;

/// More CPUs than any kernel supports (`CONFIG_NR_CPUS` goes to 8,192).
const CPUS_MAX: u32 = 8192;

/// The CPUs that are on line now, ascending.
///
/// # Errors
/// Where sysfs cannot be read or says nonsense.
pub fn online() -> io::Result<Vec<u32>> {
    let list = std::fs::read_to_string(Path::new("/sys/devices/system/cpu/online"))?;
    parse_list(&list).ok_or_else(|| io::Error::other(format!("not a CPU list: {:?}", list.trim())))
}

/// A CPU list as the kernel writes it: `0-3,8` (`cpulist_parse`).
fn parse_list(list: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in list.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= CPUS_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    (!cpus.is_empty()).then_some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let check = |list: &str, expected: Option<&[u32]>| {
            assert_eq!(parse_list(list).as_deref(), expected, "{list:?}");
        };
        check("0-1\n", Some(&[0, 1]));
        check("0", Some(&[0]));
        check("0,2-4,7\n", Some(&[0, 2, 3, 4, 7]));
        check("", None);
        check("0-4000000000", None);
        check("x", None);
    }

    #[test]
    fn this_machine_has_a_cpu() {
        assert!(!online().unwrap().is_empty());
    }
}
