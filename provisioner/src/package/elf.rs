//! Whether an executable would start on Lambda: its processor (E21), the glibc and the processor's extensions that it asks for
//! (E22).

use object::Endianness;
use object::elf::{
    EM_AARCH64, EM_X86_64, FileHeader64, GNU_PROPERTY_X86_ISA_1_NEEDED, GNU_PROPERTY_X86_ISA_1_V3,
    GNU_PROPERTY_X86_ISA_1_V4,
};
use object::read::elf::{FileHeader, ProgramHeader};

use super::PackageError;

/// The glibc of provided.al2023.
const GLIBC: (u32, u32) = (2, 34);

/// A processor as Lambda names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
    /// By Lambda's name.
    ///
    /// # Errors
    /// [`PackageError::Architecture`].
    pub fn from_name(name: &str) -> Result<Self, PackageError> {
        match name {
            "x86_64" => Ok(Self::X86_64),
            "arm64" => Ok(Self::Arm64),
            _ => Err(PackageError::Architecture { name: name.to_owned() }),
        }
    }

    /// Lambda's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// Rust's target with zigbuild's suffix that pins the glibc.
    pub(super) fn target(self) -> String {
        let (major, minor) = GLIBC;
        match self {
            Self::X86_64 => format!("x86_64-unknown-linux-gnu.{major}.{minor}"),
            Self::Arm64 => format!("aarch64-unknown-linux-gnu.{major}.{minor}"),
        }
    }
}

/// Why an executable would not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("its `bootstrap` is no 64-bit ELF file: {0}")]
    NoElf(String),
    #[error("its `bootstrap` is built for {found}, and the function's architecture is {wanted} (E21)")]
    Processor { found: String, wanted: &'static str },
    #[error("its `bootstrap` needs {0}, and provided.al2023 has GLIBC_2.34 (E22)")]
    Glibc(String),
    #[error("its `bootstrap` needs {0}, which not every host of Lambda is known to have (E22)")]
    Extensions(&'static str),
}

/// Checks a `bootstrap`; a script is taken as it is.
pub(super) fn check(content: &[u8], wanted: Architecture) -> Result<(), Fault> {
    if content.starts_with(b"#!") {
        return Ok(());
    }
    let unread = |error: object::Error| Fault::NoElf(error.to_string());
    let header = FileHeader64::<Endianness>::parse(content).map_err(unread)?;
    let endian = header.endian().map_err(unread)?;
    let found = match header.e_machine(endian) {
        EM_X86_64 => "x86_64".to_owned(),
        EM_AARCH64 => "arm64".to_owned(),
        other => format!("another processor (ELF machine {other:?})"),
    };
    if found != wanted.name() {
        return Err(Fault::Processor { found, wanted: wanted.name() });
    }
    if let Some(level) = needed_extensions(content).map_err(unread)? {
        return Err(Fault::Extensions(level));
    }
    match newest_glibc(content).map_err(unread)? {
        Some((version, name)) if version > GLIBC => Err(Fault::Glibc(name)),
        _ => Ok(()),
    }
}

/// The level of x86-64 that a note of the file asks for, where that is above x86-64-v2. AWS promises AVX2 and no more of v3 (BMI,
/// FMA and others); its hosts are of many makes, and glibc starts nothing on a host that lacks what the note asks for.
fn needed_extensions(content: &[u8]) -> object::Result<Option<&'static str>> {
    let header = FileHeader64::<Endianness>::parse(content)?;
    let endian = header.endian()?;
    let mut needed = 0;
    for segment in header.program_headers(endian, content)? {
        let Some(mut notes) = segment.notes(endian, content)? else { continue };
        while let Some(note) = notes.next()? {
            let Some(mut properties) = note.gnu_properties(endian) else { continue };
            while let Some(property) = properties.next()? {
                if property.pr_type() == GNU_PROPERTY_X86_ISA_1_NEEDED {
                    needed |= property.data_u32(endian)?;
                }
            }
        }
    }
    let levels = [(GNU_PROPERTY_X86_ISA_1_V4, "x86-64-v4"), (GNU_PROPERTY_X86_ISA_1_V3, "x86-64-v3")];
    Ok(levels.into_iter().find(|(bit, _)| needed & bit != 0).map(|(_, level)| level))
}

/// The newest version of glibc that the file's symbols ask for.
fn newest_glibc(content: &[u8]) -> object::Result<Option<((u32, u32), String)>> {
    let header = FileHeader64::<Endianness>::parse(content)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, content)?;
    let mut newest: Option<((u32, u32), String)> = None;
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, content)? else {
        return Ok(None);
    };
    let strings = sections.strings(endian, content, strings)?;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            let name = String::from_utf8_lossy(version.name(endian, strings)?).into_owned();
            newest = newest.max(glibc(&name).map(|version| (version, name)));
        }
    }
    Ok(newest)
}

/// `GLIBC_2.34` as (2, 34).
fn glibc(name: &str) -> Option<(u32, u32)> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This very test, an ELF file of the machine that runs it.
    fn this_test() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn e21_another_processor_is_refused() {
        let (here, there) = match std::env::consts::ARCH {
            "x86_64" => (Architecture::X86_64, Architecture::Arm64),
            _ => (Architecture::Arm64, Architecture::X86_64),
        };
        assert!(matches!(check(&this_test(), there), Err(Fault::Processor { .. })));
        assert!(!matches!(check(&this_test(), here), Err(Fault::Processor { .. } | Fault::NoElf(_))));
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn e22_the_needed_glibc_is_read() {
        let (version, name) = newest_glibc(&this_test()).unwrap().unwrap();
        assert!(version >= (2, 2) && name.starts_with("GLIBC_2."), "{name}");
    }

    #[test]
    fn e22_versions_are_compared_as_numbers() {
        assert!(glibc("GLIBC_2.4") < glibc("GLIBC_2.34"));
        assert!(glibc("GLIBC_2.39") > Some(GLIBC));
        assert_eq!(glibc("GCC_3.0"), None);
        assert_eq!(glibc("GLIBC_PRIVATE"), None);
    }

    /// A program that the C compiler links with a note of the level that it needs.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn linked_for(level: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("start.c"), folder.path().join("bootstrap"));
        std::fs::write(&source, "void _start(void) {}").unwrap();
        let mut compiler = std::process::Command::new("cc");
        compiler.args(["-nostdlib", "-static", &format!("-Wl,-z,{level}"), "-o"]).arg(&program).arg(&source);
        assert!(compiler.status().unwrap().success());
        std::fs::read(program).unwrap()
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn e22_what_asks_for_a_newer_processor_than_every_host_has_is_refused() {
        for level in ["x86-64-v3", "x86-64-v4"] {
            let refused = check(&linked_for(level), Architecture::X86_64).unwrap_err().to_string();
            assert!(refused.contains(level), "{refused}");
        }
        for level in ["x86-64-baseline", "x86-64-v2"] {
            assert_eq!(check(&linked_for(level), Architecture::X86_64), Ok(()), "{level}");
        }
    }

    #[test]
    fn e23_what_is_neither_script_nor_elf_is_refused() {
        assert!(matches!(check(b"MZ....", Architecture::X86_64), Err(Fault::NoElf(_))));
        assert_eq!(check(b"#!/bin/sh\n", Architecture::X86_64), Ok(()));
    }
}
