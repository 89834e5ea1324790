//! The library and what is generated from it.

use std::error::Error;
use std::process::Command;
use std::{env, fs};

use camino::{Utf8Path, Utf8PathBuf};
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate_with_bindgen_paths};
use uniffi_bindgen::{BindgenLoader, BindgenPaths, BindgenPathsLayer, ComponentInterface, GlobalConfig};

const CRATE: &str = "takings_ffi";
/// The interpreter ends before its process: a thread of the library's that called into it later would take all down.
const PYTHON_GOODBYE: &str = "

import atexit as _atexit

_atexit.register(stop_calling_out)
";

/// What UniFFI's Kotlin catches of the app's, and what it must: it takes a class that is not there, or memory that ran out,
/// for success, and the library would read an answer that nobody wrote.
const KOTLIN_CATCHES: (&str, &str) = ("    } catch(e: kotlin.Exception) {\n", "    } catch(e: kotlin.Throwable) {\n");
/// Calls without a typed error, and calls with one.
const KOTLIN_CATCHES_COUNT: usize = 2;

/// Builds the library as this program was built, with its symbols: the description of the exports is among them.
pub(crate) fn library(planted: bool) -> Result<Utf8PathBuf, Box<dyn Error>> {
    let program = Utf8PathBuf::try_from(env::current_exe()?)?;
    let dir = program.parent().ok_or("this program lies nowhere")?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // With the generator, so that cargo settles on the features this program was built with, and builds nothing twice.
    cargo.args(["build", "--quiet", "--package", "takings-ffi", "--package", "takings-bindgen"]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // `cargo run` sets these for its program; build scripts that watch them would run again each time.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start)) {
            cargo.env_remove(name.as_ref());
        }
    }
    if let Some(profile) = dir.file_name().filter(|name| *name != "debug") {
        cargo.args(["--profile", profile]);
    }
    if planted {
        cargo.args(["--features", "takings-ffi/planted"]);
    }
    if !cargo.status()?.success() {
        return Err("takings-ffi does not build".into());
    }
    Ok(dir.join(format!("{}{CRATE}{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)))
}

/// Where the crate's `uniffi.toml` is.
struct Root;

impl BindgenPathsLayer for Root {
    fn get_crate_root(&self, crate_name: &str) -> Option<Utf8PathBuf> {
        (crate_name == CRATE).then(|| Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../ffi"))
    }
}

fn paths() -> BindgenPaths {
    let mut paths = BindgenPaths::default();
    paths.add_layer(Root);
    paths
}

/// What the library exports.
pub(crate) fn interface(library: &Utf8Path) -> Result<ComponentInterface, Box<dyn Error>> {
    let loader = BindgenLoader::new(paths(), GlobalConfig::default());
    let metadata = loader.load_metadata(library)?;
    let mut found = loader.load_cis(metadata)?.into_iter().filter(|interface| interface.crate_name() == CRATE);
    Ok(found.next().ok_or("the library exports nothing")?)
}

/// One directory a language, each with the library beside the generated code.
pub(crate) fn languages(library: &Utf8Path, out: &Utf8Path) -> Result<(), Box<dyn Error>> {
    let languages =
        [("kotlin", TargetLanguage::Kotlin), ("swift", TargetLanguage::Swift), ("python", TargetLanguage::Python)];
    for (name, language) in languages {
        let out_dir = out.join(name);
        if out_dir.exists() {
            fs::remove_dir_all(&out_dir)?;
        }
        fs::create_dir_all(&out_dir)?;
        let options = GenerateOptions {
            languages: vec![language],
            source: library.to_owned(),
            out_dir: out_dir.clone(),
            config_override: None,
            format: false,
            crate_filter: Some(CRATE.to_owned()),
            metadata_no_deps: true,
        };
        generate_with_bindgen_paths(options, paths())?;
        if name == "python" {
            let module = out_dir.join("takings.py");
            fs::write(&module, fs::read_to_string(&module)? + PYTHON_GOODBYE)?;
        }
        if name == "kotlin" {
            let source = out_dir.join("app/takings/takings.kt");
            let generated = fs::read_to_string(&source)?;
            let (some, all) = KOTLIN_CATCHES;
            if generated.matches(some).count() != KOTLIN_CATCHES_COUNT {
                return Err("UniFFI's Kotlin catches what the app throws in another way".into());
            }
            fs::write(&source, generated.replace(some, all))?;
        }
        fs::copy(library, out_dir.join(library.file_name().unwrap_or(CRATE)))?;
    }
    Ok(())
}
