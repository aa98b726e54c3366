//! Getting PyTorch's libraries: with the real pip, and a folder of wheels in place of an index. What they hold is
//! as small as can be, for nothing is trained here.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

use crate::support::{Home, JOB, errors};

/// Wheels of what `datadiet setup` gets for the processor, `torch` of a version.
const WHEELS: &str = r#"
import sys, zipfile
folder, version = sys.argv[1:]
def wheel(name, version, files):
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(path, text)
library = "libtorch_cpu.dylib" if sys.platform == "darwin" else "libtorch_cpu.so"
wheel("torch", version, {f"torch/lib/{library}": "", "torch/version.py": f"__version__ = '{version}'\n"})
wheel("nvidia_cuda_runtime", "13.0.96", {"nvidia/cu13/lib/empty": ""})
wheel("nvidia_cuda_cupti", "13.0.85", {"nvidia/cu13/lib/empty": ""})
"#;

struct Machine {
    home: Home,
}

impl Machine {
    fn new() -> Self {
        Self::with(Home::empty())
    }

    /// A machine whose index of packages has PyTorch.
    fn with(home: Home) -> Self {
        let machine = Self { home };
        std::fs::create_dir(machine.wheels()).unwrap();
        let mut python = std::process::Command::new("python3");
        let status = python.arg("-c").arg(WHEELS).arg(machine.wheels()).arg("2.11.0").status();
        assert!(status.unwrap().success());
        machine
    }

    fn wheels(&self) -> PathBuf {
        self.home.path().join("wheels")
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    fn torch(&self) -> PathBuf {
        self.cache().join("datadiet/pytorch-2.11.0/torch")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        command
            .env_remove("DATADIET_TORCH")
            .env("XDG_CACHE_HOME", self.cache())
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", self.wheels());
        command
    }

    fn setup(&self, options: &[&str]) -> Output {
        self.command(&[&["setup"], options].concat()).output().unwrap()
    }
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", errors(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn it_says_the_size_gets_the_libraries_once_and_a_part_is_never_the_whole() {
    let machine = Machine::new();
    // What an earlier attempt left, and a folder that holds no PyTorch.
    let part = machine.cache().join("datadiet/pytorch-2.11.0.part/torch/lib");
    std::fs::create_dir_all(&part).unwrap();
    std::fs::create_dir_all(machine.torch()).unwrap();
    let first = machine.setup(&["--cpu", "--json"]);
    let said = errors(&first);
    let answer: serde_json::Value = serde_json::from_str(&text(&first)).unwrap();
    assert!(said.contains("about 0.6 GB to download") || cfg!(not(target_os = "linux")), "{said}");
    assert_eq!(answer["folder"], machine.torch().to_str().unwrap());
    assert_eq!((&answer["version"], &answer["fetched"]), (&"2.11.0".into(), &true.into()));
    assert!(machine.torch().join("lib").is_dir() && !part.exists());

    // Nothing to fetch with is needed the second time.
    let mut again = machine.command(&["setup", "--cpu"]);
    let again = again.env("PATH", "").output().unwrap();
    assert!(text(&again).starts_with("nothing to do"), "{}", text(&again));
}

#[test]
fn two_at_once_fetch_once() {
    let machine = Machine::new();
    let fetched: Vec<bool> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| machine.setup(&["--cpu", "--json"])));
        let answers = both.map(|one| one.join().unwrap());
        let answers = answers.iter().map(|answer| serde_json::from_str(&text(answer)).unwrap());
        answers.map(|answer: serde_json::Value| answer["fetched"].as_bool().unwrap()).collect()
    });
    assert_eq!(fetched.iter().filter(|&&fetched| fetched).count(), 1, "{fetched:?}");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let machine = Machine::new();
    let cpu = ["--cpu"];
    let failed = |output: &Output, words: &[&str]| {
        let text = errors(output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let last = text.lines().last().unwrap();
        words.iter().for_each(|word| assert!(last.contains(word), "{word}: {text}"));
    };
    // Neither pip nor uv.
    let mut bare = machine.command(&["setup", "--cpu"]);
    failed(&bare.env("PATH", "").output().unwrap(), &["pip", "uv", "DATADIET_TORCH"]);
    // A file where the folder of caches should be.
    std::fs::write(machine.home.path().join("file"), "").unwrap();
    let mut full = machine.command(&["setup", "--cpu"]);
    full.env("XDG_CACHE_HOME", machine.home.path().join("file"));
    failed(&full.output().unwrap(), &["cannot write to", "XDG_CACHE_HOME"]);
    // PyTorch without what GPUs need.
    failed(&machine.setup(&["--cuda"]), &["with CUDA did not arrive"]);
    assert!(!machine.torch().exists());
    // A download that was cut.
    let wheel = machine.wheels().join("torch-2.11.0-py3-none-any.whl");
    let whole = std::fs::read(&wheel).unwrap();
    std::fs::write(&wheel, &whole[..whole.len() / 2]).unwrap();
    failed(&machine.setup(&cpu), &["could not get torch", "Type the same again"]);
    assert!(!machine.torch().exists());
    std::fs::write(&wheel, whole).unwrap();
    text(&machine.setup(&cpu));
    // A version that the worker does not run on.
    let old = machine.torch().join("version.py");
    std::fs::write(old, "__version__ = '2.10.0+cpu'\n").unwrap();
    let mut named = machine.command(&["setup"]);
    named.env("DATADIET_TORCH", machine.torch());
    failed(&named.output().unwrap(), &["is PyTorch 2.10.0+cpu", "2.11 alone"]);
    // One that is for the processor, and goes before whatever would be fetched.
    std::fs::write(machine.torch().join("version.py"), "__version__ = '2.11.1'\n").unwrap();
    let mut named = machine.command(&["setup", "--cuda"]);
    std::fs::rename(machine.torch(), machine.home.path().join("torch")).unwrap();
    named.env("DATADIET_TORCH", machine.home.path().join("torch"));
    failed(&named.output().unwrap(), &["PyTorch 2.11.1", "for the processor alone"]);
    let mut named = machine.command(&["setup"]);
    named.env("DATADIET_TORCH", machine.wheels());
    failed(&named.output().unwrap(), &["no libraries of PyTorch"]);
}

/// Libraries that are not there, as the system's loader tells it.
#[cfg(target_os = "linux")]
#[test]
fn a_worker_without_libraries_says_what_to_type() {
    let machine = Machine::with(Home::with_sample());
    let worker = machine.home.path().join("worker");
    let source = machine.home.path().join("worker.c");
    std::fs::write(&source, "int gone(void);\nint main(void) { return gone(); }\n").unwrap();
    let library = machine.home.path().join("libtorch_cpu.so");
    let compile = |arguments: &[&Path], more: &[&str]| {
        let mut compiler = std::process::Command::new("cc");
        assert!(compiler.args(arguments).args(more).status().unwrap().success());
    };
    let gone = machine.home.path().join("gone.c");
    std::fs::write(&gone, "int gone(void) { return 0; }\n").unwrap();
    compile(&[&gone], &["-shared", "-Wl,-soname,libtorch_cpu.so", "-o", library.to_str().unwrap()]);
    compile(&[&source, &library], &["-o", worker.to_str().unwrap()]);
    std::fs::remove_file(&library).unwrap();
    let train = |machine: &Machine| {
        let mut command = machine.command(&[JOB, &["--out", "out"]].concat());
        errors(&command.env("DATADIET_WORKER", &worker).output().unwrap())
    };
    let text = train(&machine);
    for word in ["finds no PyTorch 2.11.0", "libtorch_cpu.so", "`datadiet setup`", "DATADIET_TORCH"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    // Libraries that are there are found: these lack all else, which is told too.
    machine.setup(&["--cpu"]);
    let text = train(&machine);
    assert!(text.contains("does not start with the libraries in"), "{text}");
}
