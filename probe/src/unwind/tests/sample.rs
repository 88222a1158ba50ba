//! A small ELF file.

/// `EM_X86_64` and `EM_AARCH64`.
pub(super) const X86_64: u16 = 62;
pub(super) const AARCH64: u16 = 183;

/// File offset of the code.
pub(super) const CODE: u32 = 0x1000;
/// What the code's address is above its file offset, as lld lays it out.
pub(super) const ABOVE: u64 = 0x20_1000;
/// Bytes of the code's segment.
pub(super) const CODE_BYTES: u32 = 0x2000;

const HEADER: usize = 64;
const PROGRAM: usize = 56;
const SECTION: usize = 64;

/// An ELF file that is code and sections.
pub(super) struct Sample {
    pub(super) machine: u16,
    /// The first bytes of the code.
    pub(super) code: Vec<u8>,
    /// Sections by name, with `sh_flags` and contents. They lie after the code.
    pub(super) sections: Vec<(&'static str, u64, Vec<u8>)>,
}

impl Sample {
    pub(super) fn new(sections: Vec<(&'static str, Vec<u8>)>) -> Self {
        let sections = sections.into_iter().map(|(name, data)| (name, 0, data)).collect();
        Self { machine: X86_64, code: Vec::new(), sections }
    }

    /// The file.
    pub(super) fn elf(&self) -> Vec<u8> {
        let mut file = vec![0; (CODE + CODE_BYTES) as usize];
        file[CODE as usize..][..self.code.len()].copy_from_slice(&self.code);
        let mut names = vec![0];
        let mut headers = vec![0; SECTION];
        let mut section = |name: &str, kind: u32, flags: u64, data: &[u8], file: &mut Vec<u8>| {
            let at = file.len() as u64;
            headers.extend((names.len() as u32).to_le_bytes());
            headers.extend(kind.to_le_bytes());
            let address = if name.starts_with(".debug") { 0 } else { at + ABOVE };
            for word in [flags, address, at, data.len() as u64, 0, 1, 0] {
                headers.extend(word.to_le_bytes());
            }
            names.extend(name.bytes().chain([0]));
            file.extend(data);
            names.clone()
        };
        for (name, flags, data) in &self.sections {
            section(name, 1, *flags, data, &mut file);
        }
        let known = section(".shstrtab", 3, 0, &[], &mut file);
        let (at, size) = (file.len() as u64, known.len() as u64);
        let last = headers.len() - SECTION;
        headers[last + 24..][..8].copy_from_slice(&at.to_le_bytes());
        headers[last + 32..][..8].copy_from_slice(&size.to_le_bytes());
        file.extend(known);
        let table = file.len() as u64;
        let count = (headers.len() / SECTION) as u16;
        file.extend(headers);
        self.headers(&mut file, table, count);
        file
    }

    fn headers(&self, file: &mut [u8], sections: u64, count: u16) {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(16, 0);
        header.extend(3_u16.to_le_bytes());
        header.extend(self.machine.to_le_bytes());
        header.extend(1_u32.to_le_bytes());
        for word in [0, HEADER as u64, sections] {
            header.extend(word.to_le_bytes());
        }
        header.extend(0_u32.to_le_bytes());
        for half in [HEADER as u16, PROGRAM as u16, 1, SECTION as u16, count, count - 1] {
            header.extend(half.to_le_bytes());
        }
        // PT_LOAD, readable and executable.
        for word in [1_u32, 5] {
            header.extend(word.to_le_bytes());
        }
        let (at, size) = (u64::from(CODE), u64::from(CODE_BYTES));
        for word in [at, at + ABOVE, at + ABOVE, size, size, 0x1000] {
            header.extend(word.to_le_bytes());
        }
        file[..header.len()].copy_from_slice(&header);
    }
}

/// Makes `.eh_frame`: one common entry with absolute addresses, then functions.
pub(super) struct Frames(Vec<u8>);

impl Frames {
    /// With the common entry of x86-64: CFA = rsp + 8, the return address below.
    /// `augmentation` is "zR" or "zRS".
    pub(super) fn x86_64(augmentation: &str) -> Self {
        Self::new(augmentation, 0x78, 16, &[0x0c, 7, 8, 0x80 | 16, 1])
    }

    /// With the common entry of arm64: CFA = sp.
    pub(super) fn aarch64() -> Self {
        Self::new("zR", 0x78, 30, &[0x0c, 31, 0])
    }

    /// `factor`: the data alignment, as one byte of SLEB128.
    fn new(augmentation: &str, factor: u8, return_address: u8, instructions: &[u8]) -> Self {
        let mut body = vec![0, 0, 0, 0, 1];
        body.extend(augmentation.bytes().chain([0]));
        body.extend([1, factor, return_address, 1, 0]);
        body.extend(instructions);
        let mut frames = Self(Vec::new());
        frames.entry(body);
        frames
    }

    fn entry(&mut self, mut body: Vec<u8>) {
        while body.len() % 8 != 4 {
            body.push(0);
        }
        self.0.extend((body.len() as u32).to_le_bytes());
        self.0.extend(body);
    }

    /// Adds a function at byte `at` of the code.
    pub(super) fn function(self, at: u32, size: u32, instructions: &[u8]) -> Self {
        self.address(u64::from(CODE + at) + ABOVE, size, instructions)
    }

    /// Adds a function at an address.
    pub(super) fn address(mut self, address: u64, size: u32, instructions: &[u8]) -> Self {
        let mut body = (self.0.len() as u32 + 4).to_le_bytes().to_vec();
        body.extend(address.to_le_bytes());
        body.extend(u64::from(size).to_le_bytes());
        body.push(0);
        body.extend(instructions);
        self.entry(body);
        self
    }

    /// The section's bytes.
    pub(super) fn section(mut self) -> Vec<u8> {
        self.0.extend([0; 4]);
        self.0
    }

    /// The file that has this as `.eh_frame`.
    pub(super) fn elf(self) -> Vec<u8> {
        Sample::new(vec![(".eh_frame", self.section())]).elf()
    }
}
