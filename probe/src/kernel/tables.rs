//! Fills what the walk looks up: who has what mapped, the unwind tables, and the
//! rules.

use super::attach::Error;
use aya::maps::{Array, ArrayOfMaps, HashMap, Map, MapData, MapError};
use probe_ebpf::table::{Page, REGIONS, Region, Regions, RegionsKey, Rule};
use rustix::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::io;
use std::ptr::{self, NonNull};

/// Regions of one process that the walk can know: a directory page and 63 pages
/// of 63.
pub const REGIONS_MAX: usize = (REGIONS - 1) * (REGIONS - 1);

const BPF_F_MMAPABLE: u32 = 1 << 10;
const BPF_F_INNER_MAP: u32 = 1 << 12;

/// The maps that the walk reads. What cannot be stored is left out, and the walk
/// counts that it ended there.
pub struct Tables {
    /// What is mapped.
    pub processes: Processes,
    /// The unwind tables.
    pub unwind: UnwindTables,
}

/// Who has what mapped.
pub struct Processes(HashMap<MapData, PodKey, PodRegions>);

/// The unwind tables and their rules.
pub struct UnwindTables {
    tables: ArrayOfMaps<MapData, MapData>,
    rules: Array<MapData, PodRule>,
}

macro_rules! pods {
    ($($name:ident($inner:ty),)*) => {$(
        #[repr(transparent)]
        #[derive(Clone, Copy)]
        struct $name($inner);

        // SAFETY: repr(C) structs of integers without padding (`probe-ebpf` holds
        // their layout): every bit pattern is valid.
        unsafe impl aya::Pod for $name {}
    )*};
}

pods! { PodKey(RegionsKey), PodRegions(Regions), PodRule(Rule), }

impl Tables {
    pub(super) fn new(processes: Map, tables: Map, rules: Map) -> Result<Self, Error> {
        let processes = Processes(HashMap::try_from(processes)?);
        let (tables, rules) = (ArrayOfMaps::try_from(tables)?, Array::try_from(rules)?);
        Ok(Self { processes, unwind: UnwindTables { tables, rules } })
    }
}

impl UnwindTables {
    /// Sets rule number `id`.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn set_rule(&mut self, id: u16, rule: Rule) -> Result<(), Error> {
        Ok(self.rules.set(u32::from(id), PodRule(rule), 0)?)
    }

    /// Makes `pages` table number `id`, in place of what it was.
    ///
    /// # Errors
    /// Where the kernel has no memory for it.
    pub fn set_table(&mut self, id: u16, pages: &[Page]) -> Result<TableMemory, Error> {
        let table = create_table(pages)
            .and_then(|table| TableMemory::fill(&table, pages).map(|memory| (table, memory)));
        let (table, memory) = table.map_err(|error| Error::Map(MapError::IoError(error)))?;
        self.tables.set(u32::from(id), &MapData::from_fd(table)?, 0)?;
        Ok(memory)
    }
}

impl Processes {
    /// Replaces what is known of a process by `regions`, which are sorted by
    /// address and do not overlap; those past [`REGIONS_MAX`] are left out. Whose
    /// they are, by start time and exec count, is None where only the pid is known.
    ///
    /// # Errors
    /// Where the map is full.
    pub fn set_process(
        &mut self,
        pid: u32,
        whose: Option<(u64, u32)>,
        regions: &[Region],
    ) -> Result<(), Error> {
        let (start_ns, exec_id) = whose.unwrap_or_default();
        let empty =
            Regions { start_ns, exec_id, count: 0, pages: 0, region: [Region::default(); REGIONS] };
        let page_regions = REGIONS - 1;
        if regions.len() <= page_regions {
            return self.set_page(pid, 0, page_of(empty, regions));
        }
        let mut directory = empty;
        for (chunk, page) in regions.chunks(page_regions).take(page_regions).zip(1..) {
            self.set_page(pid, page, page_of(empty, chunk))?;
            if let (Some(entry), Some(first)) =
                (directory.region.get_mut(usize::from(directory.pages)), chunk.first())
            {
                *entry = *first;
                directory.pages += 1;
            }
        }
        self.set_page(pid, 0, directory)
    }

    fn set_page(&mut self, pid: u32, page: u32, regions: Regions) -> Result<(), Error> {
        Ok(self.0.insert(PodKey(RegionsKey { pid, page }), PodRegions(regions), 0)?)
    }

    /// Forgets a process that had `regions_len` regions.
    pub fn remove_process(&mut self, pid: u32, regions_len: usize) {
        let pages = if regions_len < REGIONS { 0 } else { regions_len.div_ceil(REGIONS - 1) };
        for page in 0..=u32::try_from(pages.min(REGIONS)).unwrap_or(0) {
            // One that was never stored, for want of room, need not be removed.
            let _ = self.0.remove(&PodKey(RegionsKey { pid, page }));
        }
    }
}

fn page_of(mut page: Regions, regions: &[Region]) -> Regions {
    for (slot, region) in page.region.iter_mut().zip(regions) {
        *slot = *region;
        page.count += 1;
    }
    page
}

/// The start of `union bpf_attr` for `BPF_MAP_CREATE` (uapi/linux/bpf.h); what
/// follows is zero, as the kernel takes it to be.
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_bytes: u32,
    value_bytes: u32,
    max_entries: u32,
    map_flags: u32,
}

/// A new array map with room for `pages`. By hand, since aya keeps the
/// descriptors of its arrays to itself, and `fill` needs one.
fn create_table(pages: &[Page]) -> io::Result<OwnedFd> {
    const BPF_MAP_CREATE: libc::c_int = 0;
    const BPF_MAP_TYPE_ARRAY: u32 = 2;
    let attr = MapCreate {
        map_type: BPF_MAP_TYPE_ARRAY,
        key_bytes: 4,
        value_bytes: u32::try_from(size_of::<Page>()).map_err(io::Error::other)?,
        max_entries: u32::try_from(pages.len()).map_err(io::Error::other)?.max(1),
        map_flags: BPF_F_INNER_MAP | BPF_F_MMAPABLE,
    };
    // SAFETY: `attr` is a valid prefix of union bpf_attr, of the stated size, which
    // the kernel only reads.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, &raw const attr, size_of::<MapCreate>())
    };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A table as the kernel has it, for reading. It stays readable when the kernel
/// has another table in its place.
#[derive(Debug)]
pub struct TableMemory {
    base: NonNull<Page>,
    len: usize,
}

// SAFETY: nobody writes to the memory after `fill`: the BPF programs have no code
// that does, and the map's descriptor is ours alone.
unsafe impl Send for TableMemory {}
// SAFETY: as above.
unsafe impl Sync for TableMemory {}

impl TableMemory {
    /// Copies `pages` into the map's memory: 1 M rows take 5 to 8 ms this way, 2 s
    /// by one system call a page.
    fn fill(table: &OwnedFd, pages: &[Page]) -> io::Result<Self> {
        let bytes = size_of_val(pages);
        if bytes == 0 {
            return Ok(Self { base: NonNull::dangling(), len: 0 });
        }
        // SAFETY: a new shared mapping of the map's own memory, which is at least
        // `bytes` long: a page of 4 KiB per entry; unmapped in `drop`.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                table.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<Page>()).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: source and destination are both `pages.len()` pages long, aligned
        // to a page, and do not overlap.
        unsafe { ptr::copy_nonoverlapping(pages.as_ptr(), base.as_ptr(), pages.len()) };
        Ok(Self { base, len: pages.len() })
    }

    /// The table's pages.
    #[must_use]
    pub const fn pages(&self) -> &[Page] {
        // SAFETY: `len` pages are mapped (or `len` is 0 and the pointer aligned),
        // initialized, and never written to again.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.len) }
    }
}

impl Drop for TableMemory {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: this is the mapping made in `fill`, of this size, and nothing
            // refers to it any more.
            unsafe { libc::munmap(self.base.as_ptr().cast(), self.len * size_of::<Page>()) };
        }
    }
}
