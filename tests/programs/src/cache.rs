//! Builds each recipe once, into a folder named by a hash of all that goes into
//! it; the program's own name is plain, since tests see it as a process's name.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::Missing;
use crate::recipe::Recipe;

/// What cargo writes at the top of a target directory.
const TARGET_MARK: &str = "CACHEDIR.TAG";

/// Tells apart the half-made files of this process's threads.
static BUILDS: AtomicU32 = AtomicU32::new(0);

/// The path of what `recipe` makes, made now if it was not before.
pub(crate) fn build(recipe: &Recipe) -> Result<PathBuf, Missing> {
    let folder = folder().join(format!("{:016x}", key(recipe)?));
    let program = folder.join(&recipe.name);
    if program.exists() {
        return Ok(program);
    }
    fs::create_dir_all(&folder).map_err(Missing::io(&folder))?;
    // Renamed when whole, so that tests which build the same program side by side
    // never start half of one. The suffix, since compilers go by it.
    let number = BUILDS.fetch_add(1, Ordering::Relaxed);
    let half = folder.join(format!("{}.{}.{number}", recipe.name, process::id()));
    let source = match &recipe.generated {
        Some((suffix, text)) => {
            let source = half.with_extension(format!("{number}.{suffix}"));
            fs::write(&source, text).map_err(Missing::io(&source))?;
            Some(source)
        }
        None => None,
    };
    let result = run(recipe, source.as_deref(), &half);
    if let Some(source) = &source {
        fs::remove_file(source).map_err(Missing::io(source))?;
    }
    result?;
    fs::rename(&half, &program).map_err(Missing::io(&program))?;
    Ok(program)
}

fn run(recipe: &Recipe, source: Option<&Path>, output: &Path) -> Result<(), Missing> {
    let mut command = Command::new(&recipe.compiler);
    command.args(&recipe.before).arg("-o").arg(output).args(source).args(&recipe.files);
    command.args(&recipe.after).envs(recipe.environment.iter().copied());
    let done = command.output().map_err(Missing::io(&recipe.compiler))?;
    if done.status.success() {
        return Ok(());
    }
    Err(Missing::Build {
        command: format!("{command:?}"),
        output: String::from_utf8_lossy(&done.stderr).into_owned(),
    })
}

fn key(recipe: &Recipe) -> Result<u64, Missing> {
    let mut hasher = DefaultHasher::new();
    recipe.hash(&mut hasher);
    for file in recipe.files.iter().chain(&recipe.included) {
        fs::read(file).map_err(Missing::io(file))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Inside the target directory that the running test was built in.
fn folder() -> PathBuf {
    let exe = env::current_exe().unwrap_or_default();
    let target = exe.ancestors().find(|folder| folder.join(TARGET_MARK).exists());
    target.map_or_else(env::temp_dir, Path::to_owned).join("test-programs")
}
