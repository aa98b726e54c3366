//! Where PyTorch's libraries are, on which `datadiet-worker` runs. Whether they load is for the worker to find
//! out; what is looked at here are names and versions.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use etcetera::BaseStrategy;

/// The version that `datadiet setup` gets. Others of the same minor version fit too: the C++ interface of PyTorch
/// changes with the minor version.
pub const VERSION: &str = "2.11.0";

/// Names a folder of PyTorch: `torch` in an environment of Python, or an unpacked libtorch.
pub const VARIABLE: &str = "DATADIET_TORCH";

/// A folder of PyTorch's Python package.
#[derive(Clone, Debug, PartialEq)]
pub struct Torch {
    /// The folder that holds `lib`.
    pub folder: PathBuf,
    /// As the package names itself, such as 2.11.0+cu130; none where it does not.
    pub version: Option<String>,
}

impl Torch {
    /// The PyTorch in a folder of Python packages, if there is one.
    pub fn in_packages(packages: &Path) -> Option<Self> {
        Self::open(packages.join("torch"))
    }

    /// The PyTorch of a library, as the system's loader names it: the file and where it was mapped. None if that
    /// says no version.
    pub fn of_library(loaded: &str) -> Option<Self> {
        let file = Path::new(loaded.rsplit_once(" (").map_or(loaded, |(file, _)| file));
        Self::open(file.parent()?.parent()?.to_owned()).filter(|torch| torch.version.is_some())
    }

    fn open(folder: PathBuf) -> Option<Self> {
        let library = format!("{}torch_cpu{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        if !folder.join("lib").join(library).is_file() {
            return None;
        }
        // `__version__ = '2.11.0+cu130'` in the package, `2.11.0+cpu` in libtorch's archive.
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let package = read("version.py").and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("__version__"))?;
            Some(line.split(['\'', '"']).nth(1)?.to_owned())
        });
        let version = package.or_else(|| Some(read("build-version")?.trim().to_owned()));
        Some(Self { folder, version })
    }

    /// Where the libraries are.
    pub fn libraries(&self) -> PathBuf {
        self.folder.join("lib")
    }

    /// Whether the worker was made for it.
    pub fn fits(&self) -> bool {
        // 2.12.0a0+git… is what becomes 2.12.0: its interface is none of a release.
        let released = |version: &str| {
            let plain = version.split('+').next()?;
            let numbers: Option<Vec<u32>> =
                plain.split('.').map(|part| part.parse().ok()).collect();
            Some(numbers?.get(..2)?.to_owned())
        };
        self.version.as_deref().and_then(released).is_some_and(|own| Some(own) == released(VERSION))
    }

    /// Whether it can use NVIDIA's GPUs.
    pub fn has_cuda(&self) -> bool {
        let library = format!("{}torch_cuda{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        // The package of Linux always has that library; `datadiet setup --cpu` leaves out what it needs.
        let private = private_folder();
        let alone = self.folder.parent().is_some_and(|packages| {
            private.as_deref() == Some(packages) && !packages.join("nvidia/cudnn").is_dir()
        });
        self.folder.join("lib").join(library).is_file() && !alone
    }

    /// Whether `datadiet setup` put it there.
    pub fn is_private(&self) -> bool {
        self.folder.parent().map(Path::to_owned) == private_folder()
    }
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The one to use.
    pub fitting: Option<Torch>,
    /// Those that were looked at before and are of another version.
    pub others: Vec<Torch>,
}

/// Looks for a PyTorch: where DATADIET_TORCH says, in the environment of Python that this program is installed in,
/// in the folder of `datadiet setup`.
///
/// # Errors
/// When DATADIET_TORCH names none that fits.
pub fn find() -> Result<Found> {
    let named = env::var_os(VARIABLE).filter(|named| !named.is_empty());
    find_or(named.map(std::path::absolute).transpose()?)
}

/// The same, with `named` in place of the variable.
///
/// # Errors
/// When it names none that fits.
pub fn find_or(named: Option<PathBuf>) -> Result<Found> {
    if let Some(folder) = named {
        let torch = Torch::open(folder.clone()).or_else(|| Torch::in_packages(&folder));
        let torch = torch.with_context(|| {
            format!(
                "{VARIABLE} says {}, but there are no libraries of PyTorch in its folder lib, nor in \
                 torch/lib",
                folder.display()
            )
        })?;
        ensure!(torch.fits(), "{VARIABLE} says {}, but that {}", folder.display(), unfit(&torch));
        return Ok(Found { fitting: Some(torch), others: Vec::new() });
    }
    let mut others = Vec::new();
    for packages in environment().into_iter().chain(private_folder()) {
        match Torch::in_packages(&packages) {
            Some(torch) if torch.fits() => return Ok(Found { fitting: Some(torch), others }),
            other => others.extend(other),
        }
    }
    Ok(Found { fitting: None, others })
}

/// Why a PyTorch is not used, after its name.
pub fn unfit(torch: &Torch) -> String {
    let version = torch.version.as_deref().unwrap_or("of unknown version");
    let needed = VERSION.rsplit_once('.').map_or(VERSION, |(minor, _)| minor);
    format!("is PyTorch {version}, and this version of datadiet-worker runs on {needed} alone")
}

/// The folder of `datadiet setup`, whether there or not: packages of Python, `torch` among them.
pub fn private_folder() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.cache_dir().join(format!("datadiet/pytorch-{VERSION}")))
}

/// This program's own file: installers of tools put links to it elsewhere.
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> Result<PathBuf> {
    let this = env::current_exe().context("cannot find this program's own file")?;
    Ok(std::fs::canonicalize(&this).unwrap_or(this))
}

/// The packages of the environment of Python that this program is installed in.
fn environment() -> Vec<PathBuf> {
    let Ok(this) = this_program() else { return Vec::new() };
    // PREFIX/bin/datadiet, or PREFIX/Scripts/datadiet.exe.
    let Some(prefix) = this.parent().and_then(Path::parent) else { return Vec::new() };
    if cfg!(windows) {
        return vec![prefix.join("Lib/site-packages")];
    }
    let folders = ["lib", "lib64"].map(|lib| std::fs::read_dir(prefix.join(lib)));
    let mut pythons: Vec<PathBuf> = folders
        .into_iter()
        .flatten()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .flat_map(|entry| ["site-packages", "dist-packages"].map(|name| entry.path().join(name)))
        .collect();
    pythons.sort();
    pythons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torch(version: &str) -> Torch {
        Torch { folder: "torch".into(), version: Some(version.into()) }
    }

    #[test]
    fn the_minor_version_decides() {
        for version in ["2.11.0", "2.11.0+cpu", "2.11.0+cu130", "2.11.1"] {
            assert!(torch(version).fits(), "{version}");
        }
        for version in
            ["2.10.0", "2.12.0+cpu", "2.1.1", "3.11.0", "2.110.0", "", "nightly", "2.11.0a0+git1"]
        {
            assert!(!torch(version).fits(), "{version}");
        }
        assert!(!Torch { folder: "torch".into(), version: None }.fits());
    }

    #[test]
    fn the_version_is_read_where_the_package_or_the_archive_says_it() {
        let folder = tempfile::tempdir().unwrap();
        let library = format!("{}torch_cpu{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        assert_eq!(Torch::open(folder.path().into()), None);
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        std::fs::write(folder.path().join("lib").join(library), "").unwrap();
        assert_eq!(Torch::open(folder.path().into()).unwrap().version, None);
        std::fs::write(folder.path().join("build-version"), "2.11.0+cpu\n").unwrap();
        let version = || Torch::open(folder.path().into()).unwrap().version.unwrap();
        assert_eq!(version(), "2.11.0+cpu");
        let text =
            "from typing import Optional\n\n__all__ = ['__version__']\n__version__ = '2.9.1'\n";
        std::fs::write(folder.path().join("version.py"), text).unwrap();
        assert_eq!(version(), "2.9.1");
    }
}
