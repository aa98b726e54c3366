//! `datadiet setup`: PyTorch's libraries in a folder of datadiet's own, for `datadiet-worker`.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;

use crate::output::OutputArgs;
use crate::torch::{self, Torch, VARIABLE, VERSION};
use crate::worker::Worker;

/// Get PyTorch's libraries, which training needs.
///
/// Where this program is installed in an environment of Python that has a fitting PyTorch, that one is used
/// and nothing is fetched. Else pip (or uv) installs the package `torch` into a folder of datadiet's own, from where
/// it is set up to get packages. Nothing else needs them: scores of recorded logits, selection, suspects and
/// reports work without.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet setup                # on Linux for the processor 0.6 GB, where an NVIDIA GPU is 3 GB
  datadiet setup --cpu          # for the processor alone
  pip install 'datadiet[train]' # or PyTorch beside datadiet, for Python too")]
pub struct SetupArgs {
    /// For the processor alone [default where no NVIDIA GPU is].
    #[arg(long, conflicts_with = "cuda")]
    cpu: bool,
    /// For NVIDIA GPUs too [default where one is].
    #[arg(long)]
    cuda: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// What training runs on from now on.
#[derive(Serialize)]
struct Answer {
    /// The folder of PyTorch's package.
    folder: PathBuf,
    /// As it names itself.
    version: String,
    /// Whether GPUs can be used.
    cuda: bool,
    /// Whether it was fetched now.
    fetched: bool,
}

/// Packages of Python, and about how large they are.
struct Wanted {
    packages: Vec<String>,
    /// Those that they need come too.
    whole: bool,
    /// To download, and on disk.
    gigabytes: [f32; 2],
}

/// Runs the command.
pub fn run(args: &SetupArgs) -> Result<ExitCode> {
    let there = torch::find()?.fitting;
    // Without a worker here it cannot be known better.
    let broken = Worker::find().ok().and_then(|worker| worker.check().err());
    let (torch, fetched) = match (there, broken) {
        (Some(torch), Some(problem)) if !torch.is_private() => return Err(problem),
        (Some(_), Some(problem)) => {
            eprintln!("note: {problem}\nnote: it is fetched again");
            fetch(args.cuda || !args.cpu && has_gpu(), true)?
        }
        (Some(torch), None) if !args.cuda || torch.has_cuda() => (torch, false),
        // What is there goes before the private folder: fetching would change nothing.
        (Some(torch), None) if !torch.is_private() => bail!(
            "training runs on PyTorch {} in {}, which is for the processor alone: install one with CUDA \
             there, or name another in {VARIABLE}",
            torch.version.unwrap_or_default(),
            torch.folder.display()
        ),
        _ => fetch(args.cuda || !args.cpu && has_gpu(), false)?,
    };
    let version = torch.version.clone().unwrap_or_default();
    let cuda = torch.has_cuda();
    let answer = Answer { folder: torch.folder, version, cuda, fetched };
    args.output.answer(&answer, || {
        let how =
            if answer.fetched { "training runs on" } else { "nothing to do: training runs on" };
        let what = if answer.cuda { "" } else { ", for the processor" };
        format!("{how} PyTorch {} in {}{what}", answer.version, answer.folder.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Installs the package into the private folder, in place of what is there; false if another did meanwhile, unless
/// what is there is broken.
fn fetch(cuda: bool, broken: bool) -> Result<(Torch, bool)> {
    let folder = torch::private_folder()
        .with_context(|| format!("the user has no folder for caches; set HOME, or {VARIABLE}"))?;
    let parent = folder.parent().context("the folder of caches is no root")?;
    let writable = format!(
        "cannot write to {}; set XDG_CACHE_HOME to a folder that can be written, or {VARIABLE} to a \
         PyTorch {VERSION} that you have",
        parent.display()
    );
    fs::create_dir_all(parent).context(writable.clone())?;
    let lock = File::create(beside(&folder, "lock")).context(writable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("note: another `datadiet setup` is at work; waiting for it");
            lock.lock()?;
        }
        Err(TryLockError::Error(problem)) => {
            eprintln!("note: no lock can be held here ({problem}): do not run two at once");
        }
    }
    // Another may have got what is wanted since it was looked for.
    let found = torch::find()?.fitting.filter(|torch| !broken && (!cuda || torch.has_cuda()));
    if let Some(torch) = found {
        return Ok((torch, false));
    }
    let wanted = Wanted::new(cuda);
    eprintln!(
        "getting PyTorch {VERSION} for {}: about {} GB to download, {} GB into {}",
        if cuda { "the processor and NVIDIA GPUs" } else { "the processor" },
        wanted.gigabytes[0],
        wanted.gigabytes[1],
        folder.display()
    );
    // Beside its place: a part of it is never taken for the whole.
    let part = beside(&folder, "part");
    remove(&part)?;
    install(&wanted, &part)?;
    let whole = Torch::in_packages(&part).filter(Torch::fits);
    ensure!(
        whole.is_some() && (!cuda || part.join("nvidia/cudnn").is_dir()),
        "PyTorch {VERSION}{} did not arrive in {}",
        if cuda { " with CUDA" } else { "" },
        part.display()
    );
    let old = beside(&folder, "old");
    remove(&old)?;
    match fs::rename(&folder, &old) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::rename(&part, &folder)?,
    }
    remove(&old)?;
    let torch = Torch::in_packages(&folder).context("PyTorch is gone from where it was put")?;
    Ok((torch, true))
}

/// A name for what belongs to a folder.
fn beside(folder: &Path, what: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!(".{what}"));
    name.into()
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

impl Wanted {
    fn new(cuda: bool) -> Self {
        let torch = format!("torch=={VERSION}");
        let linux = cfg!(all(target_os = "linux", target_arch = "x86_64"));
        if cuda || !linux {
            let gigabytes = if linux { [3.0, 4.7] } else { [0.3, 0.6] };
            return Self { packages: vec![torch], whole: cuda, gigabytes };
        }
        // libtorch_cpu.so of Linux links these two even where no GPU is used.
        let stubs = ["nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"];
        let packages = std::iter::once(torch).chain(stubs.map(str::to_owned));
        Self { packages: packages.collect(), whole: false, gigabytes: [0.6, 1.2] }
    }
}

/// Has the first installer at hand put packages into a folder.
fn install(wanted: &Wanted, folder: &Path) -> Result<()> {
    let environment = beside(folder, "pip");
    let found = installers().into_iter().find(works);
    let Some(mut installer) = found.or_else(|| make_pip(&environment)) else {
        bail!(
            "neither pip nor uv is here to get PyTorch with, nor a Python that can make an environment with \
             pip: install one (Debian, Ubuntu: apt-get install python3-venv), or name a PyTorch {VERSION} \
             that you have in {VARIABLE}"
        )
    };
    // Any Python will do to fetch with: no interpreter runs what comes.
    installer.args(["install", "--only-binary", ":all:", "--python-version", "3.12", "--target"]);
    installer.arg(folder);
    if !wanted.whole {
        installer.arg("--no-deps");
    }
    // Of pip from 25.1: a download that is cut goes on from where it was.
    installer.env("PIP_RESUME_RETRIES", "20").env("PIP_ROOT_USER_ACTION", "ignore");
    let status =
        installer.args(&wanted.packages).stdout(Stdio::from(std::io::stderr())).status()?;
    ensure!(
        status.success(),
        "could not get {}: see the message above. Type the same again: what had arrived whole is not \
         fetched twice where the installer keeps it",
        wanted.packages.join(" ")
    );
    remove(&environment)
}

/// A pip of our own, as Debian's Python has none but can make one.
fn make_pip(environment: &Path) -> Option<Command> {
    let mut python = Command::new("python3");
    python.args(["-m", "venv"]).arg(environment).stdout(Stdio::null()).stderr(Stdio::null());
    let made = python.status().is_ok_and(|status| status.success());
    made.then(|| pip(environment.join("bin/python"))).filter(works)
}

fn pip(python: PathBuf) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    command
}

/// Ways to install packages of Python, those of this program's own environment first.
fn installers() -> Vec<Command> {
    let this = torch::this_program().ok();
    let own =
        this.map(|this| this.with_file_name(format!("python{}", std::env::consts::EXE_SUFFIX)));
    let pythons = own.into_iter().filter(|own| own.is_file());
    let pythons = pythons.chain(["python3".into(), "python".into()]);
    let mut uv = Command::new("uv");
    uv.arg("pip");
    pythons.map(pip).chain([uv]).collect()
}

fn works(installer: &Command) -> bool {
    let mut command = Command::new(installer.get_program());
    command.args(installer.get_args()).arg("--help");
    let answer = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    answer.is_ok_and(|status| status.success())
}

fn has_gpu() -> bool {
    let answer = Command::new("nvidia-smi").arg("-L").stderr(Stdio::null()).output();
    answer.is_ok_and(|answer| answer.status.success() && !answer.stdout.is_empty())
}
